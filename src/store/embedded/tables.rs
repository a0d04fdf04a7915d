//! The schema: which tables there are and how a record is written; knows no verb.

use std::{marker::PhantomData, ops::Bound};

use redb::{ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::fault::Fault;
use crate::clock::Timestamp;

/// Accounts, sessions and buckets are all known by 128 bits.
pub type Key = [u8; 16];

/// The layout of everything below. A file that says another number is not touched.
pub const FORMAT: u32 = 2;

/// The format of the file, and the numbers of the copies it has to do with.
pub const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
/// In [`META`]: the copy that has read this file since it was last worked on.
pub const COPIED_BY: &str = "copied_by";
/// In [`META`]: the copy that has made this file.
pub const COPY_OF: &str = "copy_of";
/// All that is kept of each phone number.
pub const ACCOUNTS: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("accounts");
/// Ended sessions whose access tokens may still be alive.
pub const REVOKED: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("revoked");
/// The sliding window of each bucket.
pub const WINDOWS: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("windows");
/// What each place owes on whose credit messages are sent. A file of a gateway that did not guard them has no
/// such table until it is worked on.
pub const METERS: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("meters");
/// What was spent of each budget. As the one before.
pub const PURSES: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("purses");
/// The last message of each challenge. A file of a gateway that did not queue messages has neither this nor the next
/// two tables until it is worked on.
pub const DELIVERIES: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("deliveries");
/// Which messages are to be looked at, by the moment in milliseconds and the challenge.
pub const DUE: TableDefinition<'_, (u64, &Key), ()> = TableDefinition::new("due");
/// Requests that have led to a message, by the names that callers gave them.
pub const ONCE: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("once");
/// When the events of large windows happened, in milliseconds, by bucket and slot.
pub const EVENTS: TableDefinition<'_, (&Key, u32), u64> = TableDefinition::new("events");

/// A table of records, each with the moment from which on it means nothing. Reading skips what is
/// dead, so that it makes no difference whether the sweep has been there.
#[derive(Debug)]
pub struct Records<'t, T> {
    table: Table<'t, &'static Key, &'static [u8]>,
    name: &'static str,
    /// Rows that were put here in this transaction, and whether there was any change at all.
    written: usize,
    changed: bool,
    of: PhantomData<fn() -> T>,
}

/// Where the sweep of one table stands: the next key to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor(Key);

impl<'t, T: Serialize + DeserializeOwned> Records<'t, T> {
    /// Opens the table within `transaction`.
    pub fn open(
        transaction: &'t WriteTransaction,
        definition: TableDefinition<'static, &'static Key, &'static [u8]>,
        name: &'static str,
    ) -> Result<Self, Fault> {
        Ok(Self {
            table: transaction.open_table(definition)?,
            name,
            written: 0,
            changed: false,
            of: PhantomData,
        })
    }

    /// The record under `key`, if it is alive at `now`.
    pub fn get(&self, key: &Key, now: Timestamp) -> Result<Option<T>, Fault> {
        let Some(row) = self.table.get(key)? else {
            return Ok(None);
        };
        let (dead_at, record) = split(row.value()).ok_or(self.unreadable())?;
        if dead_at <= now {
            return Ok(None);
        }
        decode(record).map(Some).ok_or(self.unreadable())
    }

    /// Writes the record, which means something until `dead_at`.
    pub fn put(&mut self, key: &Key, dead_at: Timestamp, record: &T) -> Result<(), Fault> {
        let row = encode(dead_at, record).ok_or(self.unreadable())?;
        self.table.insert(key, row.as_slice())?;
        self.written += 1;
        self.changed = true;
        Ok(())
    }

    /// Forgets the record.
    pub fn remove(&mut self, key: &Key) -> Result<(), Fault> {
        self.changed |= self.table.remove(key)?.is_some();
        Ok(())
    }

    /// The keys of the dead among the next `rows` rows. The cursor moves on, and comes back to the
    /// beginning after the last row.
    pub fn dead(
        &self,
        cursor: &mut Cursor,
        rows: usize,
        now: Timestamp,
    ) -> Result<Vec<Key>, Fault> {
        let mut dead = Vec::new();
        let mut range = self
            .table
            .range::<&Key>((Bound::Included(&cursor.0), Bound::Unbounded))?;
        for _ in 0..rows {
            let Some(row) = range.next() else {
                *cursor = Cursor::default();
                return Ok(dead);
            };
            let (key, row) = row?;
            if split(row.value()).is_some_and(|(dead_at, _)| dead_at <= now) {
                dead.push(*key.value());
            }
        }
        *cursor = match range.next().transpose()? {
            Some((key, _)) => Cursor(*key.value()),
            None => Cursor::default(),
        };
        Ok(dead)
    }

    /// How many rows there are, the dead ones included.
    pub fn len(&self) -> Result<u64, Fault> {
        Ok(self.table.len()?)
    }

    /// How many rows were written in this transaction.
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Whether anything was written or removed.
    pub const fn changed(&self) -> bool {
        self.changed
    }

    fn unreadable(&self) -> Fault {
        Fault::Unreadable { table: self.name }
    }
}

/// The deadline and the record in a row.
pub fn split(row: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (dead_at, record) = row.split_first_chunk()?;
    Some((Timestamp::from_millis(u64::from_be_bytes(*dead_at)), record))
}

/// The record in what [`split`] leaves.
pub fn decode<T: DeserializeOwned>(record: &[u8]) -> Option<T> {
    postcard::from_bytes(record).ok()
}

fn encode<T: Serialize>(dead_at: Timestamp, record: &T) -> Option<Vec<u8>> {
    let mut row = Vec::with_capacity(128);
    row.extend_from_slice(&dead_at.as_millis().to_be_bytes());
    postcard::to_extend(record, row).ok()
}
