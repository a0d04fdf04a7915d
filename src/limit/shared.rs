//! Limits that the store counts: exact windows of all gateways that share it; knows nothing of requests.
//!
//! Names in the store are keyed hashes, as those of all that is counted there: nobody's address or
//! subject stands in it. A limit is known by its place and its own text, so one that is changed begins
//! a count of its own.
//!
//! While the store does not answer, each process counts for itself with the same rate, and says in the
//! metrics that it does: an outage of the store neither stops the apps nor opens the limits.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        quota::{Bucket, Charge},
        rate::Rate,
    },
    limit::{Exceeded, Key, Limit},
    observe::limits::LimitMetrics,
    secret::{Masters, Named},
    store::{Store, Taking},
};

/// The store as one worker asks it.
#[derive(Debug, Clone)]
pub struct Shared {
    pub store: Store,
    pub masters: Arc<Masters>,
    pub metrics: LimitMetrics,
}

/// A request that the limits of this process have let through, and that others have to judge.
#[derive(Debug, Default)]
pub struct Question {
    /// The limits it has been taken from, and under which number.
    taken: Vec<(Arc<Limit>, u64)>,
    /// Those that the store is asked about; one for each charge.
    asked: Vec<(Arc<Limit>, u64)>,
    charges: Vec<Charge>,
}

impl Question {
    /// Adds what was taken already.
    pub(super) fn taken(&mut self, limit: &Arc<Limit>, number: u64) {
        self.taken.push((Arc::clone(limit), number));
    }

    /// Adds what is to be taken from the store.
    pub(super) fn ask(&mut self, limit: &Arc<Limit>, key: Key<'_>, shared: &Shared) {
        self.charges.push(Charge {
            bucket: bucket(&shared.masters, &limit.place, &limit.rate, key),
            quota: limit.rate.quota,
        });
        self.asked
            .push((Arc::clone(limit), limit.local.number(key)));
    }

    /// Whether there is nothing to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.charges.is_empty()
    }

    /// Takes from all windows or from none. If one refuses, what was taken here is given back.
    pub(super) async fn settle(self, shared: Shared) -> Result<(), Exceeded> {
        let Self {
            taken,
            asked,
            charges,
        } = self;
        let refusal = match shared.store.take(charges).await {
            Ok(Taking::Taken) => None,
            Ok(Taking::Limited { charge, wait }) => {
                asked.get(charge).map(|(limit, _)| (limit, wait))
            }
            Err(error) => {
                shared.metrics.unshared();
                tracing::debug!(%error, "counting requests without the store");
                alone(&asked)
            }
        };
        let Some((limit, wait)) = refusal else {
            return Ok(());
        };
        for (limit, number) in &taken {
            limit.local.give_back(*number);
        }
        limit.refused.count();
        Err(Exceeded {
            rate: limit.rate,
            wait,
        })
    }
}

/// What this process finds by itself: which limit refuses and for how long, or a request taken from each.
fn alone(asked: &[(Arc<Limit>, u64)]) -> Option<(&Arc<Limit>, Duration)> {
    for (at, (limit, number)) in asked.iter().enumerate() {
        if let Err(Exceeded { wait, .. }) = limit.local.take(*number) {
            for (earlier, number) in asked.iter().take(at) {
                earlier.local.give_back(*number);
            }
            return Some((limit, wait));
        }
    }
    None
}

/// The name of somebody's window.
fn bucket(masters: &Masters, place: &str, rate: &Rate, key: Key<'_>) -> Bucket {
    let rate = rate.to_string();
    let whose = match key {
        Key::Network(network) => network.to_string(),
        Key::Subject(subject) => subject.to_owned(),
        Key::Session(session) => session.to_string(),
        Key::All => String::new(),
    };
    let input = [
        b"throttle".as_slice(),
        place.as_bytes(),
        rate.as_bytes(),
        whose.as_bytes(),
    ];
    let name = masters.pseudonyms().name(Named::Client, &input);
    let mut bucket = [0; 16];
    for (to, from) in bucket.iter_mut().zip(name) {
        *to = from;
    }
    Bucket(bucket)
}
