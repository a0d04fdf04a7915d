//! A program of the operator's that carries messages: told by a JSON request, signed as Standard Webhooks says; knows nothing of what it does with them.
//!
//! `webhook-id` is the same in every attempt to send one message, so that a receiver can tell a
//! second attempt from a second message.

mod key;
mod receipt;

use bytes::Bytes;
use http::{Request, header};
use serde::Deserialize;
use serde_json::json;

pub use self::key::{Seal, SigningKey};
use super::{
    Message,
    error::{Cause, Class, Error, ProviderCode},
    http::{Client, Reply},
    provider::Accepted,
};
use crate::{clock::Clock, secret::Secret};

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
            "challenge_id": message.challenge.to_string(),
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

    #[test]
    fn a_program_refuses_in_our_words() {
        assert_eq!(class("invalid_number"), Some(Class::InvalidNumber));
        assert_eq!(class("down"), Some(Class::Down));
        assert_eq!(class("DOWN"), None);
    }
}
