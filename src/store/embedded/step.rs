//! One transaction as the verbs see it: the tables, the time, and what is to be told when it is durable.

use std::time::Duration;

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::{
    deliveries::Deliveries,
    fault::Fault,
    tables::{ACCOUNTS, METERS, ONCE, PURSES, REVOKED, Records},
    windows::Windows,
};
use crate::{
    clock::Timestamp,
    domain::{
        account::{Account, AccountKey, Decision},
        budget::Purse,
        delivery::{Once, Parcel, Turn, Turned},
        fraud::{Debtor, Meter, Place},
        otp::{ChallengeId, Started},
        session::SessionId,
    },
    store::Error,
};

/// Several verbs, one after the other, in one transaction.
#[derive(Debug)]
pub struct Step<'t> {
    /// When it is.
    pub now: Timestamp,
    /// All that is kept of each phone number.
    pub accounts: Records<'t, Account>,
    /// The sliding windows of the limits.
    pub windows: Windows<'t>,
    /// What places owe on whose credit messages are sent.
    pub meters: Records<'t, Meter>,
    /// What was spent of budgets.
    pub purses: Records<'t, Purse>,
    /// Messages on their way.
    pub deliveries: Deliveries<'t>,
    /// Requests that have led to one.
    pub once: Records<'t, Kept>,
    /// Ended sessions; a row is dead when their last access token is.
    pub revoked: Records<'t, ()>,
    ended: Vec<Ended>,
    room: Result<(), Error>,
}

/// What a transaction has led to.
#[derive(Debug)]
pub struct Outcome {
    /// Whether there is anything to commit.
    pub changed: bool,
    /// The sessions that were ended.
    pub ended: Vec<Ended>,
    /// Rows in all tables.
    pub rows: u64,
    /// Messages that are to be looked at, now or later.
    pub pending: u64,
}

/// What is kept of a request that has led to a message, by its name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Follows from what was asked for.
    pub request: [u8; 8],
    /// What was answered.
    pub started: Started,
}

/// A session that was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: SessionId,
    /// When its last access token dies.
    pub until: Timestamp,
}

impl<'t> Step<'t> {
    /// Opens the tables. `room` is what a verb hears that would add something.
    pub fn begin(
        transaction: &'t WriteTransaction,
        now: Timestamp,
        room: Result<(), Error>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            now,
            accounts: Records::open(transaction, ACCOUNTS, "accounts")?,
            windows: Windows::open(transaction)?,
            meters: Records::open(transaction, METERS, "meters")?,
            purses: Records::open(transaction, PURSES, "purses")?,
            deliveries: Deliveries::open(transaction)?,
            once: Records::open(transaction, ONCE, "once")?,
            revoked: Records::open(transaction, REVOKED, "revoked")?,
            ended: Vec::new(),
            room,
        })
    }

    /// Refuses the verb if there is no room for anything new. To be asked before anything is written.
    pub fn may_grow(&self) -> Result<(), Fault> {
        self.room.clone().map_err(Fault::Refused)
    }

    /// The account, which is empty if nothing is known of it.
    pub fn account(&self, key: AccountKey) -> Result<Account, Fault> {
        let known = self.accounts.get(&key.0, self.now)?;
        Ok(known.unwrap_or_default())
    }

    /// Lets the domain change an account, and writes what remains of it.
    pub fn change<T>(
        &mut self,
        key: AccountKey,
        change: impl FnOnce(&mut Account, Timestamp) -> T,
    ) -> Result<T, Fault> {
        let before = self.account(key)?;
        let mut account = before.clone();
        let outcome = change(&mut account, self.now);
        if account != before {
            match account.remains(self.now) {
                Some((account, dead_at)) => self.accounts.put(&key.0, dead_at, &account)?,
                None => self.accounts.remove(&key.0)?,
            }
        }
        Ok(outcome)
    }

    /// What the debtors owe.
    pub fn places(&self, debtors: &[Debtor]) -> Result<Vec<Place>, Fault> {
        let known = |debtor: &Debtor| {
            let meter = self.meters.get(&debtor.meter.0, self.now)?;
            Ok(debtor.owing(meter))
        };
        debtors.iter().map(known).collect()
    }

    /// Writes what they owe now.
    pub fn keep_places(&mut self, debtors: &[Debtor], places: &[Place]) -> Result<(), Fault> {
        for (debtor, Place { meter, .. }) in debtors.iter().zip(places) {
            self.meters.put(&debtor.meter.0, meter.dead_at(), meter)?;
        }
        Ok(())
    }

    /// Queues the message of a send, and remembers the request that it was for.
    pub fn queue(&mut self, parcel: &Parcel, started: &Started) -> Result<(), Fault> {
        self.deliveries.put(started.id, &parcel.queued(started))?;
        if let Some(Once { key, request }) = parcel.once {
            let kept = Kept {
                request,
                started: started.clone(),
            };
            self.once.put(&key.0, started.expires_at, &kept)?;
        }
        Ok(())
    }

    /// Lets the last message of a challenge take a turn, and writes what has become of it.
    pub fn deliver(&mut self, challenge: ChallengeId, turn: Turn) -> Result<Option<Turned>, Fault> {
        let Some(delivery) = self.deliveries.get(challenge, self.now)? else {
            return Ok(None);
        };
        let turned = delivery.step(turn, self.now);
        match &turned {
            Turned::Claimed(delivery) | Turned::Changed(delivery) => {
                self.deliveries.put(challenge, delivery)?;
            }
            Turned::Unchanged(_) => {}
        }
        Ok(Some(turned))
    }

    /// Refuses the access tokens of the sessions that a decision has ended, for `revoked_for`.
    pub fn settle<T>(&mut self, decision: Decision<T>, revoked_for: Duration) -> Result<T, Fault> {
        let until = self.now + revoked_for;
        for id in decision.ended {
            self.revoked.put(id.as_bytes(), until, &())?;
            self.ended.push(Ended { id, until });
        }
        Ok(decision.answer)
    }

    /// Closes the tables, so that the transaction can be committed or aborted.
    pub fn end(mut self) -> Result<Outcome, Fault> {
        self.windows.write_back()?;
        let changed = self.accounts.changed()
            || self.windows.changed()
            || self.meters.changed()
            || self.purses.changed()
            || self.deliveries.changed()
            || self.once.changed()
            || self.revoked.changed();
        let rows = self.accounts.len()?
            + self.windows.len()?
            + self.meters.len()?
            + self.purses.len()?
            + self.deliveries.len()?
            + self.once.len()?
            + self.revoked.len()?;
        Ok(Outcome {
            changed,
            rows,
            pending: self.deliveries.pending()?,
            ended: self.ended,
        })
    }
}
