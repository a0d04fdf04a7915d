//! Where receipts are entered, and what follows: the message has arrived, or goes the next way; knows nothing of who is believed.

use std::time::Duration;

use tokio::time::sleep;

use super::{Outcome, Receipt};
use crate::{
    clock::Clock,
    domain::delivery::{Failure, State, Turn, Turned},
    observe::{metrics::Metrics, receipts::Learnt},
    reject::{Code, Reject},
    sms::courier::Courier,
    store::{self, Store},
};

/// Enters receipts. Each may come twice, late, or in any order.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Where messages are remembered.
    pub store: Store,
    /// Carries those that are to go another way.
    pub courier: Courier,
    /// Where receipts are counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

/// A receipt could not be entered now, and may be told again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Whoever hands the message over has not heard yet that the provider took it.
    #[error("the message is still being handed over")]
    Early,
}

/// Pauses, in milliseconds, in which a provider's word on handing over catches up with its receipt:
/// some are faster with the latter.
const PAUSES: [u64; 6] = [50, 100, 200, 400, 800, 1600];

impl Ledger {
    /// Enters what `provider` has told.
    pub async fn enter(&self, provider: &'static str, receipt: &Receipt) -> Result<(), NotNow> {
        let learnt = match receipt.told.outcome {
            Some(outcome) => self.turn(receipt, outcome).await?,
            None => Learnt::UnderWay,
        };
        self.metrics.receipts().count(provider, learnt);
        let message_id = receipt.message;
        let (outcome, reason) = (learnt.as_str(), receipt.told.reason.as_ref());
        match learnt {
            Learnt::Lost => {
                let reason = reason.map(tracing::field::display);
                tracing::warn!(%message_id, provider, reason, "a message did not arrive");
            }
            Learnt::Arrived(_) => tracing::info!(%message_id, provider, "a message has arrived"),
            Learnt::UnderWay | Learnt::Nothing => {
                tracing::debug!(%message_id, provider, outcome, "a receipt says nothing new");
            }
        }
        Ok(())
    }

    async fn turn(&self, receipt: &Receipt, outcome: Outcome) -> Result<Learnt, NotNow> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let turn = Turn::Receipt {
                message: receipt.message,
                reference: receipt.told.reference.clone(),
                outcome,
            };
            let Some(turned) = self.store.deliver(receipt.challenge, turn).await? else {
                return Ok(Learnt::Nothing);
            };
            if !is_early(&turned, receipt) {
                return Ok(self.learn(receipt, turned, outcome));
            }
            let pause = pauses.next().ok_or(NotNow::Early)?;
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// What a turn has taught. A message that is to go another way goes at once.
    fn learn(&self, receipt: &Receipt, turned: Turned, outcome: Outcome) -> Learnt {
        let Turned::Changed(delivery) = turned else {
            return Learnt::Nothing;
        };
        if let State::Queued { .. } = delivery.state {
            self.courier.hurry(receipt.challenge, receipt.message);
        }
        // Time may have changed it, too: only what the receipt has led to was learnt from it.
        let state = &delivery.state;
        let is_lost = matches!(
            state,
            State::Queued { .. } | State::Failed(Failure::Undelivered)
        );
        match outcome {
            Outcome::Arrived if *state == State::Delivered => {
                Learnt::Arrived(self.clock.now().since(delivery.queued_at))
            }
            Outcome::Lost if is_lost => Learnt::Lost,
            Outcome::Arrived | Outcome::Lost => Learnt::Nothing,
        }
    }
}

/// Whether it is still being handed over what the provider says was lost.
fn is_early(turned: &Turned, receipt: &Receipt) -> bool {
    let delivery = turned.delivery();
    let is_lost = receipt.told.outcome == Some(Outcome::Lost);
    let is_meant = delivery.message == receipt.message;
    is_lost && is_meant && matches!(delivery.state, State::Sending { .. })
}

impl From<NotNow> for Reject {
    fn from(why: NotNow) -> Self {
        match why {
            NotNow::Store(error) => error.into(),
            NotNow::Early => Self::new(
                Code::Overloaded,
                "The message is still being handed over; try again.",
            )
            .retry_after(Duration::from_secs(1)),
        }
    }
}
