//! `GET me` and `GET check`: who is calling, told to the caller or to a proxy in front; changes nothing.

use http::{HeaderName, HeaderValue, StatusCode};
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

/// The headers by which `check` tells a proxy who is calling.
const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const PHONE: HeaderName = HeaderName::from_static("x-auth-phone");
const SESSION: HeaderName = HeaderName::from_static("x-auth-session");

/// Tells the caller what its token says, with the gateway's custom claims.
pub fn answer(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let caller = bearer::caller(desk, call)?;
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

/// Forward-auth: 200 with identity headers, or the refusal of the token.
pub fn check(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let caller = bearer::caller(desk, call)?;
    let mut reply = wire::empty(StatusCode::OK);
    let session = caller.session.to_string();
    let facts = [
        (SUBJECT, Some(caller.subject.as_str())),
        (PHONE, caller.phone.as_deref()),
        (SESSION, Some(session.as_str())),
    ];
    for (name, value) in facts {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            reply.headers_mut().insert(name, value);
        }
    }
    Ok(reply)
}
