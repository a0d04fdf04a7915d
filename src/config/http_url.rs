//! URLs of what the gateway itself asks by HTTP, besides apps; does not know what is asked there.

use std::net::IpAddr;

use http::Uri;

use crate::config::{
    item::Item,
    problem::Reported,
    url::{InvalidUrl, names_a_server},
    value::Value,
};

/// A URL that is asked by HTTP, with all that may stand in one but a user name and a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    origin: String,
}

/// A URL to which paths are added: without a slash at its end, and without a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(pub String);

impl HttpUrl {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        const EXAMPLE: &str = "https://sms.example.com/send";
        let form = || InvalidUrl::Form(EXAMPLE);
        // The library would leave it out without a word.
        if text.contains('#') {
            return Err(InvalidUrl::Odd("a fragment"));
        }
        let uri: Uri = text.parse().map_err(|_| form())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(form)?;
        if !matches!(scheme, "http" | "https") {
            return Err(InvalidUrl::Scheme {
                found: scheme.to_owned(),
                supported: "\"https\" and \"http\"",
            });
        }
        if authority.as_str().contains('@') {
            return Err(InvalidUrl::Odd("a user name"));
        }
        if !names_a_server(authority) {
            return Err(form());
        }
        Ok(Self {
            origin: format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()),
            text: text.to_owned(),
        })
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether somebody on the way could read what is sent there.
    pub fn leaves_the_machine_in_the_clear(&self) -> bool {
        let Some(authority) = self.origin.strip_prefix("http://") else {
            return false;
        };
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, port)| {
                if port.ends_with(']') { authority } else { host }
            });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        !is_loopback && bare != "localhost"
    }
}

impl Value for HttpUrl {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a URL such as \"https://sms.example.com/send\"")?;
        Self::parse(text).map_err(|error| item.refuse(error, None))
    }
}

impl Value for BaseUrl {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let url = HttpUrl::read(item)?;
        if url.as_str().contains('?') {
            return Err(item.refuse(InvalidUrl::Odd("a query"), None));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_asked_by_http_may_have_a_path_and_a_query() {
        let url = HttpUrl::parse("https://Sms.example.com:8443/a/b?key=1").expect("a URL");
        assert_eq!(url.as_str(), "https://Sms.example.com:8443/a/b?key=1");
        assert_eq!(url.origin(), "https://sms.example.com:8443");
        for (text, why) in [
            ("https://a/b#c", "must not hold a fragment"),
            ("https://me:hunter2@a/", "must not hold a user name"),
            (
                "ftp://a/",
                "has the scheme \"ftp\", supported are \"https\" and \"http\"",
            ),
            (
                "/send",
                "is not a URL such as \"https://sms.example.com/send\"",
            ),
            (
                "https://a:0/",
                "is not a URL such as \"https://sms.example.com/send\"",
            ),
            (
                "https://:80/",
                "is not a URL such as \"https://sms.example.com/send\"",
            ),
        ] {
            let error = HttpUrl::parse(text).expect_err(text).to_string();
            assert_eq!(error, why, "{text}");
        }
    }

    #[test]
    fn only_what_leaves_this_machine_without_tls_is_in_the_clear() {
        let is_clear = |text| {
            HttpUrl::parse(text)
                .expect(text)
                .leaves_the_machine_in_the_clear()
        };
        for text in [
            "http://a/",
            "http://10.0.0.1:80",
            "http://[2001:db8::1]/",
            "http://[fd00::1]:80/",
        ] {
            assert!(is_clear(text), "{text}");
        }
        for text in [
            "https://a/",
            "http://localhost:1",
            "http://127.0.0.9/",
            "http://[::1]",
            "http://[::1]:80",
        ] {
            assert!(!is_clear(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?\\PC{0,30}") {
            if let Ok(url) = HttpUrl::parse(&text) {
                prop_assert!(url.origin().starts_with("http"));
                let _clear = url.leaves_the_machine_in_the_clear();
            }
        }
    }
}
