//! The news: learns of every session that is ended on any gateway, and says whether all of them are known.
//!
//! Every script that ends sessions writes them to the revoked ones of their group and publishes them,
//! in one step. So whoever listens first and reads all groups then knows everything, until it fails
//! to listen. What is known stays known whatever becomes of the servers: sessions that a server has
//! forgotten are refused here until their tokens have died.

mod ears;
mod listener;
mod message;
mod reading;
mod skew;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use self::{
    ears::{Ears, Quiet},
    listener::Listener,
    reading::read_all,
    skew::Clocks,
};
use super::{
    keys::Keys,
    link::{Link, Master},
};
use crate::{
    clock::Clock,
    observe::readings::{Kind, Reading},
    store::revocations::{Freshness, Revocations},
};

/// The listening, which ends when this is dropped.
#[derive(Debug)]
pub struct News {
    shared: Arc<Shared>,
    _listening: AbortOnDropHandle<()>,
}

/// What everybody here works on.
#[derive(Debug)]
struct Shared {
    link: Link,
    keys: Keys,
    revocations: Arc<Revocations>,
    clock: Clock,
    ears: Ears<Arc<str>>,
    clocks: Clocks<Arc<str>>,
    again: Duration,
}

/// What is needed to listen.
#[derive(Debug)]
pub struct Sources {
    /// The way to the servers, on the runtime that listens.
    pub link: Link,
    /// Where the news are.
    pub keys: Keys,
    /// What time it is here.
    pub clock: Clock,
    /// By how much it may differ from the time there before the operators are told.
    pub leeway: Duration,
    /// After how long everything is read again, though nothing should have been missed.
    pub again: Duration,
}

/// How often it is looked which servers take writes.
const LOOK: Duration = Duration::from_secs(1);

/// After a reading that failed.
const PAUSE: Duration = Duration::from_millis(100);

impl News {
    /// Begins to listen, on the runtime of the caller, and tells `revocations` what is heard.
    pub fn start(sources: Sources, revocations: Arc<Revocations>) -> Self {
        let shared = Arc::new(Shared {
            link: sources.link,
            keys: sources.keys,
            clock: sources.clock,
            ears: Ears::new(Arc::clone(&revocations)),
            revocations,
            clocks: Clocks::new(sources.leeway),
            again: sources.again,
        });
        let listening = tokio::spawn(Arc::clone(&shared).run());
        Self {
            shared,
            _listening: AbortOnDropHandle::new(listening),
        }
    }

    /// Waits until all is known, but no longer than `patience`: whoever begins to serve should not
    /// have to guess at what is known a moment later.
    pub async fn settle(&self, patience: Duration) {
        let _settled: Result<(), _> = timeout(patience, self.shared.ears.known()).await;
    }

    /// What operators may want to know of it.
    pub fn readings(&self) -> Vec<Reading> {
        let shared = Arc::clone(&self.shared);
        vec![Reading {
            name: "store_clock_difference_ms",
            help: "By how much the clock here and that of the store differ",
            kind: Kind::Gauge,
            read: Box::new(move || {
                let difference = shared.clocks.greatest().as_millis();
                u64::try_from(difference).unwrap_or(u64::MAX)
            }),
        }]
    }
}

impl Shared {
    /// For ever: follows the servers, and reads whatever may have been missed.
    async fn run(self: Arc<Self>) {
        tokio::join!(follow(&self), keep_whole(&self));
    }

    fn have_read(&self, quiet: Quiet) {
        let before = self.revocations.freshness();
        let now = self.ears.have_read(quiet);
        if (before, now) == (Freshness::Stale, Freshness::Fresh) {
            tracing::info!("all logouts on other gateways are known");
        }
    }
}

/// Listens to all servers that take writes, whichever these are.
async fn follow(shared: &Arc<Shared>) {
    let mut listeners: HashMap<Arc<str>, AbortOnDropHandle<()>> = HashMap::new();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        // Without an answer those of before are listened to: they may still be the right ones.
        let Ok(masters) = shared.link.masters().await else {
            continue;
        };
        let masters: HashMap<Arc<str>, Master> = masters
            .into_iter()
            .map(|master| (master.to_string().into(), master))
            .collect();
        listeners.retain(|name, listener| {
            if listener.is_finished() {
                // It panicked; the next one hears nothing that was said in between.
                shared.ears.lost(name);
            }
            masters.contains_key(name) && !listener.is_finished()
        });
        shared.clocks.keep(|name| masters.contains_key(name));
        shared.ears.listen_to(&masters.keys().cloned().collect());
        for (name, master) in masters {
            listeners.entry(name).or_insert_with_key(|name| {
                let listener = Listener::new(Arc::clone(shared), master, Arc::clone(name));
                AbortOnDropHandle::new(tokio::spawn(listener.run()))
            });
        }
    }
}

/// Reads all sets when something may have been missed, and from time to time when not.
async fn keep_whole(shared: &Arc<Shared>) {
    let mut failures = 0_u32;
    loop {
        let quiet = shared.ears.quiet().await;
        let read = tokio::select! {
            () = shared.ears.gap_after(quiet) => continue,
            read = read_all(shared) => read,
        };
        match read {
            Ok(()) => {
                failures = 0;
                shared.have_read(quiet);
                let gap = shared.ears.gap_after(quiet);
                let _gap: Result<(), _> = timeout(shared.again, gap).await;
            }
            Err(why) => {
                if failures == 0 {
                    tracing::warn!(%why, "the revoked sessions cannot be read");
                }
                failures = failures.saturating_add(1);
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
