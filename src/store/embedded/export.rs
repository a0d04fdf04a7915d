//! A file as the source of a copy: reads its rows in order, and remembers in it that they were read; knows no target.

use std::{ops::Bound, path::PathBuf};

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError,
};

use super::{
    Place,
    fault::Fault,
    step::Kept,
    tables::{
        ACCOUNTS, COPIED_BY, DELIVERIES, EVENTS, Key, METERS, ONCE, PURSES, REVOKED, WINDOWS,
        decode, split,
    },
    windows::Window,
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        account::{Account, AccountKey},
        budget::Purse,
        delivery::{Delivery, Once, OnceKey},
        fraud::{Meter, MeterKey},
        otp::ChallengeId,
        quota::Bucket,
        session::SessionId,
    },
    secret::SecretId,
    store::{
        Error,
        transfer::{Batch, Bookmark, Broken, Entry, Stamp},
    },
};

/// A file that nobody else has open.
#[derive(Debug)]
pub struct Export {
    place: Place,
    /// Held for the lock.
    _database: Database,
    rows: ReadTransaction,
    clock: Clock,
    stamp: Stamp,
    at: Position,
}

/// The tables in the order in which they are read, and the last row that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Accounts(Option<Key>),
    Windows(Option<Key>),
    Meters(Option<Key>),
    Purses(Option<Key>),
    Deliveries(Option<Key>),
    Requests(Option<Key>),
    Revoked(Option<Key>),
    End,
}

/// Rows in a batch at most.
const ROWS: usize = 2048;

/// No further row is read for a batch that has so many events of windows.
const EVENTS_IN_A_BATCH: usize = 1 << 18;

