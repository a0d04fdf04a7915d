//! Messages on their way: what is kept of one until it has arrived, been given up or died with its code; knows neither providers nor stores.
//!
//! Whoever is about to hand a message over claims it first, and of all who would claim it one does. From then
//! on it may have been sent, whatever becomes of the claimant: it is handed over once more only after
//! somebody has said that it was not sent ([`Turn::NotSent`]) or did not arrive ([`Turn::Receipt`]), or after a
//! silence that was agreed on when it was sent. A code that arrives twice is a nuisance that costs
//! money; one that does not arrive is asked for again.

mod turn;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::turn::{Outcome, Turn, Turned};
use crate::{
    clock::Timestamp,
    domain::{
        account::AccountKey,
        otp::{Nonce, Started},
        session::{Id, InvalidId},
    },
    secret::SecretId,
};

/// How long whoever has stored a message may take to claim it, before everybody else may. A machine
/// that is only slow keeps its messages.
pub const HANDOVER: Duration = Duration::from_secs(5);

/// How long after the death of a code it is still heard what became of its message.
pub const AFTERMATH: Duration = Duration::from_mins(15);

/// Names one message and tells nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageId(Id);

/// What a send leaves in the store beside its challenge: one message that is to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its name: the same in every attempt to send it.
    pub message: MessageId,
    /// To whom, by which channel and in which language, for nobody here to read: at most 512 bytes.
    pub sealed: Vec<u8>,
    /// Whether anybody is to receive it.
    pub goes: Goes,
    /// By what the same request is known when it comes once more.
    pub once: Option<Once>,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// To a phone.
    Out,
    /// To nobody, since the number is for tests. It is kept like any other, and counts as sent.
    Nowhere,
}

/// By what a request is known when it comes once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Follows from the account and the name that the caller has given the request.
    pub key: OnceKey,
    /// Follows from what was asked for: the same name for another wish is a mistake.
    pub request: [u8; 8],
}

/// The name under which a store remembers a request. It begins as its account's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OnceKey(pub [u8; 16]);

/// The last message of a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name.
    pub message: MessageId,
    /// See [`Parcel::sealed`].
    pub sealed: Vec<u8>,
    /// What its code is derived from.
    pub nonce: Nonce,
    /// With which master secret.
    pub secret: SecretId,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When its code dies. From then on it is not sent.
    pub expires_at: Timestamp,
    /// The way that is tried next, of all ways to this number: those before it led nowhere.
    pub next_way: u8,
    /// How often it was claimed.
    pub attempt: u32,
    /// What has become of it.
    pub state: State,
}

/// What has become of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It was not sent yet.
    Queued {
        /// From when on anybody may take it upon themselves.
        due: Timestamp,
    },
    /// Somebody is about to hand it over.
    Sending {
        /// When nobody waits for them any more.
        until: Timestamp,
        /// Who.
        by: Claimant,
    },
    /// A provider has it, or may have it.
    Sent(Sent),
    /// It has arrived.
    Delivered,
    /// It will not arrive.
    Failed(Failure),
}

/// A message that was or may have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Who has it; `None` if whoever handed it over was not heard of again, or if it went nowhere.
    pub provider: Option<String>,
    /// The provider's name for it.
    pub reference: Option<String>,
    /// Whether that is certain.
    pub sure: Sure,
    /// The way to try if this one has led nowhere.
    pub next_way: Option<u8>,
    /// When that is tried even though nothing was heard.
    pub silent_until: Option<Timestamp>,
}

/// Whether it is certain that a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sure {
    /// A provider said so.
    Sure,
    /// Nobody knows, so it counts as sent.
    Unsure,
}

/// Why a message will not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no phone of this number that could receive it.
    InvalidNumber,
    /// No provider may or will write to this number.
    Blocked,
    /// No provider could be asked, or understood.
    Unavailable,
    /// A receipt said that it did not arrive.
    Undelivered,
    /// Its code has died before it could be sent.
    Expired,
    /// What it says about its receiver cannot be opened any more.
    Unreadable,
}

/// One attempt to send a message. Whoever reports on another one than the last is too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Which message.
    pub message: MessageId,
    /// The attempt, counted from 1.
    pub attempt: u32,
}

/// Who claims a message: drawn at random for each claim, so that one whose answer was lost can be made again
/// and is told from anybody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimant(pub u64);

/// What people are told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It will be sent.
    Queued,
    /// A provider has it.
    Sent,
    /// It has arrived.
    Delivered,
    /// It will not arrive.
    Failed,
}

impl MessageId {
    /// From 128 random bits.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(Id(random))
    }
}

impl Once {
    /// The same request under a name that begins as that of `account` does.
    #[must_use]
    pub const fn beside(mut self, account: AccountKey) -> Self {
        let ([mine, ..], [its, ..]) = (&mut self.key.0, account.0);
        *mine = its;
        self
    }
}

impl Parcel {
    /// What is kept of the message that this send has led to.
    pub fn queued(&self, started: &Started) -> Delivery {
        Delivery {
            message: self.message,
            sealed: self.sealed.clone(),
            nonce: started.nonce,
            secret: started.secret,
            queued_at: started.sent_at,
            expires_at: started.expires_at,
            next_way: 0,
            attempt: 0,
            state: self.first_state(started.sent_at),
        }
    }

    /// The state in which it is kept if it is asked for `now`.
    pub fn first_state(&self, now: Timestamp) -> State {
        match self.goes {
            Goes::Out => State::Queued {
                due: now + HANDOVER,
            },
            Goes::Nowhere => State::Sent(Sent {
                provider: None,
                reference: None,
                sure: Sure::Sure,
                next_way: None,
                silent_until: None,
            }),
        }
    }
}

impl Delivery {
    /// The attempt that was last begun.
    pub const fn ticket(&self) -> Ticket {
        Ticket {
            message: self.message,
            attempt: self.attempt,
        }
    }

    /// When somebody should look at it: to send it, or since somebody was not heard of.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Queued { due } => Some((*due).min(self.expires_at)),
            State::Sending { until, .. } => Some(*until),
            State::Sent(sent) => sent.silent_until,
            State::Delivered | State::Failed(_) => None,
        }
    }

    /// When it means nothing any more, so that it may be dropped.
    pub fn dead_at(&self) -> Timestamp {
        self.expires_at + AFTERMATH
    }

    /// What people are told of it.
    pub const fn status(&self) -> Status {
        match self.state {
            State::Queued { .. } | State::Sending { .. } => Status::Queued,
            State::Sent(_) => Status::Sent,
            State::Delivered => Status::Delivered,
            State::Failed(_) => Status::Failed,
        }
    }
}

impl Status {
    /// Its name, in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl Failure {
    /// Its name, in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidNumber => "invalid_number",
            Self::Blocked => "blocked",
            Self::Unavailable => "unavailable",
            Self::Undelivered => "undelivered",
            Self::Expired => "expired",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.0)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = text.strip_prefix("msg_").ok_or(InvalidId)?;
        id.parse().map(Self)
    }
}

#[cfg(test)]
mod tests;
