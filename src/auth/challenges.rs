//! `GET challenges/{id}`: whoever asked for a code is told what has become of its message; knows nothing of providers.
//!
//! Nobody else is told anything. Of an id that never was, that is forgotten, or that is somebody else's the same is
//! said, after the same look into the store.

use http::StatusCode;
use serde::Serialize;

use crate::{
    auth::{
        call::{Call, Desk},
        derive,
        wire::{self, Reply},
    },
    domain::{delivery::State, otp::ChallengeId},
    reject::{Code, Reject},
    sms::letter::Letter,
};

/// What is told of a message.
#[derive(Serialize)]
struct Shown {
    status: &'static str,
    /// Why it will not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    channel: &'static str,
    /// In seconds, until its code dies.
    expires_in: u64,
}

/// Tells how far the last message of a challenge has come.
pub async fn show(desk: &Desk, call: &Call, id: &str) -> Result<Reply, Reject> {
    let unknown = || Reject::new(Code::NotFound, "You have no such challenge.");
    let id: ChallengeId = id.parse().map_err(|_| unknown())?;
    let masters = &desk.parts.masters;
    let delivery = desk.parts.store.delivery(id).await?.ok_or_else(unknown)?;
    let letter = Letter::open(&delivery.sealed, masters, delivery.message);
    let letter = letter.map_err(|_unreadable| unknown())?;
    if letter.asker != derive::client_key(masters, &call.client) {
        return Err(unknown());
    }
    let shown = Shown {
        status: delivery.status().as_str(),
        reason: match &delivery.state {
            State::Failed(why) => Some(why.as_str()),
            State::Queued { .. } | State::Sending { .. } | State::Sent(_) | State::Delivered => {
                None
            }
        },
        channel: letter.channel.as_str(),
        expires_in: delivery.expires_at.since(call.now).as_secs(),
    };
    wire::json(StatusCode::OK, &shown)
}
