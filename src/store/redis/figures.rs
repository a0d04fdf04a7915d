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
}

impl Figures {
    /// All of them, for those who show them.
    pub fn readings(self: &Arc<Self>) -> Vec<Reading> {
        let counter = |name, help, read: fn(&Self) -> &AtomicU64| {
            let figures = Arc::clone(self);
            Reading {
                name,
                help,
                kind: Kind::Counter,
                read: Box::new(move || read(&figures).load(Relaxed)),
            }
        };
        vec![
            counter("store_verbs", "Scripts that were answered", |f| &f.runs),
            counter(
                "store_failures",
                "Scripts of which it is not known whether they were run, and how",
                |f| &f.failures,
            ),
        ]
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
