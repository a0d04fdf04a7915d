//! Messages on tables: the last one of each challenge, and when which is due; what becomes of one is said by `domain::delivery`.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::{
    fault::Fault,
    tables::{Cursor, DELIVERIES, DUE, Key, Records},
};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::{Delivery, MessageId},
        otp::ChallengeId,
    },
};

/// The two tables of the messages.
#[derive(Debug)]
pub struct Deliveries<'t> {
    rows: Records<'t, Delivery>,
    due: Table<'t, (u64, &'static Key), ()>,
    changed: bool,
}

/// Of those that are due so many are passed over at most, since they are dead.
const PASSED_OVER: usize = 1024;

impl<'t> Deliveries<'t> {
    /// Opens the tables within `transaction`.
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: Records::open(transaction, DELIVERIES, "deliveries")?,
            due: transaction.open_table(DUE)?,
            changed: false,
        })
    }

    /// The last message of a challenge, if it is alive at `now`.
    pub fn get(&self, challenge: ChallengeId, now: Timestamp) -> Result<Option<Delivery>, Fault> {
        self.rows.get(challenge.as_bytes(), now)
    }

    /// Keeps it in place of an earlier one.
    pub fn put(&mut self, challenge: ChallengeId, delivery: &Delivery) -> Result<(), Fault> {
        let key = challenge.as_bytes();
        let (was_due, due) = (self.due_at(key)?, delivery.due_at());
        if was_due != due {
            if let Some(at) = was_due {
                self.due.remove((at.as_millis(), key))?;
            }
            if let Some(at) = due {
                self.due.insert((at.as_millis(), key), ())?;
            }
        }
        self.rows.put(key, delivery.dead_at(), delivery)
    }

    /// Those that are due at `now`, the oldest first and at most `limit`. The dead among them are forgotten.
    pub fn due(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(ChallengeId, MessageId)>, Fault> {
        let (mut found, mut dead) = (Vec::new(), Vec::new());
        let until_now = ..=(now.as_millis(), &[u8::MAX; 16]);
        for row in self.due.range::<(u64, &Key)>(until_now)? {
            if found.len() == limit || dead.len() == PASSED_OVER {
                break;
            }
            let (row, ()) = row.map(|(row, nothing)| (row, nothing.value()))?;
            let (at, key) = row.value();
            match self.rows.get(key, now)? {
                Some(delivery) => found.push((ChallengeId::new(*key), delivery.message)),
                None => dead.push((at, *key)),
            }
        }
        for (at, key) in dead {
            self.changed |= self.due.remove((at, &key))?.is_some();
        }
        Ok(found)
    }

    /// Removes what is dead among the next `rows` messages.
    pub fn sweep(&mut self, cursor: &mut Cursor, rows: usize, now: Timestamp) -> Result<(), Fault> {
        for key in self.rows.dead(cursor, rows, now)? {
            if let Some(at) = self.due_at(&key)? {
                self.due.remove((at.as_millis(), &key))?;
            }
            self.rows.remove(&key)?;
        }
        Ok(())
    }

    /// How many are to be looked at, now or later.
    pub fn pending(&self) -> Result<u64, Fault> {
        Ok(self.due.len()?)
    }

    /// How many rows there are, the dead ones included.
    pub fn len(&self) -> Result<u64, Fault> {
        Ok(self.rows.len()? + self.due.len()?)
    }

    /// How many messages were written in this transaction.
    pub const fn written(&self) -> usize {
        self.rows.written()
    }

    /// Whether anything was written or removed.
    pub const fn changed(&self) -> bool {
        self.changed || self.rows.changed()
    }

    /// When the one that is kept, dead or alive, is due.
    fn due_at(&self, key: &Key) -> Result<Option<Timestamp>, Fault> {
        let kept = self.rows.get(key, Timestamp::default())?;
        Ok(kept.and_then(|kept| kept.due_at()))
    }
}
