//! The WebSocket handshake: which request is one, which is a broken one, and which answer accepts it; knows nothing of connections or of what follows.
//!
//! RFC 6455 §4 for HTTP/1.1, RFC 8441 for HTTP/2. It is the only switch of protocols there is: what a
//! request says of any other goes no further than the gateway.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
        UPGRADE,
    },
    request::Parts,
};
use hyper::ext::Protocol;

/// A request that asks for a WebSocket, found to be in order. Carried in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// What an HTTP/1.1 client wants to see proven. HTTP/2 needs no proof.
    pub key: Option<HeaderValue>,
}

/// Why a request that asks for a WebSocket gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no GET, or not in HTTP/1.1.
    #[error("A WebSocket is asked for by a GET in HTTP/1.1, or by an extended CONNECT in HTTP/2.")]
    Request,
    /// `Connection` does not list `upgrade`.
    #[error("Upgrade must be listed in Connection.")]
    Connection,
    /// There is not one key, or it is not one of 16 bytes.
    #[error("A WebSocket needs one Sec-WebSocket-Key of 16 bytes in base64.")]
    Key,
    /// There is not one version.
    #[error("A WebSocket needs one Sec-WebSocket-Version.")]
    NoVersion,
    /// It is another version than 13.
    #[error("This version of WebSocket is not spoken here.")]
    OtherVersion,
    /// It has a body, which would be taken for the first bytes of the WebSocket by one reader and for
    /// a part of the request by the next.
    #[error("A request that asks for a WebSocket has no body.")]
    Body,
}

/// The only version there ever was (RFC 6455 §4.4).
pub const VERSION: HeaderValue = HeaderValue::from_static("13");

/// The token in `Upgrade` and `:protocol`.
pub const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// What a server appends to the key (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key.
pub const KEY_LENGTH: usize = 16;

impl Handshake {
    /// Reads what a request asks for: `None` when it is no WebSocket. The extended CONNECT of HTTP/2
    /// becomes the GET that it stands for, so that everybody behind takes it for what it is.
    pub fn read(parts: &mut Parts) -> Result<Option<Self>, Flaw> {
        let protocol = parts.extensions.get::<Protocol>();
        let is_extended =
            protocol.is_some_and(|protocol| protocol.as_ref() == WEBSOCKET.as_bytes());
        if is_extended && parts.method == Method::CONNECT {
            has_no_body(&parts.headers)?;
            is_of_our_version(&parts.headers)?;
            parts.method = Method::GET;
            parts.extensions.remove::<Protocol>();
            return Ok(Some(Self { key: None }));
        }
        if !asks_for_websocket(&parts.headers) {
            return Ok(None);
        }
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return Err(Flaw::Request);
        }
        if !lists_upgrade(&parts.headers) {
            return Err(Flaw::Connection);
        }
        has_no_body(&parts.headers)?;
        is_of_our_version(&parts.headers)?;
        let key = only(&parts.headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let key = Some(key.ok_or(Flaw::Key)?.clone());
        Ok(Some(Self { key }))
    }
}

/// A key of these bytes.
pub fn key(random: [u8; KEY_LENGTH]) -> HeaderValue {
    HeaderValue::from_str(&STANDARD.encode(random)).unwrap_or(HeaderValue::from_static(""))
}

/// Whether `accept` proves that the server has read `key` and knows what it means (RFC 6455 §4.2.2).
pub fn proves(accept: &HeaderValue, key: &HeaderValue) -> bool {
    let said = [key.as_bytes(), GUID].concat();
    // No secret is kept here: SHA-1 only tells a WebSocket server from one that repeats anything.
    let proof = digest(&SHA1_FOR_LEGACY_USE_ONLY, &said);
    STANDARD.encode(proof).as_bytes() == accept.as_bytes()
}

/// Whether a message says that it switches to WebSocket, and to nothing else: a list leaves open to
/// what.
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let wanted = only(headers, &UPGRADE);
    wanted.is_some_and(|wanted| wanted.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Whether any line of `Connection` lists `upgrade`.
pub fn lists_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

fn is_of_our_version(headers: &HeaderMap) -> Result<(), Flaw> {
    match only(headers, &SEC_WEBSOCKET_VERSION) {
        Some(version) if *version == VERSION => Ok(()),
        Some(_) => Err(Flaw::OtherVersion),
        None => Err(Flaw::NoVersion),
    }
}

fn has_no_body(headers: &HeaderMap) -> Result<(), Flaw> {
    let is_empty = |length: &HeaderValue| length.as_bytes() == b"0";
    if headers.contains_key(TRANSFER_ENCODING)
        || !headers.get_all(CONTENT_LENGTH).iter().all(is_empty)
    {
        return Err(Flaw::Body);
    }
    Ok(())
}

/// Sixteen bytes in base64, spelt in the one way there is.
fn is_key(key: &HeaderValue) -> bool {
    STANDARD
        .decode(key)
        .is_ok_and(|bytes| bytes.len() == KEY_LENGTH)
}

/// The header's value when it stands there once.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests;
