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
        let leads_out = !canonical.escapes().are_none();
        let goes_round = spec.below(canonical.as_str()).is_some();
        (!leads_out && !goes_round).then(|| Self(wish.to_owned()))
    }
}

/// Longer ones are not worth the room in the page.
const MAX_LENGTH: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::tests::stage;

    fn to(wish: &str) -> String {
        ReturnTo::parse(Some(wish), &stage::spec())
            .as_str()
            .to_owned()
    }

    #[test]
    fn a_path_of_this_site_is_kept_as_it_is() {
        for wish in [
            "/",
            "/orders",
            "/orders/7?tab=a&b=%2F%2Fevil.example#x",
            "/a.b/~c/",
            "/search?q=https://evil.example/",
            "/api/authors",
            "/api/auth-demo",
            "/caf%C3%A9",
        ] {
            assert_eq!(to(wish), wish.split('#').next().unwrap());
        }
    }

    #[test]
    fn everything_else_leads_home() {
        let long = format!("/{}", "a".repeat(MAX_LENGTH));
        for wish in [
            "",
            "orders",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/%2fevil.example",
            "/%2F%2Fevil.example",
            "/%252fevil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "//",
            "/.//evil.example",
            "/..//evil.example",
            "/a/../../evil",
            "/%2e%2e//evil.example",
            "/\tevil",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            " /orders",
            "/orders ",
            "/\r\nSet-Cookie: a=b",
            "/%0d%0aSet-Cookie:%20a=b",
            "/a?b\r\nc",
            "/a?b\\c",
            "/\u{2f}\u{ff0f}evil.example",
            "/caf\u{e9}",
            "/a%00b",
            "/a%",
            "/api/auth",
            "/api/auth/login",
            "/api/auth/login?return_to=/",
            "/api/%61uth/login",
            "/api/v1/auth/logout",
            long.as_str(),
        ] {
            assert_eq!(to(wish), "/", "{wish:?}");
        }
        assert_eq!(ReturnTo::parse(None, &stage::spec()).as_str(), "/");
    }

    /// Where a browser would go: the WHATWG URL standard drops tabs and line ends anywhere, blanks
    /// and controls at both ends, and reads `\` as `/`; two slashes in front begin a host.
    fn stays_here(location: &str) -> bool {
        let dropped = |c: &char| !matches!(c, '\t' | '\n' | '\r');
        let text: String = location.chars().filter(dropped).collect();
        let text = text.trim_matches(|c: char| c <= ' ').replace('\\', "/");
        text.starts_with('/') && !text.starts_with("//")
    }

    proptest! {
        #[test]
        fn no_wish_leads_a_browser_elsewhere(
            wish in "[/\\\\%.:@?#\\t\\n\\r a-f0-9-]{0,24}|\\PC{0,40}|[/\\\\]{1,4}[a-z.]{1,12}",
        ) {
            let target = ReturnTo::parse(Some(&wish), &stage::spec());
            prop_assert!(stays_here(target.as_str()), "{target:?}");
            let header = target.to_header();
            prop_assert_eq!(header.as_bytes(), target.as_str().as_bytes());
            let path = target.as_str().split('?').next().unwrap();
            prop_assert!(stage::spec().below(path).is_none());
        }
    }
}
