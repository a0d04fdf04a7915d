//! Where a browser goes after the login: a path of this very site, whatever it was asked for; knows nothing of routes.

use http::HeaderValue;

use crate::{auth::spec::Spec, domain::target::CanonicalPath};

/// A path, perhaps with a query, that no browser reads as another site's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The wished-for place, or `/` when it is anything but an unambiguous path of this site
    /// outside the auth endpoints: one that led back to the login would go round in a circle.
    pub fn parse(wish: Option<&str>, spec: &Spec) -> Self {
        wish.and_then(|wish| Self::own_path(wish, spec))
            .unwrap_or_else(|| Self("/".to_owned()))
    }

    /// As it was given, free of everything that would need escaping in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For `Location`.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("/"))
    }

    /// Browsers drop tabs and line ends from an address and read `\` as `/` before they look for a
    /// host, which is how `/\t/evil` and `/\evil` leave a site. So nothing but printable ASCII
    /// without backslashes is taken, in the path and behind it, and the path must be canonical.
    fn own_path(wish: &str, spec: &Spec) -> Option<Self> {
        let wish = wish.split('#').next()?;
        let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
        if wish.len() > MAX_LENGTH || !wish.bytes().all(plain) {
            return None;
        }
        let (path, _query) = wish.split_once('?').unwrap_or((wish, ""));
        let canonical = CanonicalPath::parse(path).ok()?;
        let leads_out = canonical.has_encoded_separator();
        let goes_round = spec.below(canonical.as_str()).is_some();
        (!leads_out && !goes_round).then(|| Self(wish.to_owned()))
    }
}

/// Longer ones are not worth the room in the page.
const MAX_LENGTH: usize = 2048;
