//! Headers that belong to one connection and must not travel past it (RFC 9110 §7.6.1), in either direction.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, FORWARDED, HOST, HeaderValue, TE},
};

/// Never removed because `Connection` names it, and neither is any `X-Forwarded-*`: a client could
/// otherwise take away what the gateway tells the app about it, and pass for the gateway itself. No
/// field that is meant for everybody on the way may be named there anyhow (RFC 9110 §7.6.1).
const NEVER: [HeaderName; 4] = [
    FORWARDED,
    HOST,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
];

/// The same for a request, whose client may have said that it takes trailers: that goes on, since we
/// pass them on (RFC 9110 §10.1.4), in our own words.
pub fn strip_request(headers: &mut HeaderMap) {
    let takes_trailers = headers.get_all(TE).iter().any(|line| {
        let mut codings = line.as_bytes().split(|b| *b == b',');
        codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    strip(headers);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes them all, also those named by any of several `Connection` lines. Headers of our own must
/// be added afterwards, or a client could have them removed by naming them.
pub fn strip(headers: &mut HeaderMap) {
    // Most requests and answers have none of them; one pass over the names costs less than a
    // look-up of each.
    if !headers.keys().any(|name| is_hop_by_hop(name.as_str())) {
        return;
    }
    let named_by_connection = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !NEVER.contains(name) && !name.as_str().starts_with("x-forwarded-"));
    let of_this_connection: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name.as_str()))
        .cloned()
        .chain(named_by_connection)
        .collect();
    for name in of_this_connection {
        headers.remove(name);
    }
}

/// Whether a header is removed although `Connection` does not name it.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_any_connection_line_names_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-First"),
            ("connection", " x-second ,,\u{fe}"),
            ("x-first", "1"),
            ("x-second", "2"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-connection", "keep-alive"),
            ("x-kept", "3"),
        ] {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            headers.append(name, value);
        }
        strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-kept"], "3");
    }

    #[test]
    fn that_a_client_takes_trailers_is_all_that_goes_on_of_what_it_takes() {
        for (line, kept) in [
            ("trailers", Some("trailers")),
            ("gzip;q=0.5, Trailers", Some("trailers")),
            ("gzip", None),
        ] {
            let mut headers = HeaderMap::from_iter([(TE, HeaderValue::from_static(line))]);
            strip_request(&mut headers);
            let left = headers.get(TE).map(|it| it.to_str().expect("text"));
            assert_eq!(left, kept, "{line}");
        }
    }
}
