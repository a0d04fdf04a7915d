//! Logins that hold for a connection and not for the request that brings them: NTLM and Negotiate (RFC 4559 §6). Knows no connection.
//!
//! An app that knows somebody by a connection takes whoever comes next on it for the same one. So a
//! connection on which such a login was spoken of is used for nothing else. In HTTP/2, where all share
//! one, there are no such logins: who offers them there wants HTTP/1.1 (RFC 9113 §9.2.2).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Whether a request brings one.
pub fn is_brought(headers: &HeaderMap) -> bool {
    is_named(headers, &header::AUTHORIZATION)
}

/// Whether an answer offers one, or is a step of it.
pub fn is_offered(headers: &HeaderMap) -> bool {
    is_named(headers, &header::WWW_AUTHENTICATE)
}

fn is_named(headers: &HeaderMap, field: &HeaderName) -> bool {
    headers.get_all(field).iter().any(names_one)
}

/// Whether one of the schemes in this line is such a login. What stands in quotes may be taken for one:
/// a connection less is no harm.
fn names_one(line: &HeaderValue) -> bool {
    line.as_bytes().split(|byte| *byte == b',').any(|item| {
        let mut words = item.trim_ascii_start().split(u8::is_ascii_whitespace);
        let scheme = words.next().unwrap_or_default();
        [&b"ntlm"[..], b"negotiate"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_known_wherever_it_stands_and_however_it_is_written() {
        for (line, is_one) in [
            ("NTLM", true),
            ("negotiate YII=", true),
            ("Basic realm=\"a\", NTLM", true),
            ("Basic realm=\"a\",Negotiate\tYII=", true),
            ("Basic realm=\"NTLM\"", false),
            ("Bearer", false),
            ("NTLMv3", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
            headers.append(header::WWW_AUTHENTICATE, line.parse().expect(line));
            assert_eq!(is_offered(&headers), is_one, "{line}");
            assert!(!is_brought(&headers));
        }
    }
}
