//! The room as a whole: what is issued is verified, and nothing else is.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    secret::{Master, Pseudonyms, Secret},
};

mod hostile;
mod issued;
mod refused;

/// Tokens with keys of one algorithm, and the keys, for those who want to forge.
struct Room {
    tokens: Tokens,
    keys: Arc<ArcSwap<Keyring>>,
}

impl Room {
    fn new(algorithm: Algorithm) -> Self {
        Self::with(Keyring::ephemeral(algorithm).expect("a key"))
    }

    fn with(ring: Keyring) -> Self {
        let keys = Arc::new(ArcSwap::from_pointee(ring));
        let masters = masters(&[7]);
        Self {
            tokens: Tokens::new(spec(), &masters, Arc::clone(&keys)),
            keys,
        }
    }

    /// The key that signs access tokens.
    fn key(&self) -> Key {
        self.keys.load().signing().expect("a signing key").clone()
    }

    fn access(&self) -> String {
        self.tokens
            .issue_access(&grant(), [1; 16], at(0))
            .expect("signed")
    }

    fn refresh(&self) -> String {
        self.tokens
            .issue_refresh(&grant(), 4, at(0), at(1000))
            .expect("signed")
    }

    /// The verdict on a token that the right key has signed over this header and these claims.
    fn judge(&self, header: &Value, claims: &Value, now: Timestamp) -> Result<Access, Refusal> {
        let token = signed(&self.key(), &header.to_string(), &claims.to_string());
        self.tokens.verify_access(&token, now)
    }
}

fn spec() -> Spec {
    Spec {
        issuer: "https://login.example".to_owned(),
        audience: "app".to_owned(),
        access_ttl: Duration::from_mins(15),
        leeway: Duration::from_secs(30),
        extra_claims: Map::new(),
    }
}

fn master(byte: u8) -> Master {
    Master::new(&Secret::new([byte; 32])).expect("long enough")
}

/// The first one is the current one.
fn masters(bytes: &[u8]) -> Masters {
    let (current, others) = bytes.split_first().expect("one");
    let others = others.iter().copied().map(master).collect();
    let pseudonyms = Pseudonyms::new(&Secret::new([1; 32])).expect("long enough");
    Masters::new(master(*current), others, pseudonyms)
}

fn grant() -> Grant {
    Grant {
        subject: "subject".to_owned(),
        session: SessionId::new([3; 16]),
        phone: "+15550001111".to_owned(),
        auth_time: at(0),
        amr: vec!["otp".to_owned(), "sms".to_owned()],
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

/// The header of a good access token.
fn header(key: &Key) -> Value {
    json!({ "alg": key.algorithm().as_str(), "typ": "at+jwt", "kid": key.kid() })
}

/// The claims of a token that is good from `at(0)` to `at(900)`, with no more than it needs.
fn claims() -> Value {
    json!({
        "iss": "https://login.example",
        "aud": "app",
        "sub": "subject",
        "sid": "03030303030303030303030303030303",
        "exp": 1_000_900,
    })
}

fn signed(key: &Key, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = key.sign(&message).expect("signed");
    format!("{message}.{signature}")
}

/// One of the first two parts of a token.
fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}
