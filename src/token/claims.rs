//! What tokens say: the grants behind them, and the JSON objects they are made of. Knows nothing of signatures.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{clock::Timestamp, domain::session::SessionId, token::Refusal};

/// A login, as all its tokens tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who logged in (`sub`).
    pub subject: String,
    /// The session that the login opened (`sid`).
    pub session: SessionId,
    /// The phone number, in E.164 (`phone_number`).
    pub phone: String,
    /// When the code was answered (`auth_time`).
    pub auth_time: Timestamp,
    /// How (`amr`, RFC 8176).
    pub amr: Vec<String>,
}

/// A verified access token.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Who it was issued to (`sub`).
    pub subject: String,
    /// The session it belongs to (`sid`).
    pub session: SessionId,
    /// The phone number, in E.164 (`phone_number`).
    pub phone: Option<String>,
    /// When its owner last answered a code (`auth_time`).
    pub auth_time: Option<Timestamp>,
    /// Its `exp`; the leeway comes on top.
    pub expires_at: Timestamp,
    /// All its claims, these ones too.
    pub claims: Map<String, Value>,
}

/// A verified refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The login it continues.
    pub grant: Grant,
    /// Which of the session's refresh tokens it is (`gen`).
    pub generation: u32,
    /// Its `iat`.
    pub issued_at: Timestamp,
    /// Its `exp`; the leeway comes on top.
    pub expires_at: Timestamp,
}

/// The members of a JSON object. None of them occurs twice, so that no two readers can disagree on
/// what it says (RFC 8725 §2.4, RFC 7519 §4).
#[derive(Debug, Clone, PartialEq)]
pub struct Members(Map<String, Value>);

impl Members {
    /// From one part of a token: canonical base64url without padding, of a JSON object.
    pub fn decode(part: &str) -> Result<Self, Refusal> {
        let json = URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| Refusal::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)
    }

    /// Whatever is called `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text called `name`, when it is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The `NumericDate` called `name`, when it is one in whole seconds, as we write them.
    pub fn date(&self, name: &str) -> Option<Timestamp> {
        self.0.get(name)?.as_u64().map(Timestamp::from_secs)
    }

    /// All of them.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = source.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(members)
    }
}
