//! When a provider is not asked for a while: a rule about what came of earlier messages; knows neither the provider nor where "now" comes from.

use std::time::Duration;

use super::{
    Accepted,
    error::{Class, Error},
};

/// How much is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many failures in a row, and nothing in between, open it.
    pub failures: u32,
    /// For how long it is open then.
    pub pause: Duration,
}

/// Stands in front of one provider. All moments are times since some beginning.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: Policy,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Everybody may pass.
    Closed {
        /// In a row, up to now.
        failures: u32,
    },
    /// Nobody may.
    Open {
        /// From when on.
        since: Duration,
        /// When one may.
        until: Duration,
    },
    /// One has passed, and its fate decides.
    Trying {
        /// From when on nobody else could.
        since: Duration,
        /// When it passed.
        from: Duration,
        /// When the next one may, should nobody hear of it any more.
        until: Duration,
    },
}

/// What an attempt tells about its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It works.
    Well,
    /// It does not.
    Ill,
    /// It wants to be left alone for so long.
    Busy(Duration),
    /// Nothing: it was about the number.
    Nothing,
}

/// What became of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its provider is not asked any more.
    Opened,
    /// It is asked again.
    Closed,
}

/// Whatever a provider says, it is not left alone for longer.
const LONGEST: Duration = Duration::from_mins(10);

impl Breaker {
    /// A closed one.
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether one more message may be tried at `now`. Of those that ask after the pause, the first
    /// one may.
    pub fn admits(&mut self, now: Duration) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { since, until } | State::Trying { since, until, .. } if until <= now => {
                self.state = State::Trying {
                    since,
                    from: now,
                    until: now + self.policy.pause,
                };
                true
            }
            State::Open { .. } | State::Trying { .. } => false,
        }
    }

    /// Since when it has been open, if it is.
    pub const fn open_since(&self) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { since, .. } | State::Trying { since, .. } => Some(since),
        }
    }

    /// An attempt that began at `began` has ended like this.
    pub fn note(&mut self, sign: Sign, began: Duration, now: Duration) -> Option<Change> {
        // What began before it opened is old news.
        if self.open_since().is_some_and(|since| began < since) {
            return None;
        }
        let open = |since, span: Duration| State::Open {
            since,
            until: now + span.min(LONGEST),
        };
        let pause = self.policy.pause;
        let (next, change) = match (self.state, sign) {
            (State::Closed { .. }, Sign::Well) => (State::Closed { failures: 0 }, None),
            (State::Closed { failures }, Sign::Ill) if failures + 1 < self.policy.failures => {
                let failures = failures + 1;
                (State::Closed { failures }, None)
            }
            (State::Closed { .. }, Sign::Ill) => (open(now, pause), Some(Change::Opened)),
            (State::Closed { .. }, Sign::Busy(span)) => (open(now, span), Some(Change::Opened)),
            (State::Open { .. } | State::Trying { .. }, Sign::Well) => {
                (State::Closed { failures: 0 }, Some(Change::Closed))
            }
            (State::Open { since, .. } | State::Trying { since, .. }, Sign::Busy(span)) => {
                (open(since, span), None)
            }
            (State::Trying { since, from, .. }, Sign::Ill) if from <= began => {
                (open(since, pause), None)
            }
            // The one that was let pass has told nothing: the next one may pass.
            (State::Trying { since, from, .. }, Sign::Nothing) if from <= began => {
                (open(since, Duration::ZERO), None)
            }
            (State::Closed { .. }, Sign::Nothing)
            | (State::Open { .. } | State::Trying { .. }, Sign::Ill | Sign::Nothing) => {
                return None;
            }
        };
        self.state = next;
        change
    }
}

impl Sign {
    /// What is to be seen in what came of an attempt.
    pub const fn of(result: &Result<Accepted, Error>) -> Self {
        match result {
            Ok(_) => Self::Well,
            Err(error) => match error.class {
                Class::Throttled {
                    retry_after: Some(span),
                } => Self::Busy(span),
                Class::Throttled { retry_after: None }
                | Class::Down
                | Class::Misconfigured
                | Class::Unknown => Self::Ill,
                Class::InvalidNumber | Class::Blocked => Self::Nothing,
            },
        }
    }
}

#[cfg(test)]
mod tests;
