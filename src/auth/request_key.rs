//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the name by which a caller asks for the same thing again; what becomes of a repetition, it does not know.

use std::{fmt, str::FromStr};

use http::{HeaderName, HeaderValue};

use crate::{
    auth::{
        call::Call,
        chance::{self, NoChance},
    },
    reject::{Code, Reject},
};

/// A name that a caller has given to a request: 1 to [`RequestKey::LONGEST`] visible letters.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestKey(String);

/// The text is no name of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a string of 1 to 128 visible letters, in quotes or without")]
pub struct InvalidKey;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl RequestKey {
    /// In letters.
    pub const LONGEST: usize = 128;

    /// One that nobody else has.
    pub fn fresh() -> Result<Self, NoChance> {
        let bits = u128::from_be_bytes(chance::bytes()?);
        Ok(Self(format!("{bits:032x}")))
    }

    /// The one that `call` bears, if it bears any.
    pub fn of(call: &Call) -> Result<Option<Self>, Reject> {
        let mut values = call.head.headers.get_all(IDEMPOTENCY_KEY).iter();
        let read = |value: &HeaderValue| value.to_str().map_err(|_| InvalidKey)?.trim().parse();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(read(value)?)),
            (Some(_), Some(_)) => Err(InvalidKey.into()),
        }
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A string of structured fields (RFC 9651 §3.3.3) without parameters, or its bare letters: quotes are
/// what most clients leave out.
impl FromStr for RequestKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let key = match text.strip_prefix('"') {
            Some(rest) => unquoted(rest).ok_or(InvalidKey)?,
            None => text.to_owned(),
        };
        let fits = (1..=Self::LONGEST).contains(&key.len());
        if fits && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(key))
        } else {
            Err(InvalidKey)
        }
    }
}

/// What stands before the closing quote, which must be the end.
fn unquoted(text: &str) -> Option<String> {
    let mut key = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(key),
            '\\' => key.push(rest.next().filter(|next| matches!(next, '"' | '\\'))?),
            plain => key.push(plain),
        }
    }
}

impl From<InvalidKey> for Reject {
    fn from(error: InvalidKey) -> Self {
        Self::new(
            Code::InvalidIdempotencyKey,
            format!("Idempotency-Key {error}."),
        )
    }
}

/// Whoever knows one learns what its request was answered with.
impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        let key: Option<RequestKey> = text.parse().ok();
        key.map(|key| key.as_str().to_owned())
    }

    #[test]
    fn quotes_may_be_left_out() {
        let name = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(read(name).as_deref(), Some(name));
        assert_eq!(read(&format!("\"{name}\"")).as_deref(), Some(name));
        assert_eq!(read(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(read("it's/my:key;v=1").as_deref(), Some("it's/my:key;v=1"));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_no_name() {
        for text in [
            "",
            "\"",
            "\"\"",
            "\"a",
            "\"a\"b",
            "\"a\";p=1",
            "\"a\", \"b\"",
            "\"a\\n\"",
            "\"a\\",
            "a b",
            "\"a b\"",
            "grün",
            "\"grün\"",
            "a\tb",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn no_two_fresh_ones_are_alike_and_none_is_shown() {
        let [one, other] = [RequestKey::fresh().unwrap(), RequestKey::fresh().unwrap()];
        assert!(one != other);
        assert_eq!(one.as_str().len(), 32);
        assert_eq!(format!("{one:?}"), "RequestKey(…)");
    }

    proptest! {
        #[test]
        fn every_visible_name_is_read_in_quotes(name in "[!-~]{1,128}") {
            let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(read(&quoted), Some(name.clone()));
            let bare = (!name.starts_with('"')).then_some(name.clone());
            prop_assert!(bare.is_none() || read(&name) == bare);
        }

        #[test]
        fn a_name_has_an_end(length in 120_usize..140) {
            prop_assert_eq!(read(&"x".repeat(length)).is_some(), length <= 128);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            drop(read(&text));
        }
    }
}
