//! The headers by which others learn who is calling: an app from a request, a proxy from an answer. Knows nothing of how that was found out.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// How the identity headers are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Carries `sub`.
    pub subject: HeaderName,
    /// Carries `phone_number`.
    pub phone: HeaderName,
    /// Carries `sid`.
    pub session: HeaderName,
    /// Further claims and the headers that carry them: a text as it is, anything else as JSON.
    pub claims: Vec<(String, HeaderName)>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            subject: HeaderName::from_static("x-auth-subject"),
            phone: HeaderName::from_static("x-auth-phone"),
            session: HeaderName::from_static("x-auth-session"),
            claims: Vec::new(),
        }
    }
}

impl Names {
    /// Every name.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [&self.subject, &self.phone, &self.session]
            .into_iter()
            .chain(self.claims.iter().map(|(_, name)| name))
            .map(HeaderName::as_str)
    }

    /// The headers of further claims. A value that no header can carry stays away rather than arrive changed.
    pub fn further<'a>(
        &'a self,
        claims: &'a Map<String, Value>,
    ) -> impl Iterator<Item = (&'a HeaderName, HeaderValue)> {
        self.claims.iter().filter_map(|(claim, name)| {
            let value = claims.get(claim)?;
            let value = match value.as_str() {
                Some(text) => header_value(text),
                None => header_value(&value.to_string()),
            };
            Some((name, value?))
        })
    }
}

/// `text` as a header's value, if it arrives at every app as what it is: visible ASCII and blanks
/// inside. What lies beyond ASCII is read in one encoding here and in another there, and blanks at
/// the ends are no part of a value (RFC 9110 §5.5).
pub fn header_value(text: &str) -> Option<HeaderValue> {
    let is_plain = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let keeps_its_ends = text.trim_ascii().len() == text.len();
    (is_plain && keeps_its_ends)
        .then(|| HeaderValue::from_str(text).ok())
        .flatten()
}
