//! What the gateway has asked of Redis, as numbers that any thread may read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    observe::readings::{Kind, Reading},
    store::Error,
};

/// Counters since the store was opened, over all workers.
#[derive(Debug, Default)]
pub struct Figures {
    runs: AtomicU64,
    failures: AtomicU64,
    pending: AtomicU64,
}

impl Figures {
    /// All of them, for those who show them.
    pub fn readings(self: &Arc<Self>) -> Vec<Reading> {
        let reading = |name, kind, help, read: fn(&Self) -> &AtomicU64| {
            let figures = Arc::clone(self);
            Reading {
                name,
                help,
                kind,
                read: Box::new(move || read(&figures).load(Relaxed)),
            }
        };
        vec![
            reading(
                "store_verbs",
                Kind::Counter,
                "Scripts that were answered",
                |f| &f.runs,
            ),
            reading(
                "sms_pending",
                Kind::Gauge,
                "Messages that are to be sent, or of which news is awaited",
                |f| &f.pending,
            ),
            reading(
                "store_failures",
                Kind::Counter,
                "Scripts of which it is not known whether they were run, and how",
                |f| &f.failures,
            ),
        ]
    }

    /// Takes down how many messages are to be looked at, now or later, as of the last time somebody asked.
    pub fn set_pending(&self, messages: u64) {
        self.pending.store(messages, Relaxed);
    }

    /// Counts one run of a script by what came of it.
    pub fn count<T>(&self, answer: &Result<T, Error>) {
        let counter = match answer {
            Ok(_) => &self.runs,
            Err(_) => &self.failures,
        };
        counter.fetch_add(1, Relaxed);
    }
}
