//! What the writer has done and what it holds, as numbers that any thread may read; knows no metrics format.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::step::Outcome;
use crate::observe::readings::{Kind, Reading};

/// Counters since the store was opened, and gauges as of the last transaction.
#[derive(Debug, Default)]
pub struct Figures {
    verbs: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    rows: AtomicU64,
    file_bytes: AtomicU64,
    pending: AtomicU64,
}

impl Figures {
    /// All of them, for those who show them.
    pub fn readings(self: &Arc<Self>) -> Vec<Reading> {
        let reading = |name, kind, help, read: fn(&Self) -> u64| {
            let figures = Arc::clone(self);
            Reading {
                name,
                help,
                kind,
                read: Box::new(move || read(&figures)),
            }
        };
        let (counter, gauge) = (Kind::Counter, Kind::Gauge);
        vec![
            reading("store_verbs", counter, "Steps that were done", Self::verbs),
            reading(
                "store_commits",
                counter,
                "Transactions, each with one sync of the file",
                Self::commits,
            ),
            reading(
                "store_failures",
                counter,
                "How often the database failed and was given up",
                Self::failures,
            ),
            reading("store_rows", gauge, "Rows of all tables", Self::rows),
            reading(
                "store_file_bytes",
                gauge,
                "Length of the file",
                Self::file_bytes,
            ),
            reading(
                "sms_pending",
                gauge,
                "Messages that are to be sent, or of which news is awaited",
                Self::pending,
            ),
        ]
    }

    /// Verbs that were done.
    pub fn verbs(&self) -> u64 {
        self.verbs.load(Relaxed)
    }

    /// Transactions that made them durable, each with one sync of the file.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// How often the database has failed and was given up.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Rows in all tables, those included that are dead and not yet swept.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Relaxed)
    }

    /// Messages that are to be looked at, now or later.
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// Counts one transaction of so many verbs, and what it has left in a file of that length.
    pub fn count(&self, verbs: u64, outcome: &Outcome, file_bytes: u64) {
        self.verbs.fetch_add(verbs, Relaxed);
        self.commits.fetch_add(outcome.changed.into(), Relaxed);
        self.rows.store(outcome.rows, Relaxed);
        self.pending.store(outcome.pending, Relaxed);
        self.file_bytes.store(file_bytes, Relaxed);
    }

    /// Counts one failure.
    pub fn count_failure(&self) {
        self.failures.fetch_add(1, Relaxed);
    }
}
