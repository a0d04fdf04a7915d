//! The compact form of a token (RFC 7515 §7.1): three parts, and what the first one must say. Knows nothing of claims.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::token::{Key, Refusal, claims::Members};

/// The longest token that is looked at. Ours have about 600 bytes; headers of many servers end at 8 KiB.
pub const MAX_BYTES: usize = 8 * 1024;

/// What a token is for, said by its `typ` header (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An access token (RFC 9068 §2.1).
    Access,
    /// A refresh token.
    Refresh,
}

/// A token of the right type, taken apart but not yet believed.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: Members,
    /// What is signed: header and payload, with the dot between them.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What the first part says.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }

    /// Media types are compared without case, and `application/` may be left out (RFC 7515 §4.1.9).
    fn is_said_by(self, typ: &str) -> bool {
        let short = match typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            Some(_) | None => typ,
        };
        short.eq_ignore_ascii_case(self.as_str())
    }
}

impl<'a> Unverified<'a> {
    /// Takes a token apart. Keys that the header brings along (`jwk`, `jku`, `x5c`, `x5u`) are not
    /// looked at, and a token with critical extensions is refused, since we know none
    /// (RFC 7515 §4.1.11).
    pub fn parse(token: &'a str, expected: Type) -> Result<Self, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header = Members::decode(header)?;
        if header.get("crit").is_some() {
            return Err(Refusal::Malformed);
        }
        if !header
            .text("typ")
            .is_some_and(|typ| expected.is_said_by(typ))
        {
            return Err(Refusal::WrongType);
        }
        Ok(Self {
            header,
            message,
            payload,
            signature,
        })
    }

    /// The key it claims to be signed with.
    pub fn kid(&self) -> Result<&str, Refusal> {
        self.header.text("kid").ok_or(Refusal::UnknownKey)
    }

    /// Its claims, if `key` signed it with the key's own algorithm.
    pub fn open(&self, key: &Key) -> Result<Members, Refusal> {
        if self.header.text("alg") != Some(key.algorithm().as_str()) {
            return Err(Refusal::WrongAlgorithm);
        }
        if !key.verify(self.message, self.signature) {
            return Err(Refusal::BadSignature);
        }
        Members::decode(self.payload)
    }
}

/// A token of that type with these claims; `None` when the key cannot sign.
pub fn seal(kind: Type, claims: &impl Serialize, key: &Key) -> Option<String> {
    let header = Header {
        alg: key.algorithm().as_str(),
        kid: key.kid(),
        typ: kind.as_str(),
    };
    let encode = |json| URL_SAFE_NO_PAD.encode::<Vec<u8>>(json);
    let header = encode(serde_json::to_vec(&header).ok()?);
    let payload = encode(serde_json::to_vec(claims).ok()?);
    let message = format!("{header}.{payload}");
    let signature = key.sign(&message)?;
    Some(format!("{message}.{signature}"))
}
