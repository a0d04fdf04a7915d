//! Moving all that one store holds into another, so that neither notices the difference; knows nothing of how either keeps it.
//!
//! A copy goes into a place where nothing else is: what is there already may be newer than what is
//! copied, and a code that was used up or a session that was ended must not come back. So there is
//! nothing to be merged, and no gateway works on a store that is not complete.
//!
//! A copy that was broken off goes on where it stopped if the source can tell that it was not used
//! in between. If it cannot, what was copied so far may be out of date: it is thrown away, and the
//! copy begins anew.

use super::{
    Backend, Error, OpenError, Spec,
    embedded::{Export as EmbeddedExport, Import as EmbeddedImport},
    redis::{Export as RedisExport, Import as RedisImport},
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        account::{Account, AccountKey},
        budget::Purse,
        delivery::{Delivery, Once},
        fraud::{Meter, MeterKey},
        otp::{ChallengeId, Started},
        quota::Bucket,
        session::SessionId,
    },
    secret::SecretId,
};

/// One thing that a store holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// All that is known of one phone number.
    Account {
        /// Its name.
        key: AccountKey,
        /// What is alive of it.
        account: Account,
    },
    /// A sliding window.
    Window {
        /// Whose.
        bucket: Bucket,
        /// The latest events, as many as its limit has at most, in the order in which they came.
        events: Vec<Timestamp>,
        /// When none of them counts any more; not before that, at least.
        dead_at: Timestamp,
    },
    /// What a place owes on whose credit messages are sent.
    Meter {
        /// Its name.
        key: MeterKey,
        /// What it owes.
        meter: Meter,
    },
    /// The last message of a challenge.
    Delivery {
        /// Of which.
        challenge: ChallengeId,
        /// What has become of it.
        delivery: Delivery,
    },
    /// A request that has led to a message.
    Request {
        /// By what it is known when it comes again.
        once: Once,
        /// What it was answered.
        started: Started,
    },
    /// What was spent of a budget.
    Purse {
        /// Its name.
        key: Bucket,
        /// What was spent.
        purse: Purse,
    },
    /// A session that was ended before its time.
    Revoked {
        /// Which.
        session: SessionId,
        /// When its last access token dies.
        until: Timestamp,
    },
}

/// Some entries of a source.
#[derive(Debug, Default)]
pub struct Batch {
    /// Those that are alive.
    pub entries: Vec<Entry>,
    /// How many were left out, as they are dead.
    pub dead: u64,
    /// Where to go on if all that came before this is safe; `None` if that cannot be said.
    pub bookmark: Option<Bookmark>,
}

/// A place in a source, in words of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark(pub Vec<u8>);

/// Tells one copy from another. A source gives the same one again only if it has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub u32);

/// What a target has of a copy already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing.
    None,
    /// Everything up to here.
    Until(Bookmark),
    /// Everything.
    All,
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// One of the stores cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One of them failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// There is nothing to copy from.
    #[error("there is no store at {0}")]
    Nowhere(String),
    /// There is a store already, which a copy might set back.
    #[error("there is a store at {0} already, and nothing is copied over a store")]
    Taken(String),
    /// It ends with the process.
    #[error("memory: holds nothing but what its own process puts there")]
    Memory,
}

/// A store that is read.
#[derive(Debug)]
pub enum Source {
    /// A file.
    Embedded(EmbeddedExport),
    /// Servers.
    Redis(RedisExport),
}

/// A store that comes into being.
#[derive(Debug)]
pub enum Target {
    /// A file.
    Embedded(EmbeddedImport),
    /// Servers.
    Redis(RedisImport),
}

impl Source {
    /// Opens the store to read it. If it takes a new number for the copy, it is `stamp`.
    pub async fn open(
        spec: &Spec,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<Self, Broken> {
        match &spec.backend {
            Backend::Memory => Err(Broken::Memory),
            Backend::Embedded(path) => {
                EmbeddedExport::open(path.clone(), names, clock, stamp).map(Self::Embedded)
            }
            Backend::Redis(redis) => RedisExport::open(redis, names, clock, stamp)
                .await
                .map(Self::Redis),
        }
    }

    /// What tells this copy from others.
    pub const fn stamp(&self) -> Stamp {
        match self {
            Self::Embedded(store) => store.stamp(),
            Self::Redis(store) => store.stamp(),
        }
    }

    /// Skips everything up to a bookmark of this very source.
    pub fn go_on_at(&mut self, bookmark: &Bookmark) {
        match self {
            Self::Embedded(store) => store.go_on_at(bookmark),
            // It has none.
            Self::Redis(_) => {}
        }
    }

    /// The next entries; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Batch>, Broken> {
        match self {
            Self::Embedded(store) => Ok(store.next()?),
            Self::Redis(store) => Ok(store.next().await?),
        }
    }
}

impl Target {
    /// Opens the place for a copy of `stamp`, and tells how much of it is there.
    pub async fn open(
        spec: &Spec,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<(Self, Progress), Broken> {
        match &spec.backend {
            Backend::Memory => Err(Broken::Memory),
            Backend::Embedded(path) => EmbeddedImport::open(path.clone(), names, clock, stamp)
                .map(|(store, progress)| (Self::Embedded(store), progress)),
            Backend::Redis(redis) => RedisImport::open(redis, names, clock, stamp)
                .await
                .map(|(store, progress)| (Self::Redis(store), progress)),
        }
    }

    /// Keeps the entries, each whole, in place of what an earlier attempt may have kept of it.
    pub async fn put(&mut self, batch: &Batch) -> Result<(), Broken> {
        match self {
            Self::Embedded(store) => Ok(store.put(batch)?),
            Self::Redis(store) => Ok(store.put(batch).await?),
        }
    }

    /// Opens the store to gateways: it has everything.
    pub async fn finish(self) -> Result<(), Broken> {
        match self {
            Self::Embedded(store) => store.finish(),
            Self::Redis(store) => Ok(store.finish().await?),
        }
    }
}
