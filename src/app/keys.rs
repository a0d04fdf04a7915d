//! The signing keys of a running gateway: read at the start, again whenever their directory changes, and at once when a token names one that is not known.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    clock::{Clock, Timestamp},
    token::{Algorithm, Keyring, KeysError, Lookout},
};

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The least pause between two looks, however many ask for one: tokens with invented keys cost no
/// more than this.
const PAUSE: Duration = Duration::from_millis(200);

/// However quiet the directory is, the keys are read again after so long: a retired key leaves
/// the ring by getting old, not by a change of files.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// Keys that are missing from the directory for so long are gone.
const GONE: Duration = Duration::from_secs(1);

/// A directory of keys and how it is read.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    /// Where.
    pub path: PathBuf,
    /// What new keys sign with.
    pub algorithm: Algorithm,
    /// For how long a retired key still verifies: as long as the tokens it signed may live.
    pub keep_retired: Duration,
}

/// The keys of a directory, kept as the directory has them.
///
/// A directory that is copied from elsewhere is seen in the middle of it now and then. So keys that
/// come count at once, and keys that go only when they are still gone a while later.
#[derive(Debug)]
pub struct KeyWatch {
    directory: KeyDirectory,
    keys: Arc<ArcSwap<Keyring>>,
    lookout: Lookout,
    /// `None` when what was read then is not to be relied on.
    seen: Option<Fingerprint>,
    read_at: Timestamp,
    /// Since when keys are missing that still verify.
    missing_since: Option<Timestamp>,
    /// Readings in a row that came to nothing.
    failures: u32,
}

/// Changes when a file comes, goes, is renamed or rewritten.
type Fingerprint = Vec<(PathBuf, Option<SystemTime>)>;

impl KeyDirectory {
    /// Reads the keys, which are made first if there are none at all.
    pub fn open(self, now: Timestamp) -> Result<KeyWatch, KeysError> {
        let (seen, read) = self.look(now);
        let (seen, read) = match read {
            Err(KeysError::Empty { .. }) => {
                Keyring::generate(&self.path, self.algorithm, now)?;
                self.look(now)
            }
            read => (seen, read),
        };
        let keys = read?;
        if let Some(key) = keys.signing()
            && key.algorithm() != self.algorithm
        {
            let (is, will_be) = (key.algorithm(), self.algorithm);
            tracing::warn!("tokens are signed with {is} until a rotation brings {will_be}");
        }
        Ok(KeyWatch {
            directory: self,
            keys: Arc::new(ArcSwap::from_pointee(keys)),
            lookout: Lookout::default(),
            seen,
            read_at: now,
            missing_since: None,
            failures: 0,
        })
    }

    /// The files first: what changes while they are read is seen by the next look.
    fn look(&self, now: Timestamp) -> (Option<Fingerprint>, Result<Keyring, KeysError>) {
        let seen = fingerprint(&self.path).ok();
        let read = Keyring::load(&self.path, self.algorithm, now, self.keep_retired);
        (seen, read)
    }
}

impl KeyWatch {
    /// The keys, as they are at any time.
    pub const fn keys(&self) -> &Arc<ArcSwap<Keyring>> {
        &self.keys
    }

    /// For those who meet a key that they do not know.
    pub const fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// Keeps the keys as the directory has them, for ever. A directory that cannot be read, or that
    /// holds no usable key, changes nothing and says so once.
    pub async fn run(mut self, clock: Clock) {
        let lookout = self.lookout.clone();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = lookout.wanted() => {}
            }
            let look = lookout.begin();
            self.look(clock.now()).await;
            drop(look);
            sleep(PAUSE).await;
        }
    }

    async fn look(&mut self, now: Timestamp) {
        let is_due = now.since(self.read_at) >= READ_AGAIN;
        let seen = self.seen.clone().filter(|_| !is_due);
        let directory = self.directory.clone();
        // The directory may be on another machine, and a rotation may hold its lock; nobody else
        // waits for either.
        let looked = spawn_blocking(move || {
            let is_as_before = seen.is_some() && fingerprint(&directory.path).ok() == seen;
            (!is_as_before).then(|| directory.look(now))
        });
        let Ok(Some((found, read))) = looked.await else {
            return;
        };
        self.read_at = now;
        match read {
            Ok(read) => self.take_over(found, read, now),
            Err(error) => self.stay(&error),
        }
    }

    fn take_over(&mut self, found: Option<Fingerprint>, read: Keyring, now: Timestamp) {
        let known = self.keys.load_full();
        let ring = if read.has_all_of(&known) || self.is_sure(now) {
            self.missing_since = None;
            read
        } else {
            read.with_those_of(&known)
        };
        let is_settled = self.missing_since.is_none();
        // The same keys in another ring would make every worker verify its tokens anew.
        if (is_settled && found != self.seen) || !ring.has_the_keys_of(&known) {
            tracing::info!(directory = %self.directory.path.display(), "signing keys taken over");
            self.keys.store(Arc::new(ring));
        }
        self.seen = found.filter(|_| is_settled);
        self.failures = 0;
    }

    /// Whether keys that are missing have been so for long enough.
    fn is_sure(&mut self, now: Timestamp) -> bool {
        now.since(*self.missing_since.get_or_insert(now)) >= GONE
    }

    /// A reading that failed once may have come in the middle of a change.
    fn stay(&mut self, error: &KeysError) {
        self.seen = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures == 2 {
            tracing::error!(%error, "the signing keys stay as they were");
        }
    }
}

/// Links are followed: mounted secrets are links that are turned to other files.
fn fingerprint(path: &Path) -> io::Result<Fingerprint> {
    let mut files = fs::read_dir(path)?
        .map(|entry| {
            let path = entry?.path();
            let modified = fs::metadata(&path).and_then(|file| file.modified()).ok();
            Ok((path, modified))
        })
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