impl Export {
    /// Opens the file. If no copy has read it since it was last worked on, `stamp` has from now on.
    pub fn open(
        path: PathBuf,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<Self, Broken> {
        if path.symlink_metadata().is_err() {
            return Err(Broken::Nowhere(path.display().to_string()));
        }
        let place = Place::File(path);
        let database = place.open_unchanged()?;
        place.claim(&database, names)?;
        let known = place.number(&database, COPIED_BY)?;
        if known.is_none() {
            place.write_number(&database, COPIED_BY, Some(stamp.0))?;
        }
        let stamp = known.map_or(stamp, Stamp);
        let rows = database.begin_read();
        let rows = rows.map_err(|error| place.unavailable(&error.to_string()))?;
        Ok(Self {
            place,
            _database: database,
            rows,
            clock,
            stamp,
            at: Position::Accounts(None),
        })
    }

    /// What tells this copy from others.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Skips what comes before a bookmark.
    pub fn go_on_at(&mut self, bookmark: &Bookmark) {
        if let Some(position) = Position::read(bookmark) {
            self.at = position;
        }
    }

    /// The next rows.
    pub fn next(&mut self) -> Result<Option<Batch>, Error> {
        let mut batch = Batch::default();
        let now = self.clock.now();
        let read = match self.at {
            Position::Accounts(last) => self.accounts(last, now, &mut batch),
            Position::Windows(last) => self.windows(last, now, &mut batch),
            Position::Meters(last) => self.meters(last, now, &mut batch),
            Position::Purses(last) => self.purses(last, now, &mut batch),
            Position::Deliveries(last) => self.deliveries(last, now, &mut batch),
            Position::Requests(last) => self.requests(last, now, &mut batch),
            Position::Revoked(last) => self.revoked(last, now, &mut batch),
            Position::End => return Ok(None),
        };
        let last = read.map_err(|fault| self.place.unavailable(&fault.to_string()))?;
        self.at = self.at.after(last);
        batch.bookmark = Some(self.at.bookmark());
        Ok(Some(batch))
    }

    fn accounts(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(ACCOUNTS, "accounts", last, |key, _, row| {
            let account: Account = decode(row)?;
            match account.remains(now) {
                Some((account, _)) => batch.entries.push(Entry::Account {
                    key: AccountKey(key),
                    account,
                }),
                None => batch.dead += 1,
            }
            Some(0)
        })
    }

    fn windows(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        let large = self.rows.open_table(EVENTS)?;
        let mut failed = None;
        let last = self.rows(WINDOWS, "windows", last, |key, dead_at, row| {
            let window: Window = decode(row)?;
            if dead_at <= now {
                batch.dead += 1;
                return Some(0);
            }
            let slots = if window.is_large() {
                slots(&large, &key).unwrap_or_else(|fault| {
                    failed = Some(fault);
                    Vec::new()
                })
            } else {
                Vec::new()
            };
            let events = window.events(slots);
            let weight = events.len();
            batch.entries.push(Entry::Window {
                bucket: Bucket(key),
                events,
                dead_at,
            });
            Some(weight)
        })?;
        failed.map_or(Ok(last), Err)
    }

    fn meters(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(METERS, "meters", last, |key, dead_at, row| {
            let meter: Meter = decode(row)?;
            if dead_at > now {
                let key = MeterKey(key);
                batch.entries.push(Entry::Meter { key, meter });
            } else {
                batch.dead += 1;
            }
            Some(0)
        })
    }

    fn purses(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(PURSES, "purses", last, |key, dead_at, row| {
            let purse: Purse = decode(row)?;
            if dead_at > now {
                let key = Bucket(key);
                batch.entries.push(Entry::Purse { key, purse });
            } else {
                batch.dead += 1;
            }
            Some(0)
        })
    }

    fn deliveries(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(DELIVERIES, "deliveries", last, |key, dead_at, row| {
            let delivery: Delivery = decode(row)?;
            if dead_at > now {
                let challenge = ChallengeId::new(key);
                let entry = Entry::Delivery {
                    challenge,
                    delivery,
                };
                batch.entries.push(entry);
            } else {
                batch.dead += 1;
            }
            Some(0)
        })
    }

    fn requests(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(ONCE, "once", last, |key, dead_at, row| {
            let Kept { request, started } = decode(row)?;
            if dead_at > now {
                let key = OnceKey(key);
                let once = Once { key, request };
                batch.entries.push(Entry::Request { once, started });
            } else {
                batch.dead += 1;
            }
            Some(0)
        })
    }

    fn revoked(
        &self,
        last: Option<Key>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Key>, Fault> {
        self.rows(REVOKED, "revoked", last, |key, until, _| {
            if until > now {
                let session = SessionId::new(key);
                batch.entries.push(Entry::Revoked { session, until });
            } else {
                batch.dead += 1;
            }
            Some(0)
        })
    }

    /// Hands the rows behind `last` to `take`, which tells how heavy each is, or that it cannot be
    /// read. Returns the last of them, or `None` when there are no more behind it.
    fn rows(
        &self,
        table: TableDefinition<'static, &'static Key, &'static [u8]>,
        name: &'static str,
        last: Option<Key>,
        mut take: impl FnMut(Key, Timestamp, &[u8]) -> Option<usize>,
    ) -> Result<Option<Key>, Fault> {
        let table = match self.rows.open_table(table) {
            // The gateway that wrote the file kept no such thing.
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        let behind = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut count, mut weight) = (0, 0);
        for row in table.range::<&Key>((behind, Bound::Unbounded))? {
            let (key, row) = row?;
            let key = *key.value();
            let taken = split(row.value()).and_then(|(dead_at, row)| take(key, dead_at, row));
            weight += taken.ok_or(Fault::Unreadable { table: name })?;
            count += 1;
            if count >= ROWS || weight >= EVENTS_IN_A_BATCH {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

fn slots(
    events: &ReadOnlyTable<(&'static Key, u32), u64>,
    bucket: &Key,
) -> Result<Vec<(u32, Timestamp)>, Fault> {
    let mut slots = Vec::new();
    for row in events.range((bucket, 0)..=(bucket, u32::MAX))? {
        let (key, at) = row?;
        let (_, slot) = key.value();
        slots.push((slot, Timestamp::from_millis(at.value())));
    }
    Ok(slots)
}

impl Position {
    /// Behind the row that was read last, or at the next table.
    const fn after(self, last: Option<Key>) -> Self {
        match (self, last) {
            (Self::Accounts(_), Some(_)) => Self::Accounts(last),
            (Self::Accounts(_), None) => Self::Windows(None),
            (Self::Windows(_), Some(_)) => Self::Windows(last),
            (Self::Windows(_), None) => Self::Meters(None),
            (Self::Meters(_), Some(_)) => Self::Meters(last),
            (Self::Meters(_), None) => Self::Purses(None),
            (Self::Purses(_), Some(_)) => Self::Purses(last),
            (Self::Purses(_), None) => Self::Deliveries(None),
            (Self::Deliveries(_), Some(_)) => Self::Deliveries(last),
            (Self::Deliveries(_), None) => Self::Requests(None),
            (Self::Requests(_), Some(_)) => Self::Requests(last),
            (Self::Requests(_), None) => Self::Revoked(None),
            (Self::Revoked(_), Some(_)) => Self::Revoked(last),
            (Self::Revoked(_), None) | (Self::End, _) => Self::End,
        }
    }

    fn bookmark(self) -> Bookmark {
        let (table, key) = match self {
            Self::Accounts(key) => (b'a', key),
            Self::Windows(key) => (b'w', key),
            Self::Meters(key) => (b'm', key),
            Self::Purses(key) => (b'p', key),
            Self::Deliveries(key) => (b'd', key),
            Self::Requests(key) => (b'o', key),
            Self::Revoked(key) => (b'r', key),
            Self::End => (b'e', None),
        };
        let mut bookmark = vec![table];
        bookmark.extend(key.iter().flatten());
        Bookmark(bookmark)
    }

    fn read(Bookmark(bookmark): &Bookmark) -> Option<Self> {
        let (table, key) = bookmark.split_first()?;
        let key = match key {
            [] => None,
            key => Some(Key::try_from(key).ok()?),
        };
        match table {
            b'a' => Some(Self::Accounts(key)),
            b'w' => Some(Self::Windows(key)),
            b'm' => Some(Self::Meters(key)),
            b'p' => Some(Self::Purses(key)),
            b'd' => Some(Self::Deliveries(key)),
            b'o' => Some(Self::Requests(key)),
            b'r' => Some(Self::Revoked(key)),
            b'e' => Some(Self::End),
            _ => None,
        }
    }
}
