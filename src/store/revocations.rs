//! Which sessions were ended while their access tokens could still be alive; knows nothing of tokens or of where this is persisted.
//!
//! Every worker keeps a [`View`] of its own. Asking it costs one atomic load, and a look into a
//! hash set when the set is not empty; the shared list is locked only when something was revoked
//! since the last question.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{clock::Timestamp, domain::session::SessionId};

/// The revoked sessions of this process, in the order in which they were revoked.
#[derive(Debug, Default)]
pub struct Revocations {
    /// How many were ever added. Read without the lock to see whether a view is up to date.
    added: AtomicU64,
    list: Mutex<VecDeque<Revoked>>,
}

/// One worker's copy of the list.
#[derive(Debug)]
pub struct View {
    source: Arc<Revocations>,
    seen: u64,
    /// Until when each session's access tokens could live.
    revoked: HashMap<SessionId, Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Revoked {
    session: SessionId,
    until: Timestamp,
}

impl Revocations {
    /// Makes every view refuse `session` from now on; `until` is when its last access token dies.
    pub fn add(&self, session: SessionId, until: Timestamp, now: Timestamp) {
        let mut list = self.list();
        while list.front().is_some_and(|oldest| oldest.until <= now) {
            list.pop_front();
        }
        list.push_back(Revoked { session, until });
        self.added.fetch_add(1, Ordering::Release);
    }

    /// A view of this list, for one worker.
    pub fn view(self: &Arc<Self>) -> View {
        View {
            source: Arc::clone(self),
            seen: 0,
            revoked: HashMap::new(),
        }
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Revoked>> {
        // A push cannot leave the list half done, so a poisoned one is as good as any.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// Whether `session` was revoked, by anybody, before this call.
    pub fn is_revoked(&mut self, session: SessionId, now: Timestamp) -> bool {
        if self.source.added.load(Ordering::Acquire) != self.seen {
            self.catch_up(now);
        }
        !self.revoked.is_empty() && self.revoked.contains_key(&session)
    }

    #[cold]
    fn catch_up(&mut self, now: Timestamp) {
        let list = self.source.list();
        let added = self.source.added.load(Ordering::Acquire);
        let news = usize::try_from(added - self.seen).unwrap_or(usize::MAX);
        // What has left the list before we saw it has expired, and needs no place here.
        let known = list.len().saturating_sub(news);
        for entry in list.iter().skip(known) {
            self.revoked.insert(entry.session, entry.until);
        }
        let bound = list.len();
        drop(list);
        self.seen = added;
        // The shared list drops what has expired; keeping at most twice as much bounds this copy too.
        if self.revoked.len() > 2 * bound {
            self.revoked.retain(|_, until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u8) -> SessionId {
        SessionId::new([n; 16])
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn every_view_refuses_a_revoked_session_at_the_next_question() {
        let revocations = Arc::new(Revocations::default());
        let (mut a, mut b) = (revocations.view(), revocations.view());
        assert!(!a.is_revoked(session(1), at(0)));
        revocations.add(session(1), at(900), at(0));
        assert!(a.is_revoked(session(1), at(1)));
        assert!(b.is_revoked(session(1), at(1)));
        assert!(!a.is_revoked(session(2), at(1)));
        assert!(revocations.view().is_revoked(session(1), at(1)));
    }

    #[test]
    fn the_copies_stay_as_small_as_what_can_still_be_alive() {
        let revocations = Arc::new(Revocations::default());
        let mut view = revocations.view();
        for n in 0..10_000_u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            revocations.add(SessionId::new(id), at(n + 10), at(n));
            assert!(view.is_revoked(SessionId::new(id), at(n)));
        }
        assert!(revocations.list().len() <= 11);
        assert!(view.revoked.len() <= 22);
    }

    #[test]
    fn a_view_that_slept_through_many_revocations_knows_all_that_matter() {
        let revocations = Arc::new(Revocations::default());
        let mut view = revocations.view();
        for n in 0..200_u8 {
            revocations.add(session(n), at(1000), at(0));
        }
        assert!((0..200).all(|n| view.is_revoked(session(n), at(1))));
    }
}
