//! Whose pages may ask from another origin, and for what (Fetch §3.3); knows nothing of requests but their origin.

use std::{fmt, time::Duration};

use http::{HeaderName, Method};

/// The rules of one route for pages of other origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages.
    pub origins: Origins,
    /// Methods they may use; empty is every one that leads here.
    pub methods: Vec<Method>,
    /// Request headers they may set.
    pub headers: Vec<HeaderName>,
    /// Response headers they may read besides those that everybody may.
    pub expose: Vec<HeaderName>,
    /// What becomes of cookies.
    pub cookies: Cookies,
    /// How long a browser remembers what it was told in advance.
    pub max_age: Duration,
}

/// Whose pages may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's. Never with cookies: any page could then do what its visitor can.
    Any,
    /// Those of one of these; never empty.
    These(Vec<OriginPattern>),
}

/// One origin, or all hosts below one, in the spelling of browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPattern {
    /// This one: `https://app.example.com:8443`.
    Exact(String),
    /// Every host below a parent, by the same scheme and at the same port.
    Below {
        /// `https://`.
        scheme: &'static str,
        /// `.example.com`, or `.example.com:8443`.
        parent: String,
    },
}

/// What becomes of cookies that a browser has for us when another origin's page asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// The browser keeps them, or keeps the answer from the page.
    Kept,
    /// They count, as on pages of our own.
    Count,
}

/// Text that is no origin as browsers write them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// Not at all.
    #[error("is no origin such as \"https://app.example.com\" or \"https://*.example.com\"")]
    Unknown,
    /// Sandboxed frames and files of anybody send it.
    #[error("\"null\" is the origin of nobody in particular, so anybody could claim it")]
    Null,
    /// The same origin is spelt otherwise by browsers.
    #[error("no browser writes it like that")]
    Spelling(String),
}

impl Cors {
    /// Whether pages of `origin` may ask.
    pub fn admits(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::These(patterns) => patterns.iter().any(|pattern| pattern.matches(origin)),
        }
    }

    /// Whether a page of `origin` may act by its visitor's cookies.
    pub fn trusts(&self, origin: &str) -> bool {
        match self.cookies {
            Cookies::Kept => false,
            Cookies::Count => self.origins != Origins::Any && self.admits(origin),
        }
    }
}

impl OriginPattern {
    /// Reads an origin as a browser would send it, or one with `*.` in front of its host.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Err(InvalidOrigin::Null);
        }
        let lower = text.to_ascii_lowercase();
        let (scheme, rest, implied) = scheme_of(&lower).ok_or(InvalidOrigin::Unknown)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let rest = rest.strip_suffix(implied).unwrap_or(rest);
        let (host, port) = split_port(rest).ok_or(InvalidOrigin::Unknown)?;
        let below = host.strip_prefix("*.");
        if !below.map_or_else(|| is_host(host), is_name) {
            return Err(InvalidOrigin::Unknown);
        }
        let spelt = format!("{scheme}{rest}");
        if spelt != text {
            return Err(InvalidOrigin::Spelling(spelt));
        }
        Ok(match below {
            Some(parent) => Self::Below {
                scheme,
                parent: format!(".{parent}{port}"),
            },
            None => Self::Exact(spelt),
        })
    }

    /// Whether a browser's `Origin` is meant. Browsers have one spelling for each, so bytes are compared.
    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(own) => own == origin,
            Self::Below { scheme, parent } => {
                let host = origin.strip_prefix(scheme);
                let labels = host.and_then(|host| host.strip_suffix(parent.as_str()));
                labels.is_some_and(is_name)
            }
        }
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("every origin"),
            Self::These(patterns) => {
                let shown: Vec<_> = patterns.iter().map(ToString::to_string).collect();
                f.write_str(&shown.join(" or "))
            }
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(origin) => f.write_str(origin),
            Self::Below { scheme, parent } => write!(f, "{scheme}*{parent}"),
        }
    }
}

/// The scheme, what follows it, and the port that it implies.
fn scheme_of(text: &str) -> Option<(&'static str, &str, &'static str)> {
    [("https://", ":443"), ("http://", ":80")]
        .into_iter()
        .find_map(|(scheme, port)| Some((scheme, text.strip_prefix(scheme)?, port)))
}

