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
            identity: identity.map(|name| fold(name).collect()).collect(),
        }
    }

    /// Whether some reader may take `name` for that of an identity header: CGI and its heirs read
    /// `X_Auth_Subject` and PHP `X.Auth.Subject` as `X-Auth-Subject`.
    pub fn is_identity(&self, name: &str) -> bool {
        self.identity.iter().any(|ours| folds_to(name, ours))
    }

    /// Whether some reader may take `name` for one under which the gateway speaks, or for one of
    /// another target than the one that was matched.
    pub fn covers(&self, name: &str) -> bool {
        self.is_identity(name) || is_other_target(name) || is_told(&fold(name).collect::<String>())
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

/// Whether a field says what only a proxy may say.
pub fn is_forwarding(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-proto"
            | "x-real-ip"
    )
}

/// Whether some framework looks there for the target, in place of the one that was matched.
pub fn is_other_target(name: &str) -> bool {
    const OTHER_TARGETS: [&str; 2] = ["x-original-url", "x-rewrite-url"];
    OTHER_TARGETS.iter().any(|target| folds_to(name, target))
}

/// Whether a field is the gateway's word to the app and stands there already.
fn is_told(name: &str) -> bool {
    is_forwarding(name) || name == "x-request-id"
}

/// A name as the most forgiving reader sees it: lower case, all but letters and digits alike.
fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    })
}

fn folds_to(name: &str, folded: &str) -> bool {
    name.len() == folded.len() && fold(name).eq(folded.chars())
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
            prop_assert!(reserved.covers(&name) && reserved.is_identity(&name));
        }
    }
}
