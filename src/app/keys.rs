//! The signing keys of a running gateway: read at the start, and again whenever their directory changes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::{task::spawn_blocking, time::interval};

use crate::{
    clock::{Clock, Timestamp},
    token::{Algorithm, Keyring, KeysError},
};

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// However quiet the directory is, the keys are read again after so long: a retired key leaves
/// the ring by getting old, not by a change of files.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// A directory of keys and how it is read.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    /// Where.
    pub path: PathBuf,
    /// What new tokens are signed with.
    pub algorithm: Algorithm,
    /// For how long a retired key still verifies: as long as the tokens it signed may live.
    pub keep_retired: Duration,
}

impl KeyDirectory {
    /// The keys, made first if there are none at all.
    pub fn open(&self, now: Timestamp) -> Result<Keyring, KeysError> {
        match self.read(now) {
            Err(KeysError::Empty { .. }) => {
                Keyring::generate(&self.path, self.algorithm, now)?;
                self.read(now)
            }
            read => read,
        }
    }

    /// Keeps `keys` as the directory has them, for ever. A directory that cannot be read, or that
    /// holds no usable key, changes nothing and says so once.
    pub async fn watch(self, keys: Arc<ArcSwap<Keyring>>, clock: Clock) {
        let mut ticks = interval(LOOK);
        let mut seen = fingerprint(&self.path).ok();
        let mut read_at = clock.now();
        let mut failing = false;
        loop {
            ticks.tick().await;
            let now = clock.now();
            let found = fingerprint(&self.path).ok();
            let changed = found != seen;
            if !changed && now.since(read_at) < READ_AGAIN {
                continue;
            }
            // A rotation may hold the directory's lock; nobody else waits for that.
            let directory = self.clone();
            let Ok(read) = spawn_blocking(move || directory.read(now)).await else {
                continue;
            };
            match read {
                // The same keys in another ring would make every worker verify its tokens anew.
                Ok(read) if changed || !read.has_the_keys_of(&keys.load()) => {
                    tracing::info!(directory = %self.path.display(), "signing keys taken over");
                    keys.store(Arc::new(read));
                    failing = false;
                }
                Ok(_) => failing = false,
                Err(error) if !failing => {
                    tracing::error!(%error, "the signing keys stay as they were");
                    failing = true;
                }
                Err(_) => {}
            }
            seen = found;
            read_at = now;
        }
    }

    fn read(&self, now: Timestamp) -> Result<Keyring, KeysError> {
        Keyring::load(&self.path, self.algorithm, now, self.keep_retired)
    }
}

/// Changes when a file comes, goes, is renamed or rewritten.
fn fingerprint(path: &Path) -> io::Result<Vec<(PathBuf, Option<SystemTime>)>> {
    let mut files = fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.path(), entry.metadata()?.modified().ok()))
        })
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
