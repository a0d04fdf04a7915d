//! Signatures of Standard Webhooks, of what we tell a program and of what it tells us; knows nothing of what is told.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{clock::Timestamp, secret::Secret};

/// A key of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey(Secret);

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"whsec_\" and 24 to 64 bytes in base64")]
pub struct InvalidKey;

/// What the headers of a request say of its signature.
#[derive(Debug, Clone, Copy)]
pub struct Seal<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`: several, while keys are being replaced.
    pub signatures: &'a str,
}

/// How far its clock and ours may differ, and how long a request may take to us.
const TOLERANCE: Duration = Duration::from_mins(5);

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

    /// The signature of a request that is sent at this moment.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let signature = hmac::sign(&key, &signed(id, &at.as_secs().to_string(), body));
        format!("v1,{}", BASE64_STANDARD.encode(signature))
    }

    /// Whether `body` comes from who has the key, and not from long ago.
    pub fn verify(&self, seal: Seal<'_>, body: &[u8], now: Timestamp) -> bool {
        let Ok(at) = seal.timestamp.parse().map(Timestamp::from_secs) else {
            return false;
        };
        let apart = now.since(at).max(at.since(now));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let signed = signed(seal.id, seal.timestamp, body);
        let is_right = |signature: &str| {
            let encoded = signature.strip_prefix("v1,");
            let signature = encoded.and_then(|text| BASE64_STANDARD.decode(text).ok());
            signature.is_some_and(|signature| hmac::verify(&key, &signed, &signature).is_ok())
        };
        apart <= TOLERANCE && seal.signatures.split(' ').any(is_right)
    }
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the Standard Webhooks specification.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key() -> SigningKey {
        SigningKey::parse(KEY).unwrap()
    }

    fn verify(timestamp: &str, signatures: &str, now: u64) -> bool {
        let seal = Seal {
            id: ID,
            timestamp,
            signatures,
        };
        key().verify(seal, BODY, Timestamp::from_secs(now))
    }

    #[test]
    fn a_request_is_signed_as_standard_webhooks_says() {
        let signature = key().sign(ID, Timestamp::from_secs(AT), BODY);
        assert_eq!(signature, SIGNATURE);
    }

    #[test]
    fn one_right_signature_among_several_is_enough() {
        let at = AT.to_string();
        for signatures in [
            SIGNATURE.to_owned(),
            format!("v1,AAAA v1a,BBBB {SIGNATURE}"),
            format!("{SIGNATURE} v1,AAAA"),
        ] {
            assert!(verify(&at, &signatures, AT), "{signatures}");
        }
        for signatures in [
            "",
            "v1,",
            &SIGNATURE[3..],
            &SIGNATURE.replace("v1,", "v2,"),
            &SIGNATURE.replace("v1,", "V1,"),
            &SIGNATURE[..SIGNATURE.len() - 4],
        ] {
            assert!(!verify(&at, signatures, AT), "{signatures}");
        }
    }

    #[test]
    fn what_is_older_than_five_minutes_or_from_as_far_ahead_is_refused() {
        let at = AT.to_string();
        for (now, expected) in [
            (AT - 301, false),
            (AT - 300, true),
            (AT + 300, true),
            (AT + 301, false),
        ] {
            assert_eq!(verify(&at, SIGNATURE, now), expected, "{now}");
        }
        for odd in ["", "-1", "now", "99999999999999999999"] {
            assert!(!verify(odd, SIGNATURE, AT), "{odd}");
        }
    }

    #[test]
    fn a_key_is_told_from_other_texts_and_never_shown() {
        assert_eq!(format!("{:?}", key()), "SigningKey(Secret(…))");
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

    proptest! {
        #[test]
        fn only_the_very_request_that_was_signed_is_verified(
            id in "[a-z_.]{0,9}", body: Vec<u8>, other_id in "[a-z_.]{0,9}", other_body: Vec<u8>,
        ) {
            let at = Timestamp::from_secs(AT);
            let signatures = key().sign(&id, at, &body);
            let timestamp = AT.to_string();
            let verify = |id: &str, body: &[u8]| {
                key().verify(Seal { id, timestamp: &timestamp, signatures: &signatures }, body, at)
            };
            prop_assert!(verify(&id, &body));
            prop_assert_eq!(verify(&other_id, &body), other_id == id);
            prop_assert_eq!(verify(&id, &other_body), other_body == body);
        }
    }
}
