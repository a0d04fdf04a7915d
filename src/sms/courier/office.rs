//! What a courier does with one order: claims the message, has it sent, and reports what became of it; knows nothing of other orders.

use std::time::Duration;

use rand::{TryRng, rngs::SysRng};
use tokio::time::{sleep, timeout};

use super::{Order, Parts, errand::Errand};
use crate::{
    domain::delivery::{Claimant, Delivery, Failure, State, Turn, Turned},
    observe::sms::Outcome,
    sms::MessageId,
};

/// Where orders are carried out.
#[derive(Debug)]
pub struct Office {
    parts: Parts,
    lease: Duration,
}

/// Messages that are taken up at once of those that were left behind.
const ARMFUL: usize = 64;

/// For how long a report is tried after the last way was, should the store not answer.
const REPORT: Duration = Duration::from_secs(2);

/// The first pause between two reports; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(50);

impl Office {
    pub fn new(parts: Parts) -> Self {
        let lease = parts.sms.longest() + REPORT;
        Self { parts, lease }
    }

    /// Messages that may be under way at the same time.
    pub const fn max_in_flight(&self) -> usize {
        self.parts.sms.max_in_flight()
    }

    /// Messages that are due and that nobody carries.
    pub async fn left_behind(&self) -> Vec<Order> {
        match self.parts.store.due(ARMFUL).await {
            Ok(due) => {
                let order = |(challenge, message)| Order { challenge, message };
                due.into_iter().map(order).collect()
            }
            Err(error) => {
                tracing::warn!(%error, "messages that were left behind cannot be looked for");
                Vec::new()
            }
        }
    }

    /// Carries a message, unless somebody else does or nobody is to.
    pub async fn carry(&self, order: Order) {
        let now = self.parts.clock.steady();
        let Some(delivery) = self.claim(order).await else {
            return;
        };
        let ticket = delivery.ticket();
        let errand = Errand::new(order.challenge, delivery, self.lease, now, &self.parts);
        let (turn, outcome) = if let Some(errand) = errand {
            errand.run(&self.parts).await
        } else {
            let message = order.message;
            tracing::error!(message_id = %message, "a message cannot be read any more");
            let turn = Turn::NotSent {
                ticket,
                next_way: 0,
                again: None,
                why: Failure::Unreadable,
            };
            (turn, Outcome::Failed)
        };
        self.turn(order, turn).await;
        self.parts.metrics.sms().outcome(outcome);
    }

    /// Makes it ours. What cannot be claimed for want of a store is found again later.
    async fn claim(&self, order: Order) -> Option<Delivery> {
        let message = order.message;
        let claim = Turn::Claim {
            message,
            by: claimant(message)?,
            lease: self.lease,
        };
        match self.turn(order, claim).await {
            Some(Turned::Claimed(delivery)) => return Some(delivery),
            Some(Turned::Changed(delivery)) => self.note(message, &delivery.state),
            Some(Turned::Unchanged(_)) | None => {}
        }
        None
    }

    /// Tells what time has made of a message that was to be claimed.
    fn note(&self, message: MessageId, state: &State) {
        let outcome = match state {
            State::Sent(_) => {
                tracing::error!(message_id = %message, "nobody says what became of a message; it may have been sent");
                Outcome::Unsure
            }
            State::Failed(why) => {
                tracing::error!(message_id = %message, why = why.as_str(), "a message was not sent");
                Outcome::Failed
            }
            State::Queued { .. } | State::Sending { .. } | State::Delivered => return,
        };
        self.parts.metrics.sms().outcome(outcome);
    }

    /// Has a message take a turn, and tells it again and again as long as anybody waits for that: if nothing is heard of
    /// it, it may have been taken all the same.
    async fn turn(&self, Order { challenge, message }: Order, turn: Turn) -> Option<Turned> {
        let telling = async {
            let mut pause = PAUSE;
            loop {
                match self.parts.store.deliver(challenge, turn.clone()).await {
                    Ok(turned) => break turned,
                    Err(error) => {
                        tracing::warn!(message_id = %message, %error, "a turn of a message cannot be written down");
                    }
                }
                sleep(pause).await;
                pause *= 2;
            }
        };
        timeout(self.lease, telling).await.unwrap_or_else(|_| {
            tracing::error!(message_id = %message, "a turn of a message was not written down");
            None
        })
    }
}

/// Who claims a message this time.
fn claimant(message: MessageId) -> Option<Claimant> {
    let drawn = SysRng.try_next_u64().inspect_err(|error| {
        tracing::error!(message_id = %message, %error, "the operating system gives no random numbers");
    });
    drawn.ok().map(Claimant)
}