/// The host, and its port with the colon before it.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let end = match text.rfind(':') {
        // The colons of an IPv6 address stand inside its brackets.
        Some(at) if !text.ends_with(']') => at,
        Some(_) | None => text.len(),
    };
    let (host, port) = text.split_at_checked(end)?;
    let digits = port.strip_prefix(':').unwrap_or("1");
    let is_port = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    (is_port && digits.parse::<u16>().is_ok()).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
    match literal {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    }
}

/// Whether it is made of labels with dots between them.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
    name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn admits(patterns: &[&str], origin: &str) -> bool {
        let patterns = patterns
            .iter()
            .map(|text| OriginPattern::parse(text).expect(text));
        Cors {
            origins: Origins::These(patterns.collect()),
            methods: Vec::new(),
            headers: Vec::new(),
            expose: Vec::new(),
            cookies: Cookies::Kept,
            max_age: Duration::ZERO,
        }
        .admits(origin)
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_to_the_letter() {
        let own = &["https://app.example.com", "http://localhost:3000"];
        assert!(admits(own, "https://app.example.com"));
        assert!(admits(own, "http://localhost:3000"));
        for other in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com:443",
            "https://app.example.com.evil.example",
            "https://evilapp.example.com",
            "https://app.example.com/",
            "https://app.example.com@evil.example",
            "https://APP.example.com",
            "http://localhost",
            "http://localhost:30000",
            "https://app.example.com https://evil.example",
        ] {
            assert!(!admits(own, other), "{other}");
        }
    }

    #[test]
    fn a_star_stands_for_whole_labels_and_nothing_else() {
        let own = &["https://*.example.com", "http://*.test:8080"];
        for inside in [
            "https://a.example.com",
            "https://a.b.example.com",
            "http://x.test:8080",
        ] {
            assert!(admits(own, inside), "{inside}");
        }
        for outside in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "https://evilexample.com",
            "https://a.example.com.evil.example",
            "https://a.example.com:8443",
            "http://a.example.com",
            "https://evil.example/.example.com",
            "https://evil.example:1.example.com",
            "https://evil.example?.example.com",
            "https://x@a.example.com",
            "http://x.test",
        ] {
            assert!(!admits(own, outside), "{outside}");
        }
    }

    #[test]
    fn who_writes_an_origin_as_no_browser_does_is_told_how() {
        for (text, spelt) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("https://app.example.com/", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("http://a:80", "http://a"),
            ("https://*.Example.com:443/", "https://*.example.com"),
        ] {
            let spelt = InvalidOrigin::Spelling(spelt.to_owned());
            assert_eq!(OriginPattern::parse(text), Err(spelt), "{text}");
        }
        assert_eq!(OriginPattern::parse("null"), Err(InvalidOrigin::Null));
        for text in [
            "",
            "app.example.com",
            "ftp://a",
            "https://",
            "https://*",
            "https://*.",
            "https://a.*.com",
            "https://a/b",
            "https://a:",
            "https://a:0",
            "https://a:99999",
            "https://a:1:2",
            "https://user@a",
            "https://[::1",
            "https://*.[::1]",
            "file://",
        ] {
            assert_eq!(
                OriginPattern::parse(text),
                Err(InvalidOrigin::Unknown),
                "{text}"
            );
        }
    }

    proptest! {
        /// Whatever is accepted as a subdomain's is one, as a reader of URLs sees it.
        #[test]
        fn nothing_outside_of_a_parent_passes_for_it(origin in "https://[ -~]{0,20}\\.example\\.com") {
            if admits(&["https://*.example.com"], &origin) {
                let uri: http::Uri = origin.parse().unwrap();
                prop_assert!(uri.host().unwrap().ends_with(".example.com"));
                prop_assert_eq!((uri.path(), uri.query(), uri.port()), ("/", None, None));
                prop_assert_eq!(uri.authority().unwrap().as_str(), uri.host().unwrap());
            }
        }

        #[test]
        fn what_is_read_is_shown_as_it_was_written(text in "https?://(\\*\\.)?[a-z.:0-9]{1,12}") {
            if let Ok(pattern) = OriginPattern::parse(&text) {
                prop_assert_eq!(pattern.to_string(), text);
            }
        }
    }
}
