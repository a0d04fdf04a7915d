//! The courier: carries messages that are in the store already, and remembers there what became of them; knows nothing of requests.
//!
//! Sending takes seconds at a bad provider, and how long must not tell whether a number was real. So
//! a request reserves a place, stores its message in the step that begins the challenge, and only
//! then hands over its name. The place is reserved first, so that what is in memory is bounded; what
//! is in the store is found again by whoever lives ([`Rounds`]).
//!
//! A message is claimed in the store before it is sent. Of all who know of it one carries it, and
//! if that one is not heard of again, it may have been sent, and is not sent a second time.

mod errand;
mod office;
mod patience;
mod rounds;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

pub use self::rounds::Rounds;
use super::{MessageId, Sms, wording::Wording};
use crate::{
    clock::Clock,
    domain::otp::{ChallengeId, Length},
    observe::metrics::Metrics,
    reject::{Code, Reject},
    secret::Masters,
    store::Store,
};

/// What a courier works with.
#[derive(Debug)]
pub struct Parts {
    /// Who carries messages.
    pub sms: Sms,
    /// Where they are kept.
    pub store: Store,
    /// From which codes are derived, and with which letters are opened.
    pub masters: Arc<Masters>,
    /// What messages say.
    pub wording: Wording,
    /// How long codes are.
    pub length: Length,
    /// Where events are counted.
    pub metrics: Metrics,
    /// How time passes.
    pub clock: Clock,
}

/// The courier's door. Clones are doors to the same one.
#[derive(Debug, Clone)]
pub struct Courier(mpsc::Sender<Order>);

/// A message that is to be carried, as its name and that of its challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    challenge: ChallengeId,
    message: MessageId,
}

/// A reserved place. Dropping it gives the place back.
#[derive(Debug)]
pub struct Permit(mpsc::OwnedPermit<Order>);

/// As many messages wait as may wait, or nobody carries them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no further message can be queued")]
pub struct Full;

impl Courier {
    /// A courier with whom at most `capacity` messages wait, and the rounds that it is to go.
    pub fn new(parts: Parts, capacity: usize) -> (Self, Rounds) {
        let (door, orders) = mpsc::channel(capacity.max(1));
        (Self(door), Rounds::new(orders, parts))
    }

    /// Takes a place, at once or not at all.
    pub fn reserve(&self) -> Result<Permit, Full> {
        let permit = self.0.clone().try_reserve_owned();
        permit.map(Permit).map_err(|_| Full)
    }

    /// Has a message carried at once that has become due again. With too much to do the courier
    /// may not listen, and finds it on one of the next rounds.
    pub fn hurry(&self, challenge: ChallengeId, message: MessageId) {
        if let Ok(permit) = self.reserve() {
            permit.hand_over(challenge, message);
        }
    }
}

impl Permit {
    /// Has the message carried that was stored for `challenge`.
    pub fn hand_over(self, challenge: ChallengeId, message: MessageId) {
        // The door that comes back is one of many.
        drop(self.0.send(Order { challenge, message }));
    }
}

impl From<Full> for Reject {
    fn from(Full: Full) -> Self {
        Self::new(
            Code::Overloaded,
            "Too many messages are waiting to be sent; try again shortly.",
        )
        .retry_after(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests;
