//! The last line of a message, which is for machines: it tells a browser, and an Android app, that the code is theirs to fill in.
//!
//! `@login.example.com #123456 FA+9qCX9VSu`: host and code as browsers read them (WICG's
//! origin-bound one-time codes: the line must be the last, begin with `@`, and what follows the code
//! is left aside), then the eleven characters by which Android's SMS Retriever knows an app.

use std::{fmt::Write, str::FromStr};

use crate::domain::otp::Code;

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastLine {
    /// The site whose code it is.
    pub host: Option<Host>,
    /// The app whose code it is.
    pub app: Option<AppHash>,
}

/// A host without port: browsers take the code for HTTPS at its usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

/// What Android's SMS Retriever knows an app by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppHash(String);

/// The text is no host that browsers would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host without scheme and port, such as \"login.example.com\"")]
pub struct InvalidHost;

/// The text is no hash of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 11 letters, digits, \"+\" and \"/\", such as \"FA+9qCX9VSu\"")]
pub struct InvalidAppHash;

impl LastLine {
    /// Ends `text` with it.
    pub fn write(&self, code: &Code, text: &mut String) {
        // Writing to a string cannot fail.
        let _written = match (&self.host, &self.app) {
            (None, None) => Ok(()),
            (Some(Host(host)), None) => write!(text, "\n@{host} #{}", code.reveal()),
            (None, Some(AppHash(app))) => write!(text, "\n{app}"),
            (Some(Host(host)), Some(AppHash(app))) => {
                write!(text, "\n@{host} #{} {app}", code.reveal())
            }
        };
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let is_label = |label: &str| {
            let fits = (1..=63).contains(&label.len());
            let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            fits && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
        };
        let fits = text.len() <= 253 && text.split('.').all(is_label);
        let host = text.to_ascii_lowercase();
        fits.then_some(Self(host)).ok_or(InvalidHost)
    }
}

impl FromStr for AppHash {
    type Err = InvalidAppHash;

    fn from_str(text: &str) -> Result<Self, InvalidAppHash> {
        let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let fits = text.len() == 11 && text.bytes().all(inside);
        fits.then(|| Self(text.to_owned())).ok_or(InvalidAppHash)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::otp::Length;

    fn code() -> Code {
        Code::parse("123456", Length::new(6).unwrap()).unwrap()
    }

    fn written(host: Option<&str>, app: Option<&str>) -> String {
        let line = LastLine {
            host: host.map(|host| host.parse().unwrap()),
            app: app.map(|app| app.parse().unwrap()),
        };
        let mut text = "Your code is 123456.".to_owned();
        line.write(&code(), &mut text);
        text
    }

    /// Parses a message as WICG's specification says (§ "parsing"), from the last line on.
    fn parsed(message: &str) -> Option<(String, String)> {
        let line = message.lines().last()?.strip_prefix('@')?;
        let (host, rest) = line.split_once(' ')?;
        let code = rest.strip_prefix('#')?.split(' ').next()?;
        (!host.is_empty() && !code.is_empty()).then(|| (host.to_owned(), code.to_owned()))
    }

    #[test]
    fn host_code_and_app_stand_in_this_order() {
        assert_eq!(written(None, None), "Your code is 123456.");
        assert_eq!(
            written(Some("login.example.com"), None),
            "Your code is 123456.\n@login.example.com #123456"
        );
        assert_eq!(
            written(Some("login.example.com"), Some("FA+9qCX9VSu")),
            "Your code is 123456.\n@login.example.com #123456 FA+9qCX9VSu"
        );
        assert_eq!(
            written(None, Some("FA+9qCX9VSu")),
            "Your code is 123456.\nFA+9qCX9VSu"
        );
    }

    #[test]
    fn what_is_no_host_and_no_hash_is_refused() {
        for text in [
            "",
            "https://a.example",
            "a.example:443",
            "a..b",
            "-a.example",
            "ä.example",
            "a b",
            "[::1]",
        ] {
            assert_eq!(text.parse::<Host>(), Err(InvalidHost), "{text}");
        }
        for text in [
            "",
            "FA+9qCX9VS",
            "FA+9qCX9VSuu",
            "FA+9qCX9VS ",
            "FA-9qCX9VSu",
        ] {
            assert_eq!(text.parse::<AppHash>(), Err(InvalidAppHash), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_browser_reads_host_and_code_back(
            host in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z]{2,5}){0,2}",
            app in proptest::option::of("[A-Za-z0-9+/]{11}"),
        ) {
            let message = written(Some(&host), app.as_deref());
            prop_assert_eq!(parsed(&message), Some((host, "123456".to_owned())));
            if let Some(app) = app {
                prop_assert!(message.ends_with(&app));
            }
        }
    }
}
