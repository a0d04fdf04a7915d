//! The turns that a message may take, as the one place that says which of them change anything.

use std::time::Duration;

use super::{Claimant, Delivery, Failure, MessageId, Sent, State, Sure, Ticket};
use crate::clock::Timestamp;

/// Something that happens to a message. One that does not fit changes nothing, so that each may come late, and be
/// told again by whoever has heard no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Somebody will send it, if nobody else does.
    Claim {
        /// Which they have in mind.
        message: MessageId,
        /// Who: the same when the same claim is made again for want of an answer, and only then.
        by: Claimant,
        /// How long that takes at most.
        lease: Duration,
    },
    /// A provider has taken it.
    Taken {
        /// In which attempt.
        ticket: Ticket,
        /// Who.
        provider: String,
        /// The provider's name for it.
        reference: Option<String>,
        /// The way to try if this one has led nowhere.
        next_way: Option<u8>,
        /// After how long without a receipt that is tried.
        silence: Option<Duration>,
    },
    /// It was certainly not sent.
    NotSent {
        /// In which attempt.
        ticket: Ticket,
        /// The way to try next time.
        next_way: u8,
        /// When that is; `None` if there is no sense in it.
        again: Option<Duration>,
        /// What it has failed for if it is not tried again.
        why: Failure,
    },
    /// It may have been sent.
    Unsure {
        /// In which attempt.
        ticket: Ticket,
        /// By whom.
        provider: String,
        /// The way to try if a receipt says that it was lost.
        next_way: Option<u8>,
    },
    /// It was heard what became of it.
    Receipt {
        /// Which is meant.
        message: MessageId,
        /// The provider's name for it, if that is told.
        reference: Option<String>,
        /// What was heard.
        outcome: Outcome,
    },
    /// Somebody knows its code.
    Answered,
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has arrived.
    Arrived,
    /// It will not arrive.
    Lost,
}

/// What a turn has made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turned {
    /// It is for the claimant to send, and for nobody else.
    Claimed(Delivery),
    /// The turn, or the time that has passed, has changed it.
    Changed(Delivery),
    /// Nothing has. A receipt that finds it being sent has come early, and may be told again.
    Unchanged(Delivery),
}

impl Turned {
    /// The message as it is now.
    pub const fn delivery(&self) -> &Delivery {
        let (Self::Claimed(delivery) | Self::Changed(delivery) | Self::Unchanged(delivery)) = self;
        delivery
    }
}

impl Delivery {
    /// What becomes of it by `turn`.
    #[must_use]
    pub fn step(self, turn: Turn, now: Timestamp) -> Turned {
        let before = self.state.clone();
        let mut delivery = self.at(now);
        if let Turn::Claim { message, by, lease } = turn {
            if delivery.message == message && delivery.claim(by, lease, now) {
                return Turned::Claimed(delivery);
            }
        } else if let Some(state) = delivery.next_state(turn, now) {
            delivery.state = state;
        }
        if delivery.state == before {
            Turned::Unchanged(delivery)
        } else {
            Turned::Changed(delivery)
        }
    }

    /// What time has made of it.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        let is_dead = self.expires_at <= now;
        match &mut self.state {
            State::Queued { .. } if is_dead => self.state = State::Failed(Failure::Expired),
            State::Sending { until, .. } if *until <= now => {
                self.state = State::Sent(Sent {
                    provider: None,
                    reference: None,
                    sure: Sure::Unsure,
                    next_way: self.next_way.checked_add(1),
                    silent_until: None,
                });
            }
            State::Sent(sent) if is_dead => sent.silent_until = None,
            State::Queued { .. }
            | State::Sending { .. }
            | State::Sent(_)
            | State::Delivered
            | State::Failed(_) => {}
        }
        self
    }

    /// Whether it is the claimant's from now on.
    fn claim(&mut self, by: Claimant, lease: Duration, now: Timestamp) -> bool {
        match &self.state {
            State::Queued { .. } => {}
            State::Sending { by: before, .. } if *before == by => return true,
            State::Sent(sent) if sent.silent_until.is_some_and(|until| until <= now) => {
                self.next_way = sent.next_way.unwrap_or(self.next_way);
            }
            State::Sending { .. } | State::Sent(_) | State::Delivered | State::Failed(_) => {
                return false;
            }
        }
        self.attempt = self.attempt.saturating_add(1);
        self.state = State::Sending {
            until: now + lease,
            by,
        };
        true
    }

    /// The state that follows; `None` if the turn does not fit.
    fn next_state(&mut self, turn: Turn, now: Timestamp) -> Option<State> {
        match turn {
            Turn::Claim { .. } => None,
            Turn::Taken {
                ticket,
                provider,
                reference,
                next_way,
                silence,
            } => self.is_awaited(ticket).then(|| {
                let until = silence.map(|silence| now + silence);
                State::Sent(Sent {
                    provider: Some(provider),
                    reference,
                    sure: Sure::Sure,
                    next_way,
                    silent_until: until.filter(|at| next_way.is_some() && *at < self.expires_at),
                })
            }),
            Turn::NotSent {
                ticket,
                next_way,
                again,
                why,
            } => self
                .is_awaited(ticket)
                .then(|| match again.map(|pause| now + pause) {
                    Some(due) => self.queue(next_way, due, why),
                    None => State::Failed(why),
                }),
            Turn::Unsure {
                ticket,
                provider,
                next_way,
            } => self.is_awaited(ticket).then_some(State::Sent(Sent {
                provider: Some(provider),
                reference: None,
                sure: Sure::Unsure,
                next_way,
                silent_until: None,
            })),
            Turn::Receipt {
                message,
                reference,
                outcome,
            } => {
                if self.message != message {
                    return None;
                }
                match outcome {
                    Outcome::Arrived => Some(State::Delivered),
                    Outcome::Lost => self.lost(reference.as_deref(), now),
                }
            }
            Turn::Answered => Some(State::Delivered),
        }
    }

    /// Whether this attempt is the last, and it was not heard yet what came of it.
    fn is_awaited(&self, ticket: Ticket) -> bool {
        let is_open = match &self.state {
            State::Sending { .. } => true,
            // Given up, but only for want of news.
            State::Sent(sent) => sent.provider.is_none() && sent.sure == Sure::Unsure,
            State::Queued { .. } | State::Delivered | State::Failed(_) => false,
        };
        is_open && self.ticket() == ticket
    }

    /// A receipt says that it did not arrive, under the name `reference`.
    fn lost(&mut self, reference: Option<&str>, now: Timestamp) -> Option<State> {
        let State::Sent(sent) = &self.state else {
            return None;
        };
        // Of several attempts another one may be meant, and this one still arrive.
        let is_meant = match (reference, sent.reference.as_deref()) {
            (Some(told), Some(known)) => told == known,
            (None, _) | (_, None) => self.attempt == 1,
        };
        let next_way = sent.next_way;
        is_meant.then(|| match next_way {
            Some(way) => self.queue(way, now, Failure::Undelivered),
            None => State::Failed(Failure::Undelivered),
        })
    }

    /// To be tried by `way` when it is due, if its code still lives then.
    fn queue(&mut self, way: u8, due: Timestamp, why: Failure) -> State {
        if due >= self.expires_at {
            return State::Failed(why);
        }
        self.next_way = way;
        State::Queued { due }
    }
}
