//! Which sessions were ended while their access tokens could still be alive, and whether that is known whole; knows nothing of tokens or of where this is persisted.
//!
//! Every worker keeps a [`View`] of its own. Asking it costs one atomic load, and a look into a
//! hash set when the set is not empty; the shared list is locked only when something was revoked
//! since the last question.
//!
//! One word tells both how much was added and whether news of other gateways may be missing, so
//! that no view can see the second without the first: whoever reads "fresh" has, or fetches before
//! it answers, everything that was added before that was said.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    reject::{Code, Reject},
};

/// The revoked sessions, in the order in which this process learnt of them.
///
/// What is added stays until it has expired, whatever the store says later: a server that lost its
/// memory must not make a session good again.
#[derive(Debug, Default)]
pub struct Revocations {
    /// How many were ever added, times two, and [`STALE`] or not. Read without the lock to see
    /// whether a view is up to date.
    state: AtomicU64,
    list: Mutex<List>,
    /// Sessions that were judged while something may have been missing.
    unsure: AtomicU64,
}

/// One worker's copy of the list.
#[derive(Debug)]
pub struct View {
    source: Arc<Revocations>,
    seen: u64,
    /// Until when each session's access tokens could live.
    revoked: HashMap<SessionId, Timestamp>,
}

/// Whether everything that was revoked anywhere is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// News may be missing.
    Stale,
}

/// What becomes of tokens while the revocations are stale: `session.on_store_outage`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnOutage {
    /// They are judged by what is known.
    #[default]
    Serve,
    /// None is accepted.
    Refuse,
}

/// Why a session's tokens are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was ended.
    #[error("the session was ended")]
    Revoked,
    /// It may have been ended, and that is not to be risked.
    #[error("it is not known whether the session was ended")]
    Unknown,
}

#[derive(Debug, Default)]
struct List {
    order: VecDeque<Revoked>,
    /// The same by session, so that what is told again takes no place again.
    until: HashMap<SessionId, Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Revoked {
    session: SessionId,
    until: Timestamp,
}

/// The bit of the state that is set while news may be missing.
const STALE: u64 = 1;

/// One more addition, in the state.
const ONE: u64 = 2;

impl Revocations {
    /// A list to which the news are still to come.
    pub fn stale() -> Self {
        Self {
            state: AtomicU64::new(STALE),
            ..Self::default()
        }
    }

    /// Makes every view refuse `session` from now on; `until` is when its last access token dies.
    pub fn add(&self, session: SessionId, until: Timestamp, now: Timestamp) {
        self.add_all([(session, until)], now);
    }

    /// The same for several, under one lock. What has expired at `now` is left out.
    pub fn add_all(
        &self,
        revoked: impl IntoIterator<Item = (SessionId, Timestamp)>,
        now: Timestamp,
    ) {
        let mut list = self.list();
        list.forget_expired(now);
        let mut added = 0;
        for (session, until) in revoked {
            if until > now && list.add(Revoked { session, until }) {
                added += ONE;
            }
        }
        self.state.fetch_add(added, Ordering::Release);
    }

    /// Says whether everything is known now. All that was added before goes before this.
    pub fn set(&self, freshness: Freshness) {
        match freshness {
            Freshness::Fresh => self.state.fetch_and(!STALE, Ordering::Release),
            Freshness::Stale => self.state.fetch_or(STALE, Ordering::Release),
        };
    }

    /// Whether everything is known.
    pub fn freshness(&self) -> Freshness {
        freshness(self.state.load(Ordering::Acquire))
    }

    /// How many sessions were judged while news may have been missing.
    pub fn judged_unsure(&self) -> u64 {
        self.unsure.load(Ordering::Relaxed)
    }

    /// Another figure whenever there is something new, for those who look at all sessions at once.
    pub fn version(&self) -> u64 {
        self.state.load(Ordering::Acquire) / ONE
    }

    /// A view of this list, for one worker.
    pub fn view(self: &Arc<Self>) -> View {
        View {
            source: Arc::clone(self),
            seen: 0,
            revoked: HashMap::new(),
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // An addition cannot be left half done, so a poisoned list is as good as any.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn forget_expired(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.pop_front_if(|oldest| oldest.until <= now) {
            // It may have been told again, with a longer life.
            if self.until.get(&oldest.session) == Some(&oldest.until) {
                self.until.remove(&oldest.session);
            }
        }
    }

    /// Whether this was news.
    fn add(&mut self, revoked: Revoked) -> bool {
        let known = self.until.get(&revoked.session);
        if known.is_some_and(|until| *until >= revoked.until) {
            return false;
        }
        self.until.insert(revoked.session, revoked.until);
        self.order.push_back(revoked);
        true
    }
}

impl View {
    /// Whether tokens of `session` may be accepted now. A session that is known to be ended is
    /// told as such, whatever may be missing.
    pub fn check(
        &mut self,
        session: SessionId,
        on_outage: OnOutage,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.is_revoked(session, now) {
            return Err(Refusal::Revoked);
        }
        // Of the very state that was just looked at, so that it costs no second load.
        match (freshness(self.seen), on_outage) {
            (Freshness::Fresh, OnOutage::Serve | OnOutage::Refuse) => Ok(()),
            (Freshness::Stale, on_outage) => self.unsure(on_outage),
        }
    }

    /// Whether `session` was revoked, by anybody of whom this process knew before this call, and
    /// its tokens are not dead anyway.
    pub fn is_revoked(&mut self, session: SessionId, now: Timestamp) -> bool {
        if self.source.state.load(Ordering::Acquire) != self.seen {
            self.catch_up(now);
        }
        // Mostly there is nothing to hash the id for.
        !self.revoked.is_empty() && self.revoked.get(&session).is_some_and(|until| now < *until)
    }

    #[cold]
    fn unsure(&self, on_outage: OnOutage) -> Result<(), Refusal> {
        self.source.unsure.fetch_add(1, Ordering::Relaxed);
        match on_outage {
            OnOutage::Serve => Ok(()),
            OnOutage::Refuse => Err(Refusal::Unknown),
        }
    }

    #[cold]
    fn catch_up(&mut self, now: Timestamp) {
        let list = self.source.list();
        let state = self.source.state.load(Ordering::Acquire);
        let news = usize::try_from(state / ONE - self.seen / ONE).unwrap_or(usize::MAX);
        // What has left the list before we saw it has expired, and needs no place here.
        let known = list.order.len().saturating_sub(news);
        for entry in list.order.iter().skip(known) {
            self.revoked.insert(entry.session, entry.until);
        }
        let bound = list.order.len();
        drop(list);
        self.seen = state;
        // The shared list drops what has expired; keeping at most twice as much bounds this copy too.
        if self.revoked.len() > 2 * bound {
            self.revoked.retain(|_, until| *until > now);
        }
    }
}

const fn freshness(state: u64) -> Freshness {
    if state & STALE == 0 {
        Freshness::Fresh
    } else {
        Freshness::Stale
    }
}

impl From<Refusal> for Reject {
    fn from(refusal: Refusal) -> Self {
        /// What it takes to hear the news again, when the store is there.
        const SOON: Duration = Duration::from_secs(1);
        match refusal {
            Refusal::Revoked => Self::token(Code::SessionRevoked, "The session has ended."),
            Refusal::Unknown => Self::new(
                Code::StoreUnavailable,
                "Whether the session still stands cannot be told at the moment; try again.",
            )
            .retry_after(SOON),
        }
    }
}

#[cfg(test)]
mod tests;
