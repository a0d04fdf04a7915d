//! The master secret: given in the file, or made on the first run and kept in the data directory; knows not what is derived from it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    config::{item::Item, problem::Reported, value::Value},
    secret::{Masters, Pseudonyms, Secret, TooShort},
};

/// Where the master secrets come from. Two are the same when nothing derived from them differs.
#[derive(Debug, Clone, PartialEq)]
pub enum MasterSecret {
    /// From the configuration.
    Given(Arc<Masters>),
    /// One, from a file that the first run makes.
    Kept {
        /// Which.
        file: PathBuf,
        /// What names follow from, unless it is the kept secret itself.
        pseudonyms: Option<Box<Pseudonyms>>,
    },
}

/// Why the kept secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file could not be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{}: {source}", file.display())]
    TooShort {
        /// Which.
        file: PathBuf,
        /// Why.
        source: TooShort,
    },
}

impl MasterSecret {
    /// The file in the data directory. Names follow from the secret in it unless `pseudonyms` says otherwise.
    pub fn kept_in(data_dir: &Path, pseudonyms: Option<Pseudonyms>) -> Self {
        Self::Kept {
            file: data_dir.join("master.secret"),
            pseudonyms: pseudonyms.map(Box::new),
        }
    }

    /// The secrets, without making any.
    pub fn read(&self) -> Result<Arc<Masters>, KeptError> {
        match self {
            Self::Given(masters) => Ok(Arc::clone(masters)),
            Self::Kept { file, pseudonyms } => {
                let text = fs::read_to_string(file).map_err(|source| KeptError::Io {
                    file: file.clone(),
                    source,
                })?;
                masters(file, &text, pseudonyms.as_deref())
            }
        }
    }

    /// The secrets; when they are to be kept and there are none yet, `random` becomes the first.
    pub fn read_or_make(&self, random: [u8; 32]) -> Result<Arc<Masters>, KeptError> {
        let Self::Kept { file, pseudonyms } = self else {
            return self.read();
        };
        let failed = |source| KeptError::Io {
            file: file.clone(),
            source,
        };
        let text = BASE64_URL_SAFE_NO_PAD.encode(random);
        match write_new(file, &text) {
            Ok(()) => masters(file, &text, pseudonyms.as_deref()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.read(),
            Err(error) => Err(failed(error)),
        }
    }
}

/// A secret is a string, or names the environment variable or the file that holds it. Blanks at
/// its ends are dropped, as editors leave a line end there. No problem ever shows the secret.
impl Value for Secret {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str = "a string, { env = \"NAME\" } or { file = \"PATH\" }";
        if let Some(text) = item.value().as_str() {
            return secret(item, text);
        }
        let entries = item.entries().ok_or_else(|| item.expected(EXPECTED))?;
        let entries: Vec<_> = entries.collect();
        match entries.as_slice() {
            [("env", name)] => {
                let name = name.text("the name of an environment variable")?;
                match item.env(name) {
                    Some(text) => secret(item, &text),
                    None => {
                        Err(item
                            .refuse(format!("the environment variable {name} is not set"), None))
                    }
                }
            }
            [("file", path)] => {
                let path = path.text("a path")?;
                match fs::read_to_string(path) {
                    Ok(text) => secret(item, &text),
                    Err(error) => Err(item.refuse(format!("cannot read {path}: {error}"), None)),
                }
            }
            _ => Err(item.refuse(
                format!("expected {EXPECTED}, found a table with other keys"),
                None,
            )),
        }
    }
}

fn secret(item: &Item<'_>, text: &str) -> Result<Secret, Reported> {
    match text.trim() {
        "" => Err(item.refuse("the secret is empty", None)),
        text => Ok(Secret::new(text.as_bytes())),
    }
}

fn masters(
    file: &Path,
    text: &str,
    pseudonyms: Option<&Pseudonyms>,
) -> Result<Arc<Masters>, KeptError> {
    let kept = Secret::new(text.trim().as_bytes());
    let derived = Masters::of(&kept).map_err(|source| KeptError::TooShort {
        file: file.to_owned(),
        source,
    })?;
    Ok(Arc::new(match pseudonyms {
        Some(pseudonyms) => derived.with(pseudonyms.clone()),
        None => derived,
    }))
}

/// Writes a file that only its owner may read and that appears whole or not at all: it is written
/// aside, then linked to its name, which fails if another process was faster.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    if file.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let aside = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut open = OpenOptions::new();
    let mut out = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    let linked = fs::hard_link(&aside, file);
    fs::remove_file(&aside)?;
    linked?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_run_makes_a_secret_that_later_runs_keep() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = MasterSecret::kept_in(&dir.path().join("data"), None);
        assert!(kept.read().is_err(), "reading alone makes nothing");
        let first = kept.read_or_make([1; 32]).expect("made");
        let later = kept.read_or_make([2; 32]).expect("kept");
        assert_eq!(first, later);
        assert_eq!(first, kept.read().expect("kept"));
        let file = dir.path().join("data/master.secret");
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
        };
        assert_eq!(mode(&file) & 0o777, 0o600);
        assert_eq!(mode(&dir.path().join("data")) & 0o777, 0o700);
        let beside = fs::read_dir(dir.path().join("data"))
            .expect("a directory")
            .count();
        assert_eq!(beside, 1, "nothing else is left");
    }

    #[test]
    fn a_damaged_kept_secret_is_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = MasterSecret::kept_in(dir.path(), None);
        fs::write(dir.path().join("master.secret"), "short\n").expect("written");
        let error = kept.read_or_make([1; 32]).expect_err("too short");
        assert!(
            error
                .to_string()
                .ends_with("master.secret: a secret needs at least 32 bytes, this one has 5")
        );
    }

    #[test]
    fn names_follow_from_the_kept_secret_or_from_the_one_that_is_given() {
        let dir = tempfile::tempdir().expect("a directory");
        let own = MasterSecret::kept_in(dir.path(), None);
        let made = own.read_or_make([1; 32]).expect("made");
        assert_eq!(made.pseudonyms().id(), made.current().id());
        let given = Pseudonyms::new(&Secret::new([2; 32])).expect("long");
        let other = MasterSecret::kept_in(dir.path(), Some(given.clone()));
        let kept = other.read().expect("kept");
        assert_eq!(kept.pseudonyms(), &given);
        assert_eq!(kept.ids(), made.ids());
        assert_ne!(own, other);
    }
}
