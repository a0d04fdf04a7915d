//! One message along its ways until somebody takes it; knows nothing of where it comes from, nor of what is remembered of it.

use std::{ops::ControlFlow, time::Duration};

use super::{
    Accepted, Carrier, Channel, Message, Provider, Sms,
    breaker::{Change, Sign},
    error::{Cause, Class, Error},
    route::Way,
};

/// One provider's try to send a message.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Who tried.
    pub provider: &'a Provider,
    /// What was to be sent.
    pub channel: Channel,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: &'a Result<Accepted, Error>,
    /// What this means for its breaker.
    pub change: Option<Change>,
}

/// What became of a message. Ways are named by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A provider took it, which does not mean that it arrives.
    Taken {
        /// On which way.
        way: usize,
        /// What the provider said.
        accepted: Accepted,
    },
    /// It may have been sent. Nobody else may be asked.
    Unsure {
        /// On which way.
        way: usize,
        /// Why that is not known.
        error: Error,
    },
    /// Certainly nobody has sent it.
    NotSent {
        /// Of all reasons, the one that leaves the most hope.
        error: Error,
    },
}

/// Whoever hears of every attempt.
pub type Watch<'w> = &'w mut (dyn FnMut(&Attempt<'_>) + Send);

impl Sms {
    /// Sends a message along `ways`; `write` writes it for a channel, as long as it is of use. The
    /// next way is tried at once when the one before certainly led nowhere, and none when that is
    /// not known. A provider whose breaker is open is passed by, unless nobody else could be asked:
    /// then the one whose breaker opened first gets the message all the same.
    pub async fn carry(
        &self,
        ways: &[Way],
        write: impl Fn(Channel) -> Option<Message>,
        watch: Watch<'_>,
    ) -> Fate {
        let mut passed = Vec::new();
        let mut failed: Vec<Error> = Vec::new();
        // Nobody writes to this number on it, whoever is asked.
        let mut unreachable = None;
        let mut asked = None;
        for (at, way) in ways.iter().enumerate() {
            let Some(carrier) = self.carrier(way.provider) else {
                continue;
            };
            if unreachable == Some(way.channel) {
                continue;
            }
            if let Some(since) = self.closed_to(carrier) {
                passed.push((since, at, carrier, way.channel));
                failed.push(pass_by(carrier, way.channel, watch));
                continue;
            }
            asked = Some(at);
            match self.ask(at, carrier, write(way.channel), watch).await {
                ControlFlow::Break(fate) => return fate,
                ControlFlow::Continue(error) => {
                    if error.class == Class::InvalidNumber {
                        unreachable = Some(way.channel);
                    }
                    failed.push(error);
                }
            }
        }
        let first = passed.into_iter().min_by_key(|(since, ..)| *since);
        if let (None, Some((_, at, carrier, channel))) = (asked, first) {
            match self.ask(at, carrier, write(channel), watch).await {
                ControlFlow::Break(fate) => return fate,
                ControlFlow::Continue(error) => failed.push(error),
            }
        }
        let nobody = || Error::new(Class::Misconfigured, Cause::WrongChannel);
        let error = failed.into_iter().max_by_key(|error| error.class.hope());
        Fate::NotSent {
            error: error.unwrap_or_else(nobody),
        }
    }

    /// Since when its breaker lets nobody pass.
    fn closed_to(&self, carrier: &Carrier) -> Option<Duration> {
        let mut breaker = carrier.breaker();
        let since = breaker.open_since();
        let admitted = breaker.admits(self.clock.steady());
        since.filter(|_| !admitted)
    }

    /// Has a provider try it: the end of the journey, or the reason to go on.
    async fn ask(
        &self,
        way: usize,
        carrier: &Carrier,
        message: Option<Message>,
        watch: Watch<'_>,
    ) -> ControlFlow<Fate, Error> {
        let Some(message) = message else {
            let error = Error::new(Class::Down, Cause::TooLate);
            return ControlFlow::Break(Fate::NotSent { error });
        };
        let began = self.clock.steady();
        let result = carrier.provider.send(&message).await;
        let now = self.clock.steady();
        let change = carrier.breaker().note(Sign::of(&result), began, now);
        watch(&Attempt {
            provider: &carrier.provider,
            channel: message.channel,
            took: now.saturating_sub(began),
            result: &result,
            change,
        });
        match result {
            Ok(accepted) => ControlFlow::Break(Fate::Taken { way, accepted }),
            Err(error) if error.class == Class::Unknown => {
                ControlFlow::Break(Fate::Unsure { way, error })
            }
            Err(error) => ControlFlow::Continue(error),
        }
    }
}

impl Fate {
    /// What the last word was.
    pub fn result(self) -> Result<Accepted, Error> {
        match self {
            Self::Taken { accepted, .. } => Ok(accepted),
            Self::Unsure { error, .. } | Self::NotSent { error } => Err(error),
        }
    }
}

/// What is told of a provider that is left alone.
fn pass_by(carrier: &Carrier, channel: Channel, watch: Watch<'_>) -> Error {
    let error = Error::new(Class::Down, Cause::LeftAlone);
    watch(&Attempt {
        provider: &carrier.provider,
        channel,
        took: Duration::ZERO,
        result: &Err(error.clone()),
        change: None,
    });
    error
}
