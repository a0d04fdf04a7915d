//! A program of the operator's that carries messages: told by a JSON request, signed as Standard Webhooks says; knows nothing of what it does with them.
//!
//! `webhook-id` is the same in every attempt to send one message, so that a receiver can tell a
//! second attempt from a second message.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    Message,
    error::{Cause, Class, Error, ProviderCode},
    http::{Client, Reply},
    provider::Accepted,
};
use crate::{
    clock::{Clock, Timestamp},
    secret::Secret,
};

/// Where the program listens, and how it knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// All of the address; it may hold a token in its path or query, and is not shown.
    pub url: Secret,
    /// Its origin, which is.
    pub origin: String,
    /// What requests are signed with.
    pub key: SigningKey,
}

/// A key of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey(Secret);

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"whsec_\" and 24 to 64 bytes in base64")]
pub struct InvalidKey;

/// Tells the program.
#[derive(Debug)]
pub struct Webhook {
    spec: Spec,
    client: Client,
    clock: Clock,
}

/// What the program may say of a message that it took.
#[derive(Deserialize)]
struct Taken {
    reference: Option<String>,
}

/// What it may say of one that it did not take.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Characters of a reference that are kept.
const LONGEST_REFERENCE: usize = 128;

impl SigningKey {
    /// Reads a key as Standard Webhooks writes it.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix("whsec_").ok_or(InvalidKey)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| InvalidKey)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidKey);
        }
        Ok(Self(Secret::new(bytes)))
    }

    /// The signature of one request.
    fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{}.", at.as_secs()).as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

impl Webhook {
    /// Tells the program of `spec`; `clock` is what it judges the age of requests by.
    pub const fn new(spec: Spec, client: Client, clock: Clock) -> Self {
        Self {
            spec,
            client,
            clock,
        }
    }

    /// What is asked, for people to read.
    pub fn target(&self) -> String {
        format!("POST {}/…", self.spec.origin)
    }

    /// Hands `message` over.
    pub async fn send(&self, message: &Message) -> Result<Accepted, Error> {
        let reply = self.client.send(self.request(message)?).await?;
        read(&reply)
    }

    fn request(&self, message: &Message) -> Result<Request<Bytes>, Error> {
        let unsendable = || Error::new(Class::Misconfigured, Cause::Unsendable);
        let id = message.id.to_string();
        let body = json!({
            "message_id": id,
            "to": message.to.as_e164(),
            "channel": message.channel.as_str(),
            "locale": message.locale.as_str(),
            "text": message.text,
            "code": message.code.reveal(),
            "expires_in": message.valid_for.as_secs(),
        });
        let body = Bytes::from(body.to_string());
        let now = self.clock.now();
        let url = str::from_utf8(self.spec.url.expose()).map_err(|_| unsendable())?;
        Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header("webhook-signature", self.spec.key.sign(&id, now, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_secs())
            .body(body)
            .map_err(|_| unsendable())
    }
}

/// Any success is one, whatever it says. A refusal is what its word says, or else its status.
fn read(reply: &Reply) -> Result<Accepted, Error> {
    if reply.status.is_success() {
        let taken: Option<Taken> = serde_json::from_str(reply.text()).ok();
        let fits =
            |text: &String| text.len() <= LONGEST_REFERENCE && !text.contains(char::is_control);
        return Ok(Accepted {
            provider: "webhook",
            reference: taken.and_then(|taken| taken.reference).filter(fits),
            status: Some(reply.status),
        });
    }
    let Ok(Refused { error }) = serde_json::from_str(reply.text()) else {
        return Err(reply.refusal());
    };
    let class = class(&error)
        .unwrap_or_else(|| Class::of_status(reply.status, None))
        .after(reply.retry_after);
    Err(Error::new(class, reply.cause(ProviderCode::new(&error))))
}

/// The words in which a program says what can be done: ours.
fn class(word: &str) -> Option<Class> {
    [
        Class::InvalidNumber,
        Class::Blocked,
        Class::Throttled { retry_after: None },
        Class::Down,
        Class::Misconfigured,
        Class::Unknown,
    ]
    .into_iter()
    .find(|class| class.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the Standard Webhooks specification.
    #[test]
    fn a_request_is_signed_as_standard_webhooks_says() {
        let key = SigningKey::parse(KEY).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let at = Timestamp::from_secs(1_614_265_330);
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_key_is_told_from_other_texts_and_never_shown() {
        let key = SigningKey::parse(KEY).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(Secret(…))");
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAA",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert_eq!(SigningKey::parse(text), Err(InvalidKey), "{text}");
        }
    }

    #[test]
    fn a_program_refuses_in_our_words() {
        assert_eq!(class("invalid_number"), Some(Class::InvalidNumber));
        assert_eq!(class("down"), Some(Class::Down));
        assert_eq!(class("DOWN"), None);
    }
}
