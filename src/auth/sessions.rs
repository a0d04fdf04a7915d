//! `GET sessions`, `DELETE sessions/{id}`: people see where they are logged in, and end it; knows nothing of tokens beyond who calls.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    auth::{
        bearer,
        call::{Call, Desk},
        cookie, derive,
        wire::{self, Reply},
    },
    domain::session::{Session, SessionId},
    observe::audit::Event,
    reject::{Code, Reject},
    store::Revoke,
};

/// Lists the caller's sessions, the one used last first. Times are seconds since the Unix epoch,
/// as in the tokens.
pub async fn list(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let caller = bearer::caller(desk, call).await?;
    let account = derive::account_key(&desk.parts.masters, &caller.subject);
    let store = &desk.parts.store;
    let sessions = store.sessions(account, desk.spec().session).await?;
    let show = |(id, session): &(SessionId, Session)| -> Value {
        json!({
            "session_id": id.to_string(),
            "current": *id == caller.session,
            "device_info": session.device_info,
            "ip": session.ip,
            "created_at": session.opened_at.as_secs(),
            "last_seen_at": session.last_seen_at.as_secs(),
        })
    };
    let shown: Vec<Value> = sessions.iter().map(show).collect();
    wire::json(StatusCode::OK, &json!({ "sessions": shown }))
}

/// Ends one of the caller's sessions. Somebody else's is as unknown as one that never was.
pub async fn end(desk: &Desk, call: &Call, id: &str) -> Result<Reply, Reject> {
    let caller = bearer::caller(desk, call).await?;
    let unknown = || Reject::new(Code::NotFound, "You have no such session.");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let account = derive::account_key(&desk.parts.masters, &caller.subject);
    let ended = desk
        .parts
        .store
        .revoke(account, Revoke::One(id), desk.revoked_for());
    let ended = ended.await?;
    if ended.is_empty() {
        return Err(unknown());
    }
    desk.parts.metrics.sessions_revoked(ended.len());
    call.audit(Event::SessionRevoked, None, Some(id));
    let mut reply = wire::empty(StatusCode::NO_CONTENT);
    if id == caller.session {
        cookie::clear(reply.headers_mut(), desk.spec(), call);
    }
    Ok(reply)
}
