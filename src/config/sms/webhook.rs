//! `[sms.webhook]`: a program of the operator's that carries messages.

use crate::{
    config::{
        document::Section, http_url::HttpUrl, item::Item, problem::Reported, sms::Wanted,
        value::Value,
    },
    secret::Secret,
    sms::webhook::{SigningKey, Spec},
};

/// An address, which may hold what only the two of us know.
struct Hidden(HttpUrl);

/// `[sms.webhook]`; `None` when it is not to be used.
pub fn webhook(section: &Section<'_>, wanted: Wanted) -> Result<Option<Spec>, Reported> {
    let url: Result<Option<Hidden>, _> = section.read("url", r#""""#);
    let secret: Result<Option<SigningKey>, _> = section.read("secret", r#""""#);
    let (url, secret) = (url?, secret?);
    if wanted == Wanted::No {
        return Ok(None);
    }
    let url = url.ok_or_else(|| {
        let help = "for instance `url = \"https://sms.example.com/send\"`".to_owned();
        section.refuse("url", "is missing", Some(help))
    });
    let key = secret.ok_or_else(|| {
        let help =
            "`secret = { env = \"NAME\" }`: \"whsec_\" and the output of `openssl rand -base64 32`";
        section.refuse("secret", "is missing", Some(help.to_owned()))
    });
    let (Hidden(url), key) = (url?, key?);
    Ok(Some(Spec {
        origin: url.origin().to_owned(),
        url: Secret::new(url.as_str().as_bytes()),
        key,
    }))
}

impl Value for Hidden {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let secret = Secret::read(item)?;
        let text = String::from_utf8_lossy(secret.expose());
        let url = HttpUrl::parse(&text);
        url.map(Self).map_err(|error| item.refuse(error, None))
    }
}

impl Value for SigningKey {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let secret = Secret::read(item)?;
        let text = String::from_utf8_lossy(secret.expose());
        Self::parse(&text).map_err(|error| item.refuse(error, None))
    }
}
