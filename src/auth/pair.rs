//! A pair of tokens and how it is shown; knows nothing of what was proven for it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    auth::{call::Desk, chance},
    clock::Timestamp,
    domain::session::SessionId,
    reject::Reject,
    token::Grant,
};

/// What a login or a refresh ends in.
pub struct Pair {
    pub access_token: String,
    pub refresh_token: String,
    pub session: SessionId,
    /// Until the access token expires.
    pub expires_in: Duration,
    /// Until the refresh token does.
    pub refresh_expires_in: Duration,
}

/// Which refresh token goes with the access token.
#[derive(Debug, Clone, Copy)]
pub struct Generation {
    pub number: u32,
    /// When it was first issued: the same for a repeated refresh, so that the token is the same.
    pub issued_at: Timestamp,
    /// When its session was opened.
    pub opened_at: Timestamp,
}

impl Pair {
    /// Issues both tokens at `now`.
    pub fn issue(
        desk: &Desk,
        grant: &Grant,
        generation: Generation,
        now: Timestamp,
    ) -> Result<Self, Reject> {
        let tokens = &desk.parts.tokens;
        let policy = &desk.spec().session;
        let expires_at =
            (generation.issued_at + policy.idle).min(generation.opened_at + policy.absolute);
        Ok(Self {
            access_token: tokens.issue_access(grant, chance::bytes()?, now)?,
            refresh_token: tokens.issue_refresh(
                grant,
                generation.number,
                generation.issued_at,
                expires_at,
            )?,
            session: grant.session,
            expires_in: tokens.spec().access_ttl,
            refresh_expires_in: expires_at.since(now),
        })
    }

    /// For whoever keeps tokens itself (RFC 6749 §5.1).
    pub fn to_json(&self) -> Value {
        json!({
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "bearer",
            "expires_in": self.expires_in.as_secs(),
            "refresh_expires_in": self.refresh_expires_in.as_secs(),
            "session_id": self.session.to_string(),
        })
    }

    /// For a page whose browser keeps the tokens in cookies: a script shall not see them.
    pub fn to_json_without_tokens(&self) -> Value {
        json!({
            "expires_in": self.expires_in.as_secs(),
            "refresh_expires_in": self.refresh_expires_in.as_secs(),
            "session_id": self.session.to_string(),
        })
    }
}
