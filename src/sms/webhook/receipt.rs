//! What a program of the operator's tells of messages, in our words; knows nothing of how it proves who it is.

use serde::Deserialize;

use super::{Seal, SigningKey};
use crate::{
    clock::Timestamp,
    sms::receipt::{Outcome, Reason, Receipt, Refused, Told},
};

/// An event of Standard Webhooks.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

/// The message that it is about, by the names that its request had, and by the program's own if it
/// gave one.
#[derive(Deserialize)]
struct Data {
    challenge_id: String,
    message_id: String,
    reference: Option<String>,
    reason: Option<String>,
}

impl SigningKey {
    /// What a request tells that bears this seal.
    pub fn open(&self, seal: Seal<'_>, body: &[u8], now: Timestamp) -> Result<Receipt, Refused> {
        if !self.verify(seal, body, now) {
            return Err(Refused::Forged);
        }
        read(body).ok_or(Refused::Unreadable)
    }
}

/// What `body` tells; `None` when it is not written as it should be. A type that is not known tells
/// nothing that would be news, as Standard Webhooks wants it.
fn read(body: &[u8]) -> Option<Receipt> {
    let Event { kind, data } = serde_json::from_slice(body).ok()?;
    Some(Receipt {
        challenge: data.challenge_id.parse().ok()?,
        message: data.message_id.parse().ok()?,
        told: Told {
            outcome: match kind.as_str() {
                "sms.delivered" => Some(Outcome::Arrived),
                "sms.failed" => Some(Outcome::Lost),
                _ => None,
            },
            reference: data.reference,
            reason: data.reason.as_deref().and_then(Reason::words),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{domain::otp::ChallengeId, sms::MessageId};

    fn body(kind: &str) -> Vec<u8> {
        let data = json!({
            "challenge_id": ChallengeId::new([1; 16]).to_string(),
            "message_id": MessageId::new([2; 16]).to_string(),
            "reference": "a-1",
            "reason": "no such phone",
            "more": 1,
        });
        json!({ "type": kind, "data": data, "timestamp": "2026-11-22T10:00:00Z" })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_program_tells_by_the_names_it_was_given() {
        for (kind, outcome) in [
            ("sms.delivered", Some(Outcome::Arrived)),
            ("sms.failed", Some(Outcome::Lost)),
            ("sms.read", None),
        ] {
            let receipt = read(&body(kind)).unwrap();
            assert_eq!(receipt.challenge, ChallengeId::new([1; 16]));
            assert_eq!(receipt.message, MessageId::new([2; 16]));
            assert_eq!(receipt.told.outcome, outcome, "{kind}");
            assert_eq!(receipt.told.reference.as_deref(), Some("a-1"));
            assert_eq!(receipt.told.reason, Reason::words("no such phone"));
        }
    }

    #[test]
    fn what_names_no_message_is_unreadable() {
        let whole = String::from_utf8(body("sms.failed")).unwrap();
        for (from, to) in [
            ("\"type\"", "\"kind\""),
            ("\"data\"", "\"date\""),
            ("message_id", "id"),
            ("challenge_id", "id"),
            ("msg_", "SM"),
            ("0101", "01"),
        ] {
            let text = whole.replacen(from, to, 1);
            assert_ne!(text, whole);
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            drop(read(&body));
        }
    }
}
