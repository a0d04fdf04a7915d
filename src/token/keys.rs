//! The keys of access tokens: which of them signs, which still verify. Knows nothing of tokens.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    clock::Timestamp,
    token::{Algorithm, Key},
};

mod directory;
mod error;
mod material;
mod rotate;
mod timetable;

use directory::{Directory, KeyFile};
use material::Material;

pub use directory::State;
pub use error::KeysError;
pub use timetable::{Pace, Timetable};

/// All keys that may verify an access token, and the one that signs new ones.
#[derive(Debug, Clone)]
pub struct Keyring {
    /// In the order of their names, which is the order of their making.
    keys: Vec<Arc<Key>>,
    signing: Option<Arc<Key>>,
}

/// One key of a directory, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub kid: String,
    /// What it may be used for.
    pub state: State,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// For how long it has been retired, or how long ago it was made.
    pub age: Duration,
}

impl Keyring {
    /// The keys of a directory. New tokens are signed with the active private key; of several, the
    /// one of `algorithm` with the highest name. Keys retired for longer than `keep_retired` are
    /// left out. A directory of public keys makes a ring that only verifies.
    ///
    /// An active key of another algorithm signs, too: where `algorithm` was changed a rotation brings
    /// the first key of it, and gateways that know of the change sign like those that do not yet.
    pub fn load(
        dir: &Path,
        algorithm: Algorithm,
        now: Timestamp,
        keep_retired: Duration,
    ) -> Result<Self, KeysError> {
        let files = Directory::read_locked(dir)?;
        if files.is_empty() {
            return Err(KeysError::Empty { dir: dir.into() });
        }
        let only_verifies = files.iter().all(|file| !file.key.can_sign());
        let mut ring = Self {
            keys: Vec::with_capacity(files.len()),
            signing: None,
        };
        for file in files {
            if file.is_spent(now, keep_retired) {
                continue;
            }
            let may_sign = file.may_sign();
            let key = Arc::new(file.key);
            let has_better = |signing: &Arc<Key>| {
                signing.algorithm() == algorithm && key.algorithm() != algorithm
            };
            if may_sign && !ring.signing.as_ref().is_some_and(has_better) {
                ring.signing = Some(Arc::clone(&key));
            }
            ring.keys.push(key);
        }
        if ring.signing.is_none() && !only_verifies {
            return Err(KeysError::NoSigningKey { dir: dir.into() });
        }
        Ok(ring)
    }

    /// One fresh key that lives as long as this process: for stores that do so too.
    pub fn ephemeral(algorithm: Algorithm) -> Result<Self, KeysError> {
        let key = Material::generate(algorithm)?
            .key(material::random_name()?)
            .map_err(|_| KeysError::Generation)?;
        let key = Arc::new(key);
        Ok(Self {
            keys: vec![Arc::clone(&key)],
            signing: Some(key),
        })
    }

    /// The key of that name.
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.iter().find(|key| key.kid() == kid)
    }

    /// The key that signs, unless this ring only verifies.
    pub fn signing(&self) -> Option<&Key> {
        self.signing.as_deref()
    }

    /// The same, with those keys of `other` that it lacks: they verify.
    #[must_use]
    pub fn with_those_of(mut self, other: &Self) -> Self {
        let lacking = other.keys.iter().filter(|key| !self.holds(key));
        let lacking: Vec<_> = lacking.cloned().collect();
        self.keys.extend(lacking);
        self.keys.sort_unstable_by(|a, b| a.kid().cmp(b.kid()));
        self
    }

    /// Whether it has all keys of `other`.
    pub fn has_all_of(&self, other: &Self) -> bool {
        other.keys.iter().all(|key| self.holds(key))
    }

    fn holds(&self, key: &Key) -> bool {
        self.find(key.kid()).is_some()
    }

    /// Whether both hold keys of the same names, and sign with the same one.
    pub fn has_the_keys_of(&self, other: &Self) -> bool {
        let names = |ring: &Self| {
            ring.iter()
                .map(|key| key.kid().to_owned())
                .collect::<Vec<_>>()
        };
        names(self) == names(other) && self.signing().map(Key::kid) == other.signing().map(Key::kid)
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(AsRef::as_ref)
    }

    /// What a directory holds, in the order of names.
    pub fn list(dir: &Path, now: Timestamp) -> Result<Vec<Listed>, KeysError> {
        let listed = |file: KeyFile| Listed {
            algorithm: file.key.algorithm(),
            kid: file.name.kid,
            state: file.name.state,
            age: now.since(file.modified),
        };
        Ok(Directory::read_locked(dir)?
            .into_iter()
            .map(listed)
            .collect())
    }
}

#[cfg(test)]
mod tests;
