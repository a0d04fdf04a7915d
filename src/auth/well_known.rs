//! `GET .well-known/…` and `GET openapi.json`: what apps need to verify our tokens themselves, and to ask us; knows nothing that is secret.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    auth::{
        call::{Call, Desk},
        openapi,
        wire::{self, Reply},
    },
    reject::Reject,
    token::JWKS_MAX_AGE,
};

/// The public keys (RFC 7517 §5).
pub fn jwks(desk: &Desk) -> Result<Reply, Reject> {
    public(&desk.parts.tokens.jwks())
}

/// Authorization server metadata (RFC 8414 §2), as far as it is true of us: codes are answered at
/// endpoints of our own, so there is no grant and no response type of OAuth to be listed.
pub fn metadata(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let mut metadata = Map::new();
    let issuer = &desk.parts.tokens.spec().issuer;
    metadata.insert("issuer".to_owned(), json!(issuer));
    if let Some(url) = call.public_url(desk.spec()) {
        let jwks = format!("{url}{}/.well-known/jwks.json", desk.spec().base);
        metadata.insert("jwks_uri".to_owned(), json!(jwks));
    }
    metadata.insert("response_types_supported".to_owned(), json!([]));
    metadata.insert("grant_types_supported".to_owned(), json!([]));
    public(&Value::Object(metadata))
}

/// All endpoints, for programs.
pub fn openapi(desk: &Desk) -> Result<Reply, Reject> {
    public(&openapi::document(&desk.spec().base))
}

/// All of these documents are public and change rarely. A key is shown as "next" for longer than a copy may
/// be used before it signs, so a copy lacks nothing.
fn public(document: &Value) -> Result<Reply, Reject> {
    let mut reply = wire::json(StatusCode::OK, document)?;
    let for_a_while = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    if let Ok(value) = HeaderValue::from_str(&for_a_while) {
        reply.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    Ok(reply)
}
