//! URLs that name a server and nothing on it; does not know what is served there.

use std::str::FromStr;

use http::{Uri, uri::Authority};

use crate::{
    config::{item::Item, problem::Reported, value::Value},
    proxy::Server,
};

/// Scheme, host and port under which browsers reach the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    authority: String,
}

/// Why a text is no URL of a server. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not a scheme, a host and perhaps a port.
    #[error("is not a URL such as \"{0}\"")]
    Form(&'static str),
    /// A scheme we do not speak.
    #[error("has the scheme \"{found}\", supported are {supported}")]
    Scheme {
        /// What was written.
        found: String,
        /// What would do.
        supported: &'static str,
    },
    /// More than a server.
    #[error("must end after host and port, without user name, path and query")]
    TooMuch,
    /// What cannot be asked for, or is not to be shown.
    #[error("must not hold {0}")]
    Odd(&'static str),
}

const DEMO: &str = "demo:";

impl Origin {
    /// Whether browsers reach us over TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The host, without port.
    pub fn host(&self) -> &str {
        self.authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(&self.authority, |(host, _)| host)
    }

    /// The port where browsers reach us over TLS, if they do.
    pub fn https_port(&self) -> Option<u16> {
        let port = Uri::from_str(&self.to_string()).ok()?.port_u16();
        self.is_https().then(|| port.unwrap_or(443))
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl FromStr for Origin {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        const EXAMPLE: &str = "https://login.example.com";
        let uri = server_of(text, EXAMPLE)?;
        let scheme = match uri.scheme_str() {
            Some("https") => "https",
            Some("http") => "http",
            other => {
                return Err(InvalidUrl::Scheme {
                    found: other.unwrap_or_default().to_owned(),
                    supported: "\"https\" and \"http\"",
                });
            }
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        Ok(Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
        })
    }
}

/// Reads where an app runs: `http://HOST:PORT` or `https://HOST:PORT`, or `demo:` for the app that is
/// built in.
pub fn server(text: &str) -> Result<Server, InvalidUrl> {
    const EXAMPLE: &str = "http://127.0.0.1:3000";
    if text == DEMO {
        return Ok(Server::Demo);
    }
    let uri = server_of(text, EXAMPLE)?;
    let at = |usual: u16| {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        format!("{host}:{}", uri.port_u16().unwrap_or(usual))
    };
    match uri.scheme_str() {
        Some("http") => Ok(Server::Http(at(80))),
        Some("https") => Ok(Server::Https(at(443))),
        other => Err(InvalidUrl::Scheme {
            found: other.unwrap_or_default().to_owned(),
            supported: "\"http\", \"https\" and \"demo:\"",
        }),
    }
}

/// A URL that holds a scheme, a host, perhaps a port, and nothing else.
fn server_of(text: &str, example: &'static str) -> Result<Uri, InvalidUrl> {
    let form = || InvalidUrl::Form(example);
    let uri: Uri = text.parse().map_err(|_| form())?;
    let authority = uri
        .authority()
        .filter(|_| uri.scheme().is_some())
        .ok_or_else(form)?;
    if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
        return Err(InvalidUrl::TooMuch);
    }
    if !names_a_server(authority) {
        return Err(form());
    }
    Ok(uri)
}

/// A port that is written but is none must not turn into the usual one.
pub fn names_a_server(authority: &Authority) -> bool {
    let port_is_fine = match authority.port_u16() {
        Some(port) => port > 0,
        None => authority.as_str() == authority.host(),
    };
    port_is_fine && !authority.host().is_empty()
}

impl Value for Origin {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a URL such as \"https://login.example.com\"")?;
        text.parse()
            .map_err(|error: InvalidUrl| item.refuse(error, None))
    }
}

impl Value for Server {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a URL such as \"http://127.0.0.1:3000\"")?;
        server(text).map_err(|error| item.refuse(error, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_server_is_a_scheme_a_host_and_a_port() {
        for (text, address) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://App.Internal:3000/", "app.internal:3000"),
            ("http://app", "app:80"),
            ("http://[::1]:3000", "[::1]:3000"),
            ("http://[::1]", "[::1]:80"),
            ("HTTP://app", "app:80"),
        ] {
            assert_eq!(server(text), Ok(Server::Http(address.to_owned())), "{text}");
        }
        let secured = |address: &str| Ok(Server::Https(address.to_owned()));
        assert_eq!(server("https://App"), secured("app:443"));
        assert_eq!(server("https://[::1]:8443"), secured("[::1]:8443"));
        assert_eq!(server("demo:"), Ok(Server::Demo));
    }

    #[test]
    fn what_is_no_server_is_refused_without_being_repeated() {
        const FORM: &str = "is not a URL such as \"http://127.0.0.1:3000\"";
        const TOO_MUCH: &str = "must end after host and port, without user name, path and query";
        for (text, why) in [
            (
                "ftp://app",
                "has the scheme \"ftp\", supported are \"http\", \"https\" and \"demo:\"",
            ),
            ("app:3000", FORM),
            ("/app", FORM),
            ("demo", FORM),
            ("", FORM),
            ("http://", FORM),
            ("http://:80", FORM),
            ("http://app:", FORM),
            ("http://app:0", FORM),
            ("http://app:99999", FORM),
            ("http://user:hunter2@app", TOO_MUCH),
            ("http://app/base", TOO_MUCH),
            ("http://app?x", TOO_MUCH),
        ] {
            let error = server(text).expect_err(text).to_string();
            assert_eq!(error, why, "{text}");
        }
    }

    #[test]
    fn an_origin_is_what_browsers_send_as_one() {
        let origin: Origin = "https://Login.Example.com/".parse().expect("an origin");
        assert_eq!(origin.to_string(), "https://login.example.com");
        assert!(origin.is_https());
        let origin: Origin = "http://localhost:8080".parse().expect("an origin");
        assert!(!origin.is_https());
        let error = "ftp://localhost"
            .parse::<Origin>()
            .expect_err("another scheme");
        assert_eq!(
            error.to_string(),
            "has the scheme \"ftp\", supported are \"https\" and \"http\""
        );
        assert_eq!("https://a/b".parse::<Origin>(), Err(InvalidUrl::TooMuch));
    }

    proptest! {
        #[test]
        fn every_host_and_port_is_kept(host in "[a-z][a-z0-9-]{0,10}(\\.[a-z]{1,5})?", port in 1_u16..) {
            let address = format!("{host}:{port}");
            prop_assert_eq!(server(&format!("http://{address}")), Ok(Server::Http(address)));
        }

        #[test]
        fn no_text_panics(text in "(http://)?\\PC{0,30}") {
            let _read = (server(&text), text.parse::<Origin>());
        }
    }
}
