//! The store in Redis: each verb is one script, which runs on the server as one step; knows neither endpoints nor tokens.
//!
//! Everything about one account is in one group of keys, so on one server even in a cluster, and
//! what a verb does there happens whole or not at all. Time is the server's. What a step means is
//! said twice, by `domain` and by the scripts: the tests drive both side by side.

mod copy;
mod group;
mod join;
mod keys;
mod link;
mod packed;
mod reply;
mod script;
mod scripts;
mod spec;
mod url;

mod figures;
mod news;
mod verbs;

#[cfg(test)]
#[path = "../../../tests/it/stage/redis/mod.rs"]
#[expect(dead_code, reason = "some of the stage is for whole gateways")]
mod stage;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub use self::{
    copy::{Export, Import},
    link::{Refusal, Roots},
    spec::{InvalidPrefix, Prefix, Spec},
    url::{Invalid as InvalidUrl, Transport},
};
use self::{
    figures::Figures,
    keys::Keys,
    link::Link,
    news::{News, Sources},
    verbs::Plate,
};
use super::{OpenError, revocations::Revocations};
use crate::{clock::Clock, observe::readings::Reading, secret::SecretId};

/// One worker's handle on the store; clones share its connections.
#[derive(Debug, Clone)]
pub struct Redis {
    link: Link,
    shared: Arc<Shared>,
}

/// What the handles of all workers have in common.
#[derive(Debug)]
struct Shared {
    /// For the log.
    name: Arc<str>,
    keys: Keys,
    plate: Plate,
    /// Whether our plate was found on the store.
    is_ours: AtomicBool,
    clock: Clock,
    deadline: Duration,
    revocations: Arc<Revocations>,
    figures: Arc<Figures>,
    news: News,
}

/// How often all revoked sessions are read again, to be safe.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// How long the opening may wait for the first reading of them.
const SETTLE: Duration = Duration::from_secs(1);

impl Redis {
    /// Opens the store. That nobody can be reached at present is said in the log, and no error.
    pub async fn open(
        spec: &Spec,
        deadline: Duration,
        names: SecretId,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let name: Arc<str> = spec.to_string().into();
        let link = Link::open(spec, deadline).await?;
        let revocations = Arc::new(Revocations::stale());
        let sources = Sources {
            link: link.clone(),
            keys: Keys::new(spec.prefix.clone()),
            clock: clock.clone(),
            leeway: spec.leeway,
            again: READ_AGAIN,
        };
        let redis = Self {
            link,
            shared: Arc::new(Shared {
                name: Arc::clone(&name),
                keys: Keys::new(spec.prefix.clone()),
                plate: Plate::new(names),
                is_ours: AtomicBool::new(false),
                clock,
                deadline,
                news: News::start(sources, Arc::clone(&revocations)),
                revocations,
                figures: Arc::default(),
            }),
        };
        match redis.claim().await {
            Ok(claimed) => {
                claimed?;
                redis.shared.news.settle(SETTLE).await;
            }
            Err(error) => tracing::warn!(store = %name, %error, "the store does not answer yet"),
        }
        Ok(redis)
    }

    /// See [`super::Store::for_worker`].
    pub fn for_worker(&self) -> Self {
        Self {
            link: self.link.for_worker(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// See [`super::Store::revocations`].
    pub fn revocations(&self) -> Arc<Revocations> {
        Arc::clone(&self.shared.revocations)
    }

    /// See [`super::Store::readings`].
    pub fn readings(&self) -> Vec<Reading> {
        let mut readings = self.shared.figures.readings();
        readings.extend(self.shared.news.readings());
        readings
    }
}
