//! What the configuration says of a Redis store; connects to nothing.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use super::{
    link::Roots,
    url::{self, Url},
};

/// Which servers, and how keys are named there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where the servers are and how one is let in.
    pub url: Url,
    /// Who may vouch for them over TLS; `None` is whom the system trusts.
    pub ca: Option<Roots>,
    /// What every key begins with.
    pub prefix: Prefix,
    /// How far clocks may differ before the operators are told.
    pub leeway: Duration,
}

/// What every key begins with, so that several programs can share a server. Holds no braces:
/// those make the hash tag, which must be the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

/// The text cannot begin a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at most 64 letters, digits and : . - _")]
pub struct InvalidPrefix;

impl Prefix {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("otp:".into())
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'-' | b'_');
        if text.len() <= 64 && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPrefix)
        }
    }
}

/// A URL alone, with the usual prefix.
impl FromStr for Spec {
    type Err = url::Invalid;

    fn from_str(text: &str) -> Result<Self, url::Invalid> {
        Ok(Self {
            url: text.parse()?,
            ca: None,
            prefix: Prefix::default(),
            leeway: Duration::from_secs(30),
        })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_leaves_the_hash_tag_to_be_the_first() {
        for text in ["otp:", "", "shop.eu-1_a:", &"x".repeat(64)] {
            assert_eq!(text.parse::<Prefix>().unwrap().as_str(), text);
        }
        for text in ["{a}", "a b", "é", "a*", &"x".repeat(65)] {
            assert_eq!(text.parse::<Prefix>(), Err(InvalidPrefix), "{text}");
        }
    }
}
