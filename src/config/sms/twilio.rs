//! `[sms.twilio]`: an account, and who its messages are from.

use crate::{
    config::{
        document::Section,
        http_url::{BaseUrl, HttpUrl},
        item::Item,
        problem::Reported,
        sms::Wanted,
        value::{Text, Value},
    },
    secret::Secret,
    sms::twilio::{Sender, Spec},
};

/// The name of something of Twilio's: two letters for its kind, and 32 hexadecimal digits.
struct Sid<const A: char, const B: char>(String);

/// A number in E.164, spaces and the like dropped.
struct Number(String);

/// `[sms.twilio]`; `None` when it is not to be used.
///
/// `home` is where Twilio finds us, if it does.
pub fn twilio(
    section: &Section<'_>,
    wanted: Wanted,
    home: Option<&str>,
) -> Result<Option<Spec>, Reported> {
    let account: Result<Option<Sid<'A', 'C'>>, _> = section.read("account_sid", r#""""#);
    let token: Result<Option<Secret>, _> = section.read("auth_token", r#""""#);
    let key: Result<Option<Sid<'S', 'K'>>, _> = section.read("api_key", r#""""#);
    let key_secret: Result<Option<Secret>, _> = section.read("api_secret", r#""""#);
    let from: Result<Option<Sender>, _> = section.read("from", r#""""#);
    let whatsapp: Result<Option<Number>, _> = section.read("whatsapp_from", r#""""#);
    let content: Result<Option<Sid<'H', 'X'>>, _> = section.read("whatsapp_content", r#""""#);
    let voice: Result<Option<Number>, _> = section.read("voice_from", r#""""#);
    let callback: Result<Option<HttpUrl>, _> = section.read("status_callback", r#""""#);
    let base_url = section.read("base_url", r#""https://api.twilio.com""#);

    let (account, token, key, key_secret) = (account?, token?, key?, key_secret?);
    let (from, whatsapp, content, voice) = (from?, whatsapp?, content?, voice?);
    let (callback, BaseUrl(base_url)) = (callback?, base_url?);
    if wanted == Wanted::No {
        return Ok(None);
    }
    let Some(Sid(account_sid)) = account else {
        let help = "the console of Twilio shows it: \"AC\" and 32 digits".to_owned();
        return Err(section.refuse("account_sid", "is missing", Some(help)));
    };
    let (user, password) = match (&token, key, key_secret) {
        (Some(token), None, None) => (account_sid.clone(), token.clone()),
        (_, Some(Sid(key)), Some(secret)) => (key, secret),
        (None, None, None) => {
            let help = "`auth_token = { env = \"NAME\" }`, or `api_key` and `api_secret`";
            return Err(section.refuse("auth_token", "is missing", Some(help.to_owned())));
        }
        (_, _, _) => {
            let what = "`api_key` and `api_secret` belong together";
            return Err(section.refuse("api_key", what, None));
        }
    };
    Ok(Some(Spec {
        base_url,
        account_sid,
        user,
        password,
        sms: from,
        whatsapp: whatsapp.map(|Number(number)| number),
        whatsapp_content: content.map(|Sid(sid)| sid),
        voice: voice.map(|Number(number)| number),
        // Of what we cannot verify we do not ask to be told.
        status_callback: callback
            .map(|url| url.as_str().to_owned())
            .or_else(|| token.as_ref().and(home).map(str::to_owned)),
        signed_with: token,
    }))
}

fn is_sid(text: &str, kind: [char; 2]) -> bool {
    let digits = text
        .strip_prefix(kind[0])
        .and_then(|rest| rest.strip_prefix(kind[1]));
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl<const A: char, const B: char> Value for Sid<A, B> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let expected = format!("\"{A}{B}\" and 32 hexadecimal digits");
        let text = item.text(&expected)?;
        // What is no name may be a secret in the wrong place, so it is not repeated.
        is_sid(text, [A, B])
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| item.refuse(format!("expected {expected}"), None))
    }
}

impl Text for Number {
    const EXPECTED: &'static str = "a number with its country such as \"+15550001111\"";

    fn parse(text: &str) -> Option<Self> {
        let digits: String = text
            .strip_prefix('+')?
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '(' | ')'))
            .collect();
        let fits = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
        (fits && digits.bytes().all(|b| b.is_ascii_digit())).then(|| Self(format!("+{digits}")))
    }
}

impl Text for Sender {
    const EXPECTED: &'static str = "a number such as \"+15550001111\", a short code, a name of up to 11 letters and digits, \
         or a messaging service (\"MG\" and 32 hexadecimal digits)";

    fn parse(text: &str) -> Option<Self> {
        if is_sid(text, ['M', 'G']) {
            return Some(Self::Service(text.to_owned()));
        }
        if let Some(Number(number)) = Number::parse(text) {
            return Some(Self::From(number));
        }
        let is_short_code =
            (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        (is_short_code || is_name(text)).then(|| Self::From(text.to_owned()))
    }
}

/// Whether phones can show it in place of a number (3GPP TS 23.040 §9.1.2.5): 11 characters, and
/// a letter among them, or it would look like a number.
pub fn is_name(text: &str) -> bool {
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'&' | b'_' | b'-');
    (1..=11).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(in_name)
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}
