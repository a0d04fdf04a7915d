//! What can be wrong with a directory of keys, said so that an operator can mend it.

use std::{io, path::PathBuf};

use crate::token::InvalidKey;

/// Why keys could not be read, made or rotated. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is no key in the directory, or no directory.
    #[error("{}: holds no keys", dir.display())]
    Empty {
        /// The directory.
        dir: PathBuf,
    },
    /// There are keys, but none that may sign; a rotation makes one.
    #[error("{}: holds no active private key; rotate the keys", dir.display())]
    NoSigningKey {
        /// The directory.
        dir: PathBuf,
    },
    /// A file that looks like a key has a name that says nothing.
    #[error(
        "{}: a key file is called NAME.STATE.pem or NAME.STATE.key, where STATE is next, active or \
         retired and NAME has 1 to 64 letters, digits, dashes and underscores",
        path.display()
    )]
    BadName {
        /// The file.
        path: PathBuf,
    },
    /// Two files claim one name, so that it is unclear whose signature it stands for.
    #[error("{}: there is also {}", path.display(), other.display())]
    Duplicate {
        /// One file.
        path: PathBuf,
        /// The other one.
        other: PathBuf,
    },
    /// Others can read a secret, or replace a public key.
    #[error("{}: mode {mode:04o} gives it away to others; 0600 would be right", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What the file holds is no key.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: InvalidKey,
    },
    /// The file system refused.
    #[error("{}: cannot be read or written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The cryptographic library, or the system's source of randomness, refused.
    #[error("no key could be generated")]
    Generation,
}
