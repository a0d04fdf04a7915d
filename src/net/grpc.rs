//! How gRPC shows itself in the head of a request, and how long its caller wants to wait. It knows nothing of messages.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

/// Whether a request or an answer is one of gRPC: `application/grpc`, whatever its messages are
/// written in. That of browsers, `application/grpc-web`, is another protocol.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| {
        let (name, rest) = kind.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(rest)
    });
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// How long the caller waits for the end of the answer, if it says so and if that can be read: a caller
/// who writes something else has no deadline.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u32 = digits.parse().ok().filter(|_| is_number)?;
    let one = match unit {
        "H" => Duration::from_hours(1),
        "M" => Duration::from_mins(1),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    Some(one * count)
}

const NAME: &[u8] = b"application/grpc";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waits(text: &str) -> Option<Duration> {
        let value = HeaderValue::from_str(text).ok()?;
        timeout(&HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-timeout"),
            value,
        )]))
    }

    #[test]
    fn only_grpc_is_grpc() {
        let is = |kind: &'static str| {
            let value = HeaderValue::from_static(kind);
            is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, value)]))
        };
        assert!(is("application/grpc"));
        assert!(is("application/grpc+proto"));
        assert!(is("Application/GRPC; charset=utf-8"));
        assert!(!is("application/grpc-web"));
        assert!(!is("application/grpcx"));
        assert!(!is("application/json"));
        assert!(!is(""));
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_caller_says_how_long_it_waits_in_one_of_six_units() {
        assert_eq!(waits("2H"), Some(Duration::from_hours(2)));
        assert_eq!(waits("3M"), Some(Duration::from_mins(3)));
        assert_eq!(waits("10S"), Some(Duration::from_secs(10)));
        assert_eq!(waits("250m"), Some(Duration::from_millis(250)));
        assert_eq!(waits("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(waits("0n"), Some(Duration::ZERO));
        for text in [
            "",
            "S",
            "10",
            "10s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            "1 S",
        ] {
            assert_eq!(waits(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_amount_is_read(count in 0_u32..=99_999_999, text in "\\PC{0,12}") {
            prop_assert_eq!(waits(&format!("{count}S")), Some(Duration::from_secs(count.into())));
            prop_assert!(waits(&text).is_none_or(|wait| wait <= Duration::from_hours(99_999_999)));
        }
    }
}
