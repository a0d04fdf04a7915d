//! Why a message was not taken, in the words of what can be done about it; knows no provider's own words.

use std::{fmt, time::Duration};

use http::StatusCode;

use crate::net::client::Why;

/// A message that no provider has taken for certain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {cause}")]
pub struct Error {
    /// What can be done.
    pub class: Class,
    /// What happened. It holds neither secret nor code nor number.
    pub cause: Cause,
}

/// What can be done about a message that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing on this channel: no such message reaches this number, whoever sends it.
    InvalidNumber,
    /// This provider will not write to this number (its owner opted out, its country is closed):
    /// another one may.
    Blocked,
    /// Too many in too short a time: later, or by another provider.
    Throttled {
        /// How long to wait, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// Certainly not sent: another provider may, or the same one later.
    Down,
    /// Certainly not sent, and it will not be until an operator mends the settings.
    Misconfigured,
    /// It may have been sent. Sending it once more may be the second time.
    Unknown,
}

/// What may still come of a message that was not taken, the most hopeless first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hope {
    /// Only another channel may reach this number.
    Otherwise,
    /// Another provider may send it.
    Elsewhere,
    /// Another provider may send it, or the same one later.
    Later,
    /// It may arrive as it is, and a second one may be one too many.
    Arrived,
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The provider said no.
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// Its own code for the reason.
        code: Option<ProviderCode>,
    },
    /// It said yes in words that are not its own: somebody else may have answered in its place.
    Unreadable(StatusCode),
    /// There was no answer.
    Unanswered(Why),
    /// There is nothing to sign requests with.
    NoCredentials(String),
    /// It does not carry messages of this kind.
    WrongChannel,
    /// What was to be sent cannot stand in a request.
    Unsendable,
    /// The console took it and did not print it.
    Console(String),
    /// It was not asked: it had failed too often, or had asked for patience.
    LeftAlone,
    /// What was to be sent was of no use any more.
    TooLate,
}

/// A provider's own code for a reason, such as `21211` or `OptedOut`: a few letters and digits, so
/// that nothing else can slip into a log with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCode(String);

/// No code of a provider is longer.
const LONGEST_CODE: usize = 64;

impl Error {
    /// Of this class, for this reason.
    pub const fn new(class: Class, cause: Cause) -> Self {
        Self { class, cause }
    }
}

impl Class {
    /// Its name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidNumber => "invalid_number",
            Self::Blocked => "blocked",
            Self::Throttled { .. } => "throttled",
            Self::Down => "down",
            Self::Misconfigured => "misconfigured",
            Self::Unknown => "unknown",
        }
    }

    /// What may still come of a message of which this became.
    pub const fn hope(self) -> Hope {
        match self {
            Self::Throttled { .. } | Self::Down | Self::Misconfigured => Hope::Later,
            Self::Blocked => Hope::Elsewhere,
            Self::InvalidNumber => Hope::Otherwise,
            Self::Unknown => Hope::Arrived,
        }
    }

    /// What an answer means of which nothing but the status is understood. What a proxy says in
    /// front of the provider (500, 502, 503, 504) may come after the provider has sent.
    pub fn of_status(status: StatusCode, retry_after: Option<Duration>) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled { retry_after },
            StatusCode::REQUEST_TIMEOUT => Self::Down,
            _ if status.is_client_error() || status.is_redirection() => Self::Misconfigured,
            _ => Self::Unknown,
        }
    }

    /// The same with what the provider said of waiting.
    #[must_use]
    pub const fn after(self, wait: Option<Duration>) -> Self {
        match self {
            Self::Throttled { retry_after: None } => Self::Throttled { retry_after: wait },
            Self::InvalidNumber
            | Self::Blocked
            | Self::Throttled { .. }
            | Self::Down
            | Self::Misconfigured
            | Self::Unknown => self,
        }
    }
}

impl ProviderCode {
    /// Takes `text` if it looks like a code.
    pub fn new(text: &str) -> Option<Self> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let fits = (1..=LONGEST_CODE).contains(&text.len()) && text.bytes().all(is_word);
        fits.then(|| Self(text.to_owned()))
    }

    /// As the provider writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidNumber => "no message reaches this number",
            Self::Blocked => "the provider does not write to this number",
            Self::Throttled { .. } => "the provider asks for patience",
            Self::Down => "not sent",
            Self::Misconfigured => "the provider refuses our settings",
            Self::Unknown => "it may have been sent",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, code } => {
                write!(f, "status {}", status.as_u16())?;
                match code {
                    Some(ProviderCode(code)) => write!(f, ", code {code}"),
                    None => Ok(()),
                }
            }
            Self::Unreadable(status) => {
                write!(f, "status {}, but not in its words", status.as_u16())
            }
            Self::Unanswered(why) => why.fmt(f),
            Self::NoCredentials(why) => write!(f, "no credentials: {why}"),
            Self::WrongChannel => f.write_str("it does not carry messages of this kind"),
            Self::Unsendable => f.write_str("the request cannot be written"),
            Self::Console(why) => write!(f, "the console cannot be written to: {why}"),
            Self::LeftAlone => f.write_str("it is left alone for a while"),
            Self::TooLate => f.write_str("it is too late"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(status: u16) -> Class {
        Class::of_status(StatusCode::from_u16(status).unwrap(), None)
    }

    #[test]
    fn of_several_failures_the_most_hopeful_one_counts() {
        let mut classes = [
            Class::Down,
            Class::InvalidNumber,
            Class::Unknown,
            Class::Blocked,
        ];
        classes.sort_by_key(|class| class.hope());
        let expected = [
            Class::InvalidNumber,
            Class::Blocked,
            Class::Down,
            Class::Unknown,
        ];
        assert_eq!(classes, expected);
        assert_eq!(Class::Throttled { retry_after: None }.hope(), Hope::Later);
        assert_eq!(Class::Misconfigured.hope(), Hope::Later);
    }

    #[test]
    fn a_status_alone_says_what_it_can() {
        for status in [500, 502, 503, 504, 599, 200, 201, 204, 101] {
            assert_eq!(of(status), Class::Unknown, "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 405, 407, 413, 415] {
            assert_eq!(of(status), Class::Misconfigured, "{status}");
        }
        assert_eq!(of(408), Class::Down);
        assert_eq!(of(429), Class::Throttled { retry_after: None });
    }

    #[test]
    fn how_long_to_wait_is_kept() {
        let wait = Some(Duration::from_secs(7));
        let throttled = Class::Throttled { retry_after: None };
        assert_eq!(
            throttled.after(wait),
            Class::Throttled { retry_after: wait }
        );
        assert_eq!(Class::Down.after(wait), Class::Down);
    }

    proptest! {
        /// An answer without a word of the provider's own is definite only when it is a refusal.
        #[test]
        fn no_success_and_no_failure_of_a_server_is_definite(status in 100_u16..1000) {
            let definite = of(status) != Class::Unknown;
            prop_assert_eq!(definite, (300..500).contains(&status));
        }

        #[test]
        fn a_code_lets_nothing_slip_into_a_log(text in "\\PC{0,80}") {
            if let Some(code) = ProviderCode::new(&text) {
                prop_assert!(!code.as_str().contains([' ', '+', '"', '<', '\n']));
                prop_assert!(code.as_str().len() <= LONGEST_CODE);
            }
        }
    }
}
