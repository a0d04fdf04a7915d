//! Whether a request comes from a page of this very site; knows nothing of sessions or of what the request wants.
//!
//! A browser attaches cookies to what other sites make it send. So whoever acts on a cookie first
//! asks here. `SameSite` alone is not enough: a sibling subdomain is the same site.

use http::{HeaderMap, HeaderName, Uri, header};

use crate::net::peer::Scheme;

/// What of a request tells where it was made and whom it was sent to.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The request target, which names the host in HTTP/2.
    pub uri: &'a Uri,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// How the client reached us.
    pub scheme: Scheme,
}

/// The request was, or may have been, made by a page of another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request came from another site")]
pub struct CrossOrigin;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Sent<'_> {
    /// Accepts what a page of this origin, or the user without any page, sent.
    ///
    /// `Sec-Fetch-Site` decides where the browser sends it: no script can set it. Older browsers,
    /// and all of them in the clear, are judged by `Origin`, which must name the scheme and the host
    /// this request was sent to, or `public_url`, when the gateway has one. A request that
    /// has neither header is refused: whoever holds a token by other means needs no cookie.
    pub fn check(&self, public_url: Option<&str>) -> Result<(), CrossOrigin> {
        if self.headers.contains_key(SEC_FETCH_SITE) {
            return match self.only(&SEC_FETCH_SITE) {
                Some("same-origin" | "none") => Ok(()),
                Some(_) | None => Err(CrossOrigin),
            };
        }
        let origin = self.origin().ok_or(CrossOrigin)?;
        let ours = |url: &str| same_origin(origin, url);
        let here = self.own().is_some_and(|url| ours(&url));
        if here || public_url.is_some_and(ours) {
            Ok(())
        } else {
            Err(CrossOrigin)
        }
    }

    /// The origin that a browser says the request was made by, if it says one.
    pub fn origin(&self) -> Option<&str> {
        self.only(&header::ORIGIN)
    }

    /// The origin this request was sent to, such as `https://example.com`: `None` when it names
    /// no host, or several.
    pub fn own(&self) -> Option<String> {
        let host = match self.uri.authority() {
            Some(authority) => authority.as_str(),
            None => self.only(&header::HOST)?,
        };
        Some(format!("{}://{host}", self.scheme.as_str()))
    }

    /// The header's value when it stands there once and is text.
    fn only(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        value.to_str().ok()
    }
}

/// RFC 6454 §5: equal scheme, host and port; a port that the scheme implies may be left out.
fn same_origin(a: &str, b: &str) -> bool {
    match (triple(a), triple(b)) {
        (Some(a), Some(b)) => a == b,
        (None, _) | (_, None) => false,
    }
}

fn triple(url: &str) -> Option<(Scheme, String, u16)> {
    let (scheme, default_port, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (Scheme::Https, 443, rest)
    } else {
        (Scheme::Http, 80, url.strip_prefix("http://")?)
    };
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand inside its brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        Some(_) | None => (authority, default_port),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    (!host.is_empty() && host.bytes().all(plain)).then(|| (scheme, host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn check(scheme: Scheme, headers: &[(&str, &str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().expect("a name"),
                    HeaderValue::from_str(value).expect("a value"),
                )
            })
            .collect();
        Sent {
            uri: &Uri::from_static("/x"),
            headers: &headers,
            scheme,
        }
        .check(Some("https://id.example.com/"))
        .is_ok()
    }

    #[test]
    fn what_the_browser_says_of_the_site_decides() {
        for (site, passes) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("SAME-ORIGIN", false),
            ("", false),
        ] {
            let headers = [("host", "a.example"), ("sec-fetch-site", site)];
            assert_eq!(check(Scheme::Https, &headers), passes, "{site}");
        }
        // A fitting Origin does not heal it.
        assert!(!check(
            Scheme::Https,
            &[
                ("host", "a.example"),
                ("origin", "https://a.example"),
                ("sec-fetch-site", "cross-site"),
            ]
        ));
    }

    #[test]
    fn otherwise_the_origin_must_be_the_host_that_was_asked() {
        for (origin, passes) in [
            ("https://a.example", true),
            ("https://A.example", true),
            ("https://a.example:443", true),
            ("https://id.example.com", true),
            ("http://a.example", false),
            ("https://a.example:8443", false),
            ("https://a.example.evil.example", false),
            ("https://evil.example", false),
            ("https://b.a.example", false),
            ("https://user@a.example", false),
            ("null", false),
            ("", false),
            ("https://", false),
            ("a.example", false),
        ] {
            let headers = [("host", "a.example"), ("origin", origin)];
            assert_eq!(check(Scheme::Https, &headers), passes, "{origin}");
        }
    }

    #[test]
    fn ports_and_addresses_are_compared_too() {
        let at = |host, origin| check(Scheme::Http, &[("host", host), ("origin", origin)]);
        assert!(at("127.0.0.1:8080", "http://127.0.0.1:8080"));
        assert!(!at("127.0.0.1:8080", "http://127.0.0.1:9090"));
        assert!(at("[::1]:8080", "http://[::1]:8080"));
        assert!(at("[::1]", "http://[::1]:80"));
        assert!(!at("[::1]", "http://[::2]"));
    }

    #[test]
    fn who_says_nothing_or_says_it_twice_is_refused() {
        assert!(!check(Scheme::Https, &[("host", "a.example")]));
        assert!(!check(Scheme::Https, &[("origin", "https://a.example")]));
        for twice in ["origin", "host"] {
            let mut headers = vec![("host", "a.example"), ("origin", "https://a.example")];
            let again = headers.iter().find(|(name, _)| *name == twice);
            headers.push(*again.expect("listed above"));
            assert!(!check(Scheme::Https, &headers), "{twice}");
        }
        let sites = [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert!(!check(Scheme::Https, &sites));
    }

    #[test]
    fn in_http2_the_authority_is_the_host() {
        let headers = HeaderMap::from_iter([(
            header::ORIGIN,
            HeaderValue::from_static("https://a.example"),
        )]);
        let sent = |uri: &'static str| {
            let uri = Uri::from_static(uri);
            Sent {
                uri: &uri,
                headers: &headers,
                scheme: Scheme::Https,
            }
            .check(None)
        };
        assert_eq!(sent("https://a.example/x"), Ok(()));
        assert_eq!(sent("https://b.example/x"), Err(CrossOrigin));
    }

    proptest! {
        #[test]
        fn no_other_host_ever_passes(host in "[a-z]{1,8}\\.example", origin in "[ -~]{0,30}") {
            let passes = check(Scheme::Https, &[("host", &host), ("origin", &origin)]);
            let own = [format!("https://{host}"), "https://id.example.com".to_owned()];
            let allowed = own.iter().any(|url| {
                let lower = origin.to_ascii_lowercase();
                lower.strip_prefix(url.as_str()).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('/') || rest.starts_with(":443")
                })
            });
            prop_assert!(allowed || !passes, "{origin}");
        }
    }
}
