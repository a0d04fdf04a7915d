//! Moves all that a store holds into another one, and tells how far it has come; knows neither how a store keeps it nor who is told.

use std::time::Duration;

use tokio::runtime;

use crate::{
    app::{Error, random},
    clock::{Clock, Timestamp},
    config::{Config, KeptError},
    secret::SecretId,
    store::{
        Spec,
        transfer::{Batch, Broken, Entry, Progress, Source, Stamp, Target},
    },
};

/// From where to where.
#[derive(Debug)]
pub struct Moving {
    /// The store that is read.
    pub from: Spec,
    /// The store that comes into being.
    pub to: Spec,
    /// The secret that the names in both follow from.
    pub names: SecretId,
}

/// What was copied so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Phone numbers of which something is alive.
    pub accounts: u64,
    /// Their sessions.
    pub sessions: u64,
    /// Windows of limits.
    pub windows: u64,
    /// Places on whose credit messages are sent.
    pub meters: u64,
    /// Messages, sent or to be sent, and the requests that they were for.
    pub messages: u64,
    /// Sessions whose access tokens have to be refused.
    pub revoked: u64,
    /// Records that are dead, and were left out.
    pub dead: u64,
    /// How long it took.
    pub took: Duration,
    /// With what it began.
    pub how: How,
}

/// With what a copy began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum How {
    /// With the first record.
    #[default]
    Anew,
    /// Where an earlier one was broken off.
    WentOn,
    /// With nothing: an earlier one had come to its end.
    Complete,
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the stores.
    #[error(transparent)]
    Store(#[from] Broken),
    /// Something else that every part of the gateway needs.
    #[error(transparent)]
    App(#[from] Error),
}

impl Moving {
    /// Between two stores of gateways that have this configuration's secrets.
    pub fn new(config: &Config, from: Spec, to: Spec) -> Result<Self, KeptError> {
        let names = config.fixed.secret.read()?.pseudonyms().id();
        Ok(Self { from, to, names })
    }
}

/// Copies everything. `told` hears after every portion what was copied so far.
pub fn copy(moving: &Moving, told: &mut dyn FnMut(&Copied)) -> Result<Copied, CopyError> {
    let stamp = Stamp(u32::from_be_bytes(random()?));
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Thread)?;
    runtime
        .block_on(run(moving, stamp, told))
        .map_err(Into::into)
}

async fn run(
    moving: &Moving,
    stamp: Stamp,
    told: &mut dyn FnMut(&Copied),
) -> Result<Copied, Broken> {
    let Moving { from, to, names } = moving;
    let clock = Clock::System;
    let begun = clock.now();
    let mut copied = Copied::default();
    let mut source = Source::open(from, *names, clock.clone(), stamp).await?;
    let opened = Target::open(to, *names, clock.clone(), source.stamp());
    let (mut target, progress) = opened.await?;
    match progress {
        Progress::None => {}
        Progress::Until(bookmark) => {
            source.go_on_at(&bookmark);
            copied.how = How::WentOn;
        }
        Progress::All => {
            copied.how = How::Complete;
            return Ok(copied);
        }
    }
    let mut next = source.next().await?;
    while let Some(batch) = next {
        // While one portion is written the next one is read.
        let (put, read) = tokio::join!(target.put(&batch), source.next());
        put?;
        next = read?;
        copied.add(&batch, begun, &clock);
        told(&copied);
    }
    target.finish().await?;
    copied.took = clock.now().since(begun);
    Ok(copied)
}

impl Copied {
    fn add(&mut self, batch: &Batch, begun: Timestamp, clock: &Clock) {
        for entry in &batch.entries {
            match entry {
                Entry::Account { account, .. } => {
                    self.accounts += 1;
                    self.sessions += account.sessions.len() as u64;
                }
                Entry::Window { .. } | Entry::Purse { .. } => self.windows += 1,
                Entry::Meter { .. } => self.meters += 1,
                Entry::Delivery { .. } | Entry::Request { .. } => self.messages += 1,
                Entry::Revoked { .. } => self.revoked += 1,
            }
        }
        self.dead += batch.dead;
        self.took = clock.now().since(begun);
    }
}
