//! What an answer that is an error says about the command: did it happen, and where would it; sends nothing.

use std::sync::Arc;

use redis::{ErrorKind, RedisError};

use super::{super::url::Address, dial::Place};

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happened: the server does not know the script.
    NoScript,
    /// Nothing happened: the keys are there now.
    Moved(Address),
    /// Nothing happened: for this one command, the keys are there.
    Ask(Address),
    /// Nothing happened, and soon it may.
    Later(Arc<str>),
    /// Nothing happened: on this connection nothing will be done any more.
    Demoted(Arc<str>),
    /// Nothing happened, and trying again would not help.
    Refused {
        /// Such as `OOM`.
        code: Box<str>,
        /// For the log.
        text: Arc<str>,
    },
    /// Nothing happened: the connection had ended before anything was written.
    Unsent(Arc<str>),
    /// The connection was cut. Whether it happened is not known.
    Cut(Arc<str>),
    /// No answer in time. Whether it happened is not known, and it may happen yet.
    Silent(Patience),
}

/// How long an answer was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Long enough that silence speaks against the connection.
    Fair,
    /// The rest of a deadline, which may have been nothing.
    Short,
}

impl Fault {
    /// What an error of the server at `place` means.
    pub fn of(error: &RedisError, place: &Place) -> Self {
        if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
            return Self::answered(error, place);
        }
        // All other kinds are about the connection, whatever they are: nothing was answered.
        Self::Cut(format!("{place}: {error}").into())
    }

    fn answered(error: &RedisError, place: &Place) -> Self {
        let detail = error.detail().unwrap_or_default();
        let code = match inner_code(detail).or(error.code()).unwrap_or_default() {
            "ERR" if FORBIDDEN.iter().any(|text| detail.contains(text)) => "NOPERM",
            code => code,
        };
        let text = || format!("{place}: {code} {detail}").into();
        let refused = || Self::Refused {
            code: code.into(),
            text: text(),
        };
        let to = || address(detail, place);
        match code {
            "NOSCRIPT" => Self::NoScript,
            "MOVED" => to().map_or_else(refused, Self::Moved),
            "ASK" => to().map_or_else(refused, Self::Ask),
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => Self::Later(text()),
            "READONLY" | "NOAUTH" => Self::Demoted(text()),
            _ => refused(),
        }
    }
}

/// What a script complains of when its user lets it not do something: before 7.2, and since. It has
/// no code of its own.
const FORBIDDEN: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

/// Before version 7, what a command in a script complained of stands behind a text of its own.
fn inner_code(detail: &str) -> Option<&str> {
    let (_, inner) = detail
        .starts_with("Error running script")
        .then(|| detail.split_once(": -"))
        .flatten()?;
    inner.split(' ').next()
}

/// Where a redirection leads: `SLOT HOST:PORT`, the host being that of the server itself if empty.
fn address(detail: &str, place: &Place) -> Option<Address> {
    let (_, text) = detail.split_once(' ')?;
    let (host, port) = text.rsplit_once(':')?;
    let host = match (host, place) {
        ("", Place::Tcp(here)) => here.host.clone(),
        ("", Place::Socket(_)) => return None,
        (host, _) => host.to_owned(),
    };
    let port = port.parse().ok()?;
    Some(Address { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> Fault {
        let error = redis::parse_redis_value(format!("-{line}\r\n").as_bytes())
            .and_then(redis::Value::extract_error)
            .expect_err(line);
        Fault::of(&error, &here())
    }

    fn here() -> Place {
        Place::Tcp(at("db", 7000))
    }

    fn at(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address { host, port }
    }

    #[test]
    fn a_redirection_says_where_to() {
        assert_eq!(fault("MOVED 1 b:7001"), Fault::Moved(at("b", 7001)));
        assert_eq!(fault("ASK 1 ::1:7001"), Fault::Ask(at("::1", 7001)));
        assert_eq!(fault("MOVED 1 :7001"), Fault::Moved(at("db", 7001)));
        assert!(matches!(fault("MOVED 1"), Fault::Refused { .. }));
        assert!(matches!(fault("MOVED 1 b:x"), Fault::Refused { .. }));
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        assert_eq!(fault("NOSCRIPT No matching script."), Fault::NoScript);
        for line in ["TRYAGAIN x", "CLUSTERDOWN x", "LOADING x", "MASTERDOWN x"] {
            assert_eq!(fault(line), Fault::Later(format!("db:7000: {line}").into()));
        }
        for line in [
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY x",
        ] {
            assert!(matches!(fault(line), Fault::Demoted(_)), "{line}");
        }
        for line in [
            "BUSY x",
            "OOM x",
            "MISCONF x",
            "NOREPLICAS x",
            "NOPERM x",
            "WRONGTYPE x",
            "ERR x",
            "ERR Error running script (call to f_1): @user_script:1: -OOM x",
            "CROSSSLOT x",
            "UNHEARDOF x",
        ] {
            assert!(matches!(fault(line), Fault::Refused { .. }), "{line}");
        }
    }

    #[test]
    fn what_the_user_must_not_do_has_one_code() {
        for line in [
            "NOPERM this user has no permissions to run the 'eval' command",
            "ERR The user executing the script can't run this command or subcommand script: 1f",
            "ERR ACL failure in script: User a has no permissions to run the 'del' command",
            "ERR Error running script (call to f_1): @user_script:1: The user executing the script \
             can't run this command or subcommand",
        ] {
            let is_forbidden =
                matches!(fault(line), Fault::Refused { code, .. } if &*code == "NOPERM");
            assert!(is_forbidden, "{line}");
        }
    }

    #[test]
    fn a_connection_that_ends_leaves_it_open_what_happened() {
        let cut = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(Fault::of(&cut, &here()), Fault::Cut(_)));
        let garbage = redis::parse_redis_value(b"HTTP/1.1 400\r\n").expect_err("no Redis");
        assert!(matches!(Fault::of(&garbage, &here()), Fault::Cut(_)));
    }
}
