//! A turn of a message: its row is read, the domain decides, and the row is written if nobody was faster.
//!
//! So the rules stand in one place, at the price of a second round trip, and of another two for everybody who comes
//! second. If the answer to the writing is lost, the turn may have been taken, and the link does not
//! repeat it: the caller does, see [`crate::store::Store::deliver`].

use super::{Run, row};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::{Delivery, Turn, Turned},
        otp::ChallengeId,
    },
    store::{
        Error,
        redis::{Redis, keys::message_group, packed::Packed, reply::Nonsense, scripts},
    },
};

/// How often somebody else may be faster. Each time the message has moved on, and it has few turns to take.
const TRIES: u32 = 16;

/// A message as it was found.
struct Found {
    now: Timestamp,
    row: Vec<u8>,
    delivery: Delivery,
}

impl Redis {
    /// See [`crate::store::Store::deliver`].
    pub async fn deliver(
        &self,
        challenge: ChallengeId,
        turn: Turn,
    ) -> Result<Option<Turned>, Error> {
        for _ in 0..TRIES {
            let Some(Found { now, row, delivery }) = self.find(challenge).await? else {
                return Ok(None);
            };
            let turned = delivery.step(turn.clone(), now);
            let is_kept = match &turned {
                Turned::Claimed(delivery) | Turned::Changed(delivery) => {
                    self.replace(challenge, &row, delivery).await?
                }
                Turned::Unchanged(_) => true,
            };
            if is_kept {
                return Ok(Some(turned));
            }
        }
        Err(Error::Overloaded)
    }

    /// See [`crate::store::Store::delivery`].
    pub async fn delivery(&self, challenge: ChallengeId) -> Result<Option<Delivery>, Error> {
        let found = self.find(challenge).await?;
        Ok(found.map(|Found { now, delivery, .. }| delivery.at(now)))
    }

    /// The message, if it is alive.
    async fn find(&self, challenge: ChallengeId) -> Result<Option<Found>, Error> {
        let group = message_group(challenge);
        let run = Run {
            script: &scripts::GET_DELIVERY,
            group,
            keys: &[self.shared.keys.deliveries(group)],
            args: &[challenge.as_bytes()],
        };
        self.run(run, |mut reply| {
            reply.word()?;
            let (now, row) = (reply.moment()?, reply.word()?);
            if row.is_empty() {
                return reply.end(None);
            }
            let delivery = row::read(&row)?;
            let is_alive = delivery.dead_at() > now;
            reply.end(is_alive.then_some(Found { now, row, delivery }))
        })
        .await
    }

    /// Whether it was kept in place of the row `before`.
    async fn replace(
        &self,
        challenge: ChallengeId,
        before: &[u8],
        delivery: &Delivery,
    ) -> Result<bool, Error> {
        let group = message_group(challenge);
        let keys = &self.shared.keys;
        let after = row::write(delivery).map_err(|Nonsense| self.nonsense())?;
        let due = Packed::new().moment(delivery.due_at().unwrap_or_default());
        let run = Run {
            script: &scripts::PUT_DELIVERY,
            group,
            keys: &[keys.deliveries(group), keys.queue(group)],
            args: &[challenge.as_bytes(), before, &after, due.as_ref()],
        };
        self.run(run, |mut reply| match reply.word()?.as_slice() {
            b"kept" => reply.end(true),
            b"late" => reply.end(false),
            _ => Err(Nonsense),
        })
        .await
    }
}
