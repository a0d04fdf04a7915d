//! Which servers have to be heard and are, and whether all that was said has been: a rule without I/O.
//!
//! Everything is known once all servers have been heard without a gap since before all sets were
//! read: what was revoked before the reading stands in the sets, and what came after was heard. A
//! server that is lost, or a new one that was not heard yet, ends that until the next reading.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    hash::Hash,
    mem,
    sync::Arc,
};

use tokio::sync::watch;

use crate::store::revocations::{Freshness, Revocations};

/// Who has to be heard, and who is. `S` names a server.
#[derive(Debug)]
pub struct Ears<S> {
    state: watch::Sender<State<S>>,
    revocations: Arc<Revocations>,
}

/// A time in which all are heard, until the next gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    gaps: u64,
}

#[derive(Debug)]
struct State<S> {
    servers: HashMap<S, Heard>,
    /// How often something may have been missed.
    gaps: u64,
    /// The last one in which everything was read.
    read: Option<Quiet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
}

/// What a change means for what is known.
enum Change {
    /// There was none.
    None,
    /// Nothing was missed.
    Harmless,
    /// Something may have been.
    Gap,
}

impl<S: Eq + Hash + Clone> Ears<S> {
    /// Ears that hear nobody yet. From here on, they alone say whether `revocations` are fresh.
    pub fn new(revocations: Arc<Revocations>) -> Self {
        revocations.set(Freshness::Stale);
        let state = State {
            servers: HashMap::new(),
            gaps: 0,
            read: None,
        };
        Self {
            state: watch::Sender::new(state),
            revocations,
        }
    }

    /// These servers, and no others, have to be heard from now on.
    pub fn listen_to(&self, servers: &HashSet<S>) {
        self.change(|state| {
            let before = state.servers.len();
            state.servers.retain(|server, _| servers.contains(server));
            let left = state.servers.len();
            for server in servers {
                state.servers.entry(server.clone()).or_insert(Heard::No);
            }
            match state.servers.len() {
                // Nobody is left who could tell, or somebody is new who was not heard before.
                now if now == 0 || now > left => Change::Gap,
                _ if before > left => Change::Harmless,
                _ => Change::None,
            }
        });
    }

    /// From now on nothing that this server says is missed.
    pub fn heard(&self, server: &S) {
        self.change(|state| match state.set(server, Heard::Yes) {
            Some(Heard::No) => Change::Harmless,
            Some(Heard::Yes) | None => Change::None,
        });
    }

    /// From now on something that this server says may be missed.
    pub fn lost(&self, server: &S) {
        self.change(|state| match state.set(server, Heard::No) {
            Some(Heard::Yes) => Change::Gap,
            Some(Heard::No) | None => Change::None,
        });
    }

    /// Waits until all are heard. What is read from then on is whole unless there was a gap.
    pub async fn quiet(&self) -> Quiet {
        self.wait_for(State::quiet).await
    }

    /// Waits until something may have been missed since.
    pub async fn gap_after(&self, quiet: Quiet) {
        self.wait_for(|state| (state.quiet() != Some(quiet)).then_some(()))
            .await;
    }

    /// Waits until everything is known.
    pub async fn known(&self) {
        self.wait_for(|state| state.is_known().then_some(())).await;
    }

    /// All sets were read since `quiet` began, so if it lasts everything is known.
    pub fn have_read(&self, quiet: Quiet) -> Freshness {
        self.change(|state| {
            if state.quiet() == Some(quiet) {
                state.read = Some(quiet);
                // Said while no gap can come: a later one takes it back.
                self.revocations.set(Freshness::Fresh);
            }
            Change::Harmless
        });
        self.revocations.freshness()
    }

    /// Waits until there is something that `find` finds.
    async fn wait_for<T>(&self, find: impl Fn(&State<S>) -> Option<T>) -> T {
        let mut states = self.state.subscribe();
        loop {
            // Not held while waiting.
            let found = find(&states.borrow_and_update());
            if let Some(found) = found {
                return found;
            }
            if states.changed().await.is_err() {
                // Cannot be: what tells of changes is in the ears that are borrowed here.
                pending::<()>().await;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State<S>) -> Change) {
        self.state.send_if_modified(|state| match change(state) {
            Change::None => false,
            Change::Harmless => true,
            Change::Gap => {
                state.gaps += 1;
                self.revocations.set(Freshness::Stale);
                true
            }
        });
    }
}

impl<S: Eq + Hash> State<S> {
    fn quiet(&self) -> Option<Quiet> {
        let all = self.servers.values().all(|heard| *heard == Heard::Yes);
        let gaps = self.gaps;
        (all && !self.servers.is_empty()).then_some(Quiet { gaps })
    }

    fn is_known(&self) -> bool {
        self.read.is_some() && self.read == self.quiet()
    }

    /// What it was before, if the server is one of them.
    fn set(&mut self, server: &S, heard: Heard) -> Option<Heard> {
        let known = self.servers.get_mut(server)?;
        Some(mem::replace(known, heard))
    }
}

/// The end of the gateway: whoever stops listening does not know any more.
impl<S> Drop for Ears<S> {
    fn drop(&mut self) {
        self.revocations.set(Freshness::Stale);
    }
}

#[cfg(test)]
mod tests;
