//! One message that was claimed: what it says, along which ways it goes, and what is to be reported of it; knows nothing of the store.

use std::time::Duration;

use super::{Parts, patience};
use crate::{
    domain::{
        delivery::{Delivery, Failure, State, Turn},
        otp::{ChallengeId, Code},
    },
    observe::sms::Outcome,
    sms::{
        Accepted, Channel, Draft, Fate, Message,
        error::{Cause, Class, Error, Hope},
        letter::Letter,
        route::Way,
        tell::tell,
    },
};

/// A message that is ours to send.
pub struct Errand {
    delivery: Delivery,
    draft: Draft,
    /// All ways to its receiver, those that led nowhere included.
    ways: Vec<Way>,
    /// How many of them did.
    gone: usize,
    /// When its code dies, by our steady clock.
    dies_at: Duration,
}

/// What a message may take on the way to us without counting as a part of its code's life: as
/// little as what it takes behind us.
const ON_THE_WAY: Duration = Duration::from_secs(5);

impl Errand {
    /// What is to be done for a message that was claimed at `now`, for `lease`. `None` if its letter
    /// or its code cannot be made out: the secret of either is gone.
    pub fn new(
        challenge: ChallengeId,
        delivery: Delivery,
        lease: Duration,
        now: Duration,
        parts: &Parts,
    ) -> Option<Self> {
        let masters = &parts.masters;
        let letter = Letter::open(&delivery.sealed, masters, delivery.message).ok()?;
        let master = masters.find(delivery.secret)?;
        Some(Self {
            ways: parts.sms.ways(&letter.to, letter.channel),
            gone: usize::from(delivery.next_way),
            dies_at: now + left(&delivery, lease),
            draft: Draft {
                id: delivery.message,
                challenge,
                to: letter.to,
                locale: letter.locale,
                code: Code::derive(master, delivery.nonce, parts.length)?,
            },
            delivery,
        })
    }

    /// Runs it: what is to be reported, and what to be counted.
    pub async fn run(self, parts: &Parts) -> (Turn, Outcome) {
        let ahead = self.ways.get(self.gone..).unwrap_or_default();
        let write = |channel| self.write(channel, parts);
        let fate = parts
            .sms
            .carry(ahead, write, &mut |attempt| tell(attempt, &parts.metrics))
            .await;
        match fate {
            Fate::Taken { way, accepted } => self.taken(way, accepted, parts),
            Fate::Unsure { way, error } => self.unsure(way, &error),
            Fate::NotSent { error } => self.not_sent(&error, parts),
        }
    }

    /// The message for a channel, as long as its code lives.
    fn write(&self, channel: Channel, parts: &Parts) -> Option<Message> {
        let left = self.left_at(parts.clock.steady());
        if left.is_zero() {
            return None;
        }
        let valid_for = (left + ON_THE_WAY).min(self.life());
        self.draft.write(&parts.wording, channel, valid_for)
    }

    fn taken(&self, way: usize, accepted: Accepted, parts: &Parts) -> (Turn, Outcome) {
        let (message, to) = (self.delivery.message, self.draft.to.masked());
        let (provider, reference) = (accepted.provider, accepted.reference);
        // What a provider calls it is what its support will ask for.
        if let Some(reference) = &reference {
            tracing::info!(message_id = %message, to, provider, reference, "a message was taken");
        }
        let turn = Turn::Taken {
            ticket: self.delivery.ticket(),
            provider: provider.to_owned(),
            reference,
            next_way: self.behind(way),
            silence: parts.sms.silence(),
        };
        (turn, Outcome::Taken)
    }

    fn unsure(&self, way: usize, error: &Error) -> (Turn, Outcome) {
        let (message, to) = (self.delivery.message, self.draft.to.masked());
        tracing::error!(message_id = %message, to, %error, "a message may have been sent");
        let asked = self.ways.get(self.gone + way);
        let turn = Turn::Unsure {
            ticket: self.delivery.ticket(),
            provider: asked.map_or_else(String::new, |way| way.provider.to_string()),
            next_way: self.behind(way),
        };
        (turn, Outcome::Unsure)
    }

    fn not_sent(&self, error: &Error, parts: &Parts) -> (Turn, Outcome) {
        let (message, to) = (self.delivery.message, self.draft.to.masked());
        let again = self.again(error, parts.clock.steady());
        let outcome = if let Some(pause) = again {
            tracing::warn!(message_id = %message, to, %error, ?pause, "a message is to be sent again");
            Outcome::Again
        } else {
            tracing::error!(message_id = %message, to, %error, "a message could not be sent");
            Outcome::Failed
        };
        let turn = Turn::NotSent {
            ticket: self.delivery.ticket(),
            next_way: self.delivery.next_way,
            again,
            why: why(error),
        };
        (turn, outcome)
    }

    /// After which pause it is tried again, if it is.
    fn again(&self, error: &Error, now: Duration) -> Option<Duration> {
        let no_way = self.gone >= self.ways.len();
        if no_way || error.class.hope() < Hope::Later || error.cause == Cause::TooLate {
            return None;
        }
        let left = self.left_at(now);
        patience::pause(self.life().saturating_sub(left), left)
    }

    /// The way behind the one that was gone last, if there is one.
    fn behind(&self, way: usize) -> Option<u8> {
        let next = self.gone + way + 1;
        u8::try_from(next).ok().filter(|_| next < self.ways.len())
    }

    /// How long the code lives, all in all.
    fn life(&self) -> Duration {
        let delivery = &self.delivery;
        delivery.expires_at.since(delivery.queued_at)
    }

    fn left_at(&self, now: Duration) -> Duration {
        self.dies_at.saturating_sub(now)
    }
}

/// How long the code lived when its message was claimed, by the store's clock: the wall clock of
/// this machine may be another one.
fn left(delivery: &Delivery, lease: Duration) -> Duration {
    match delivery.state {
        State::Sending { until, .. } => delivery.expires_at.since(until.minus(lease)),
        State::Queued { .. } | State::Sent(_) | State::Delivered | State::Failed(_) => {
            Duration::ZERO
        }
    }
}

/// What a message has failed for, in the words that are kept.
fn why(error: &Error) -> Failure {
    if error.cause == Cause::TooLate {
        return Failure::Expired;
    }
    match error.class {
        Class::InvalidNumber => Failure::InvalidNumber,
        Class::Blocked => Failure::Blocked,
        Class::Throttled { .. } | Class::Down | Class::Misconfigured | Class::Unknown => {
            Failure::Unavailable
        }
    }
}
