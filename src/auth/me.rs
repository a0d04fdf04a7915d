//! `GET me`: who is calling, told to the caller; changes nothing.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    auth::{
        bearer,
        call::{Call, Desk},
        wire::{self, Reply},
    },
    reject::Reject,
};

/// Claims that say how the token is used, not who the caller is.
const TECHNICAL: [&str; 8] = ["iss", "aud", "iat", "nbf", "exp", "jti", "sid", "amr"];

/// Tells the caller what its token says, with the gateway's custom claims.
pub async fn answer(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let caller = bearer::caller(desk, call).await?;
    let mut me: Map<String, Value> = caller.claims;
    me.retain(|name, _| !TECHNICAL.contains(&name.as_str()));
    me.insert("sub".to_owned(), json!(caller.subject));
    me.insert("phone_number".to_owned(), json!(caller.phone));
    me.insert("session_id".to_owned(), json!(caller.session.to_string()));
    me.insert(
        "auth_time".to_owned(),
        json!(caller.auth_time.map(crate::clock::Timestamp::as_secs)),
    );
    me.insert(
        "expires_in".to_owned(),
        json!(caller.expires_at.since(call.now).as_secs()),
    );
    wire::json(StatusCode::OK, &me)
}
