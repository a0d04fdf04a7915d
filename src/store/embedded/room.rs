//! How full the database is, and whether it may grow; knows no verb.

use std::time::Duration;

use redb::Database;

use super::{fault::Fault, place::Place};
use crate::{
    clock::{Clock, Timestamp},
    store::Error,
};

/// At least so long lies between two measurements.
const PAUSE: Duration = Duration::from_secs(1);

/// A measurement walks over all pages; it may take one part in so many of the thread's time.
const SHARE: u32 = 100;

/// The limit, and what is known of how far away it is.
#[derive(Debug)]
pub struct Room {
    max_size: u64,
    full: bool,
    measured: Option<Measured>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Timestamp,
    took: Duration,
}

impl Room {
    /// With a limit of `max_size` bytes.
    pub const fn new(max_size: u64) -> Self {
        Self {
            max_size,
            full: false,
            measured: None,
        }
    }

    /// What a verb hears that would add something.
    ///
    /// As long as the file is no longer than the limit there is room. A file rarely gets shorter,
    /// though, when records leave it, so a longer one is measured by what it really holds.
    pub fn look(
        &mut self,
        place: &Place,
        database: &Database,
        clock: &Clock,
    ) -> Result<Result<(), Error>, Fault> {
        let len = place.len().map_err(redb::Error::Io)?;
        if len <= self.max_size {
            self.set(false, place);
        } else if self.measured.is_none_or(|last| last.is_old(clock.now())) {
            let at = clock.now();
            let transaction = database.begin_write()?;
            let stats = transaction.stats()?;
            transaction.abort()?;
            let took = clock.now().since(at);
            self.measured = Some(Measured { at, took });
            let held = stats.allocated_pages() * stats.page_size() as u64;
            self.set(held > self.max_size, place);
        }
        Ok(if self.full {
            Err(Error::Full {
                path: place.path().to_owned(),
            })
        } else {
            Ok(())
        })
    }

    fn set(&mut self, full: bool, place: &Place) {
        if full != self.full {
            let (store, max_size) = (place.path().display(), self.max_size);
            if full {
                tracing::error!(%store, max_size, "the store is full: no codes are sent and nobody can log in");
            } else {
                tracing::warn!(%store, max_size, "the store has room again");
            }
        }
        self.full = full;
    }
}

impl Measured {
    fn is_old(self, now: Timestamp) -> bool {
        let pause = PAUSE.max(self.took * SHARE);
        // A clock that was set back must not make it last for ever.
        now < self.at || now.since(self.at) >= pause
    }
}
