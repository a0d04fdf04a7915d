//! How a bearer token is read from a request's `Authorization` header; knows nothing of what makes one valid.

use http::{HeaderMap, header};

/// An `Authorization` header that cannot be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Two of them: an app behind could read the other one.
    #[error("more than one Authorization header was sent")]
    Repeated,
    /// `Bearer`, followed by nothing or by what is no text.
    #[error("the Authorization header holds no token")]
    NoToken,
}

/// The bearer token of a request: `None` when there is no `Authorization` header, or one of another
/// scheme, which is the app's affair. The scheme may be in any case (RFC 9110 §11.1).
pub fn read(headers: &HeaderMap) -> Result<Option<&str>, Unusable> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(Unusable::Repeated);
    }
    let value = field.as_bytes().trim_ascii();
    let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let token = rest.trim_ascii_start();
    // What else cannot stand in a token shows when it is verified, or already is.
    match std::str::from_utf8(token) {
        Ok(token) if !token.is_empty() => Ok(Some(token)),
        Ok(_) | Err(_) => Err(Unusable::NoToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn from(fields: &[&[u8]]) -> Result<Option<String>, Unusable> {
        let headers: HeaderMap = fields
            .iter()
            .map(|field| {
                let value = HeaderValue::from_bytes(field).expect("a header value");
                (header::AUTHORIZATION, value)
            })
            .collect();
        read(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_its_scheme() {
        for field in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER   a.b-c_d"] {
            assert_eq!(from(&[field.as_bytes()]), Ok(Some("a.b-c_d".to_owned())));
        }
    }

    #[test]
    fn other_schemes_are_left_to_the_app() {
        for field in ["Basic YTpi", "Bearerx a", "a.b.c", ""] {
            assert_eq!(from(&[field.as_bytes()]), Ok(None), "{field}");
        }
        assert_eq!(from(&[]), Ok(None));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        assert_eq!(from(&[b"Bearer a", b"Bearer a"]), Err(Unusable::Repeated));
        assert_eq!(from(&[b"Basic x", b"Bearer a"]), Err(Unusable::Repeated));
        for field in [b"Bearer".as_slice(), b"Bearer ", b"Bearer \xe9"] {
            assert_eq!(from(&[field]), Err(Unusable::NoToken), "{field:?}");
        }
        // A tab is no separator: the whole is another, unknown scheme.
        assert_eq!(from(&[b"Bearer\ta"]), Ok(None));
    }
}
