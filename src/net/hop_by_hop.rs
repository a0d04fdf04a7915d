//! Headers that belong to one connection and must not travel past it (RFC 9110 §7.6.1), in either direction.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE},
};

/// Removed whether `Connection` names them or not.
const ALWAYS: [HeaderName; 7] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes them all, also those named by any of several `Connection` lines. Headers of our own must
/// be added afterwards, or a client could have them removed by naming them.
pub fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|line| line.as_bytes().split(|b| *b == b','))
            .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in &ALWAYS {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

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
}
