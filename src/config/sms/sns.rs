//! `[sms.sns]`: a region of AWS, and where the credentials for it come from.

use std::sync::Arc;

use crate::{
    config::{
        document::Section,
        http_url::BaseUrl,
        problem::Reported,
        sms::{SECOND, Wanted, twilio::is_name},
        value::Text,
    },
    secret::Secret,
    sms::sns::{Credentials, Given, Spec, Surroundings, regional, status},
};

/// The name of a region.
struct Region(String);

/// A name that messages may be from.
struct SenderId(String);

/// The name of a log group.
struct LogGroup(String);

/// `[sms.sns]`; `None` when it is not to be used.
pub fn sns(section: &Section<'_>, wanted: Wanted) -> Result<Option<Spec>, Reported> {
    let region: Result<Option<Region>, _> = section.read("region", r#""""#);
    let sender_id: Result<Option<SenderId>, _> = section.read("sender_id", r#""""#);
    let profile: Result<Option<String>, _> = section.read("profile", r#""""#);
    let access_key: Result<Option<Secret>, _> = section.read("access_key_id", r#""""#);
    let secret_key: Result<Option<Secret>, _> = section.read("secret_access_key", r#""""#);
    let base_url: Result<Option<BaseUrl>, _> = section.read("base_url", r#""""#);
    let status_log: Result<Option<LogGroup>, _> = section.read("status_log", r#""""#);
    let status_every = section.read_within("status_every", r#""5s""#, SECOND / 10..=SECOND * 60);
    let logs_url: Result<Option<BaseUrl>, _> = section.read("logs_url", r#""""#);

    let (region, sender_id, profile) = (region?, sender_id?, profile?);
    let (access_key, secret_key, base_url) = (access_key?, secret_key?, base_url?);
    let (status_log, status_every, logs_url) = (status_log?, status_every?, logs_url?);
    if wanted == Wanted::No {
        return Ok(None);
    }
    let surroundings = Surroundings::of(|name| section.env(name));
    let of_environment = || Region::parse(surroundings.region()?);
    let Some(Region(region)) = region.or_else(of_environment) else {
        let help = "for instance `region = \"eu-west-1\"`, or AWS_REGION in the environment";
        return Err(section.refuse("region", "is missing", Some(help.to_owned())));
    };
    let credentials = match (access_key, secret_key) {
        (None, None) => Given::Usual {
            profile,
            surroundings: Arc::new(surroundings),
        },
        (Some(_), Some(_)) if profile.is_some() => {
            let what = "stands beside a key, and only one of them can be used";
            return Err(section.refuse("profile", what, None));
        }
        (Some(id), Some(secret_key)) => Given::Key(Credentials {
            access_key: String::from_utf8_lossy(id.expose()).into_owned(),
            secret_key,
            session_token: None,
            expires_at: None,
        }),
        (Some(_), None) | (None, Some(_)) => {
            let what = "`access_key_id` and `secret_access_key` belong together";
            return Err(section.refuse("access_key_id", what, None));
        }
    };
    let place = |url: Option<BaseUrl>, service| match url {
        Some(BaseUrl(url)) => url,
        None => regional(service, &region),
    };
    Ok(Some(Spec {
        base_url: place(base_url, "sns"),
        status: status_log.map(|LogGroup(group)| status::Spec {
            base_url: place(logs_url, "logs"),
            group,
            every: status_every,
        }),
        region,
        sender_id: sender_id.map(|SenderId(name)| name),
        credentials,
    }))
}

impl Text for Region {
    const EXPECTED: &'static str = "a region such as \"eu-west-1\"";

    fn parse(text: &str) -> Option<Self> {
        let in_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (5..=32).contains(&text.len()) && text.contains('-');
        (fits && text.bytes().all(in_name)).then(|| Self(text.to_owned()))
    }
}

impl Text for SenderId {
    const EXPECTED: &'static str = "a name of up to 11 letters and digits, at least one a letter";

    fn parse(text: &str) -> Option<Self> {
        // Of what phones can show, SNS allows no blanks and the like.
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (plain && is_name(text)).then(|| Self(text.to_owned()))
    }
}

impl Text for LogGroup {
    const EXPECTED: &'static str =
        "the name of a log group such as \"sns/eu-west-1/123456789012/DirectPublishToPhoneNumber\"";

    fn parse(text: &str) -> Option<Self> {
        let in_name = |b: u8| b.is_ascii_alphanumeric() || b"._-/#".contains(&b);
        // AWS allows 512; that of failures is longer by one word.
        let fits = (1..=500).contains(&text.len()) && !text.ends_with('/');
        (fits && text.bytes().all(in_name)).then(|| Self(text.to_owned()))
    }
}
