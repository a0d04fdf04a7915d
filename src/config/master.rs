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
    secret::{Master, Masters, Secret, TooShort},
};

/// Where the master secrets come from.
#[derive(Debug, Clone)]
pub enum MasterSecret {
    /// From the configuration.
    Given(Arc<Masters>),
    /// From this file, which the first run makes.
    Kept(PathBuf),
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
    /// The file in the data directory.
    pub fn kept_in(data_dir: &Path) -> Self {
        Self::Kept(data_dir.join("master.secret"))
    }

    /// The secrets, without making any.
    pub fn read(&self) -> Result<Arc<Masters>, KeptError> {
        match self {
            Self::Given(masters) => Ok(Arc::clone(masters)),
            Self::Kept(file) => {
                let text = fs::read_to_string(file).map_err(|source| KeptError::Io {
                    file: file.clone(),
                    source,
                })?;
                masters(file, &text)
            }
        }
    }

    /// The secrets; when they are to be kept and there are none yet, `random` becomes the first.
    pub fn read_or_make(&self, random: [u8; 32]) -> Result<Arc<Masters>, KeptError> {
        let Self::Kept(file) = self else {
            return self.read();
        };
        let failed = |source| KeptError::Io {
            file: file.clone(),
            source,
        };
        let text = BASE64_URL_SAFE_NO_PAD.encode(random);
        match write_new(file, &text) {
            Ok(()) => masters(file, &text),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.read(),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Two are the same when nothing derived from them differs.
impl PartialEq for MasterSecret {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Given(a), Self::Given(b)) => {
                a.iter().map(Master::id).eq(b.iter().map(Master::id))
            }
            (Self::Kept(a), Self::Kept(b)) => a == b,
            (Self::Given(_), Self::Kept(_)) | (Self::Kept(_), Self::Given(_)) => false,
        }
    }
}

impl Value for Master {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let secret = Secret::read(item)?;
        let help = "`openssl rand -base64 32` makes a good one".to_owned();
        Self::new(&secret).map_err(|error| item.refuse(error, Some(help)))
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

fn masters(file: &Path, text: &str) -> Result<Arc<Masters>, KeptError> {
    let newest = Master::new(&Secret::new(text.trim().as_bytes())).map_err(|source| {
        KeptError::TooShort {
            file: file.to_owned(),
            source,
        }
    })?;
    Ok(Arc::new(Masters::new(newest, Vec::new())))
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

    fn ids(masters: &Masters) -> Vec<crate::secret::SecretId> {
        masters.iter().map(Master::id).collect()
    }

    #[test]
    fn the_first_run_makes_a_secret_that_later_runs_keep() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = MasterSecret::kept_in(&dir.path().join("data"));
        assert!(kept.read().is_err(), "reading alone makes nothing");
        let first = kept.read_or_make([1; 32]).expect("made");
        let later = kept.read_or_make([2; 32]).expect("kept");
        assert_eq!(ids(&first), ids(&later));
        assert_eq!(ids(&first), ids(&kept.read().expect("kept")));
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
        let kept = MasterSecret::kept_in(dir.path());
        fs::write(dir.path().join("master.secret"), "short\n").expect("written");
        let error = kept.read_or_make([1; 32]).expect_err("too short");
        assert!(
            error.to_string().ends_with(
                "master.secret: a master secret needs at least 32 bytes, this one has 5"
            )
        );
    }

    #[test]
    fn secrets_are_the_same_when_all_of_them_are_in_the_same_order() {
        let given = |bytes: &[u8]| {
            let mut all = bytes
                .iter()
                .map(|b| Master::new(&Secret::new([*b; 32])).expect("long"));
            let newest = all.next().expect("one");
            MasterSecret::Given(Arc::new(Masters::new(newest, all.collect())))
        };
        assert_eq!(given(&[1, 2]), given(&[1, 2]));
        assert_ne!(given(&[1, 2]), given(&[2, 1]));
        assert_ne!(given(&[1, 2]), given(&[1]));
        assert_ne!(given(&[1]), MasterSecret::kept_in(Path::new("data")));
    }
}
