//! By how much the clocks of the servers differ from ours; sets no clock.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::clock::Timestamp;

/// What was last seen on each server's clock. `S` names a server.
#[derive(Debug)]
pub struct Clocks<S> {
    tolerated: Duration,
    differences: Mutex<HashMap<S, Duration>>,
}

/// A look at a server's clock, between two looks at ours.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Ours, before the server was asked.
    pub before: Timestamp,
    /// The server's.
    pub there: Timestamp,
    /// Ours, after it had answered.
    pub after: Timestamp,
}

impl<S: Eq + Hash + Clone + fmt::Display> Clocks<S> {
    /// Clocks that may differ by so much before the operators are told.
    pub fn new(tolerated: Duration) -> Self {
        Self {
            tolerated,
            differences: Mutex::default(),
        }
    }

    /// Takes note of a look, and tells the operators once when it is more than is tolerated.
    pub fn note(&self, server: &S, look: Look) {
        let difference = look.difference();
        let before = self.lock().insert(server.clone(), difference);
        let is_off = difference > self.tolerated;
        if is_off && before.is_none_or(|before| before <= self.tolerated) {
            tracing::warn!(
                store = %server,
                difference_ms = difference.as_millis(),
                "the clock of this machine and that of the store differ by more than tokens allow for"
            );
        }
    }

    /// Forgets all other servers.
    pub fn keep(&self, is_ours: impl Fn(&S) -> bool) {
        self.lock().retain(|server, _| is_ours(server));
    }

    /// The greatest difference of those that were seen last.
    pub fn greatest(&self) -> Duration {
        self.lock().values().max().copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<S, Duration>> {
        // An insertion cannot be left half done.
        self.differences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    /// By how much the clocks differ for sure: the answer took its time, and at some moment of it
    /// the server looked at its clock.
    fn difference(self) -> Duration {
        let ahead = self.there.since(self.after);
        let behind = self.before.since(self.there);
        ahead.max(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(before: u64, there: u64, after: u64) -> Look {
        let at = Timestamp::from_millis;
        Look {
            before: at(before),
            there: at(there),
            after: at(after),
        }
    }

    #[test]
    fn an_answer_that_takes_its_time_does_not_make_a_difference() {
        for (look, expected) in [
            (look(1000, 1000, 1000), 0),
            (look(1000, 1700, 2000), 0),
            (look(1000, 2500, 2000), 500),
            (look(1000, 600, 2000), 400),
        ] {
            assert_eq!(
                look.difference(),
                Duration::from_millis(expected),
                "{look:?}"
            );
        }
    }

    #[test]
    fn the_worst_of_those_that_were_seen_last_is_shown() {
        let clocks = Clocks::new(Duration::from_secs(30));
        assert_eq!(clocks.greatest(), Duration::ZERO);
        clocks.note(&"a", look(0, 5000, 0));
        clocks.note(&"b", look(0, 40_000, 0));
        assert_eq!(clocks.greatest(), Duration::from_secs(40));
        clocks.note(&"b", look(0, 1000, 0));
        assert_eq!(clocks.greatest(), Duration::from_secs(5));
        clocks.keep(|server| *server == "b");
        assert_eq!(clocks.greatest(), Duration::from_secs(1));
    }
}
