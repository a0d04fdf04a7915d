//! Which names of header fields are not for everybody to say, and which fields mean nothing behind a body. It does not know who says them.

use std::sync::Arc;

use http::HeaderMap;

/// The names under which only the gateway speaks to apps: those of the identity headers, as they are
/// configured, and those that tell of the client and its request. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Reserved {
    /// Folded.
    identity: Arc<[String]>,
}

impl Reserved {
    /// These names, and what is reserved everywhere.
    pub fn new<'a>(identity: impl Iterator<Item = &'a str>) -> Self {
        Self {
            identity: identity
                .map(|name| name.bytes().map(fold).map(char::from).collect())
                .collect(),
        }
    }

    /// Whether a request may not bring a field of this name, since some reader may take it for an
    /// identity header, for another target than the one that was matched, or for one under which the
    /// gateway speaks. The last ones may come as the gateway itself spells them: those were judged,
    /// and are ours by now.
    pub fn is_forged(&self, name: &str) -> bool {
        if name.bytes().all(is_plain) {
            // What is folded already can only be taken for itself: this is asked of every field.
            self.identity.iter().any(|ours| ours == name) || OTHER_TARGETS.contains(&name)
        } else {
            self.covers(name)
        }
    }

    /// Whether some reader may take `name` for one under which the gateway speaks, or for one of
    /// another target than the one that was matched: CGI and its heirs read `X_Auth_Subject` and PHP
    /// `X.Auth.Subject` as `X-Auth-Subject`.
    fn covers(&self, name: &str) -> bool {
        let is_one_of = |names: &[&str]| names.iter().any(|ours| folds_to(name, ours));
        self.identity.iter().any(|ours| folds_to(name, ours))
            || is_one_of(&OTHER_TARGETS)
            || is_one_of(&FORWARDING)
            || folds_to(name, "x-request-id")
    }

    /// What may go on of the fields behind a request's body.
    pub fn strip_trailers(&self, trailers: &mut HeaderMap) {
        keep(trailers, |name| {
            !self.covers(name) && !belongs_in_front(name)
        });
    }
}

/// What may go on of the fields behind an answer's body.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    keep(trailers, |name| !belongs_in_front(name));
}

/// What only a proxy may say.
const FORWARDING: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Whether a field says what only a proxy may say.
pub fn is_forwarding(name: &str) -> bool {
    FORWARDING.contains(&name)
}

/// Where some framework looks for the target, in place of the one that was matched.
const OTHER_TARGETS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// A letter as the most forgiving reader sees it: lower case, all but letters and digits alike.
const fn fold(letter: u8) -> u8 {
    if letter.is_ascii_alphanumeric() {
        letter.to_ascii_lowercase()
    } else {
        b'-'
    }
}

/// Whether a letter is folded already.
const fn is_plain(letter: u8) -> bool {
    matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

fn folds_to(name: &str, folded: &str) -> bool {
    name.len() == folded.len() && name.bytes().map(fold).eq(folded.bytes())
}

/// What frames a message, leads it somewhere, judges or changes it, says who sends it, or belongs to
/// one connection has to be known before the body (RFC 9110 §6.5.1): behind it it is a trap.
fn belongs_in_front(name: &str) -> bool {
    name.starts_with("if-")
        || name.starts_with("proxy-")
        || matches!(
            name,
            "age"
                | "authorization"
                | "cache-control"
                | "connection"
                | "content-encoding"
                | "content-length"
                | "content-range"
                | "content-type"
                | "cookie"
                | "date"
                | "expect"
                | "expires"
                | "host"
                | "keep-alive"
                | "location"
                | "max-forwards"
                | "pragma"
                | "range"
                | "retry-after"
                | "set-cookie"
                | "strict-transport-security"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "vary"
                | "warning"
                | "www-authenticate"
        )
}

fn keep(trailers: &mut HeaderMap, is_fine: impl Fn(&str) -> bool) {
    let bad: Vec<_> = trailers
        .keys()
        .filter(|name| !is_fine(name.as_str()))
        .cloned()
        .collect();
    for name in bad {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn kept(names: &[&'static str]) -> Vec<String> {
        let value = HeaderValue::from_static("x");
        let fields = names.iter().map(|name| (*name, value.clone()));
        let mut trailers: HeaderMap = fields
            .map(|(name, value)| (http::HeaderName::from_static(name), value))
            .collect();
        Reserved::new(["X-Auth-Subject"].into_iter()).strip_trailers(&mut trailers);
        trailers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect()
    }

    #[test]
    fn what_a_client_says_at_the_end_goes_on_unless_it_belonged_in_front() {
        assert_eq!(
            kept(&[
                "x-checksum",
                "grpc-status",
                "digest",
                "authorization",
                "host",
                "if-match"
            ]),
            ["x-checksum", "grpc-status", "digest"]
        );
    }

    #[test]
    fn no_spelling_of_a_name_of_ours_gets_through_at_the_end() {
        let forged = [
            "x-auth-subject",
            "x_auth_subject",
            "x.auth_subject",
            "x-forwarded-for",
            "x_forwarded_for",
            "forwarded",
            "x-real-ip",
            "x-request-id",
            "x_request_id",
        ];
        assert_eq!(kept(&forged), [] as [&str; 0]);
    }

    proptest! {
        #[test]
        fn whatever_stands_between_its_words_a_reserved_name_is_reserved(
            between in proptest::collection::vec("[-_.~!]", 2),
        ) {
            let reserved = Reserved::new(["X-Auth-Subject"].into_iter());
            let name = format!("x{}auth{}subject", between[0], between[1]);
            prop_assert!(reserved.covers(&name) && reserved.is_forged(&name));
        }
    }
}
