//! `GET .well-known/…`: what apps need to verify our tokens themselves; knows nothing that is secret.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    auth::{
        call::{Call, Desk},
        wire::{self, Reply},
    },
    reject::Reject,
};

/// Both documents are public and change rarely. A key is shown as "next" long before it signs, so
/// a copy that is five minutes old lacks nothing.
const FOR_FIVE_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");

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

fn public(document: &Value) -> Result<Reply, Reject> {
    let mut reply = wire::json(StatusCode::OK, document)?;
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, FOR_FIVE_MINUTES);
    Ok(reply)
}
