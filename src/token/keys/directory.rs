//! A directory of key files, `NAME.STATE.pem` or `NAME.STATE.key`: what is in it, and the few ways to change it. Knows nothing of why.
//!
//! Each change is one `rename` or one `unlink`, made durable before the next one begins, so that a
//! crash leaves the directory as it was between two changes.

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    clock::Timestamp,
    secret::Secret,
    token::{
        Key, KeysError,
        keys::material::{Form, Material},
    },
};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Published already, so that everybody knows it before it signs.
    Next,
    /// Signs.
    Active,
    /// Signs no more, but verifies what it has signed.
    Retired,
}

/// What the name of a key file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub kid: String,
    pub state: State,
    pub form: Form,
}

/// A key file that was read.
#[derive(Debug)]
pub struct KeyFile {
    pub name: Name,
    pub key: Key,
    /// When it was made, and for a retired key when it was retired.
    pub modified: Timestamp,
}

/// A directory that nobody else changes as long as this exists.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

const LOCK: &str = ".lock";

impl State {
    const ALL: [Self; 3] = [Self::Next, Self::Active, Self::Retired];

    /// As it is written in the file's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Name {
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (kid, state, ending) = (parts.next()?, parts.next()?, parts.next()?);
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if parts.next().is_some() || !(1..=64).contains(&kid.len()) || !kid.bytes().all(is_plain) {
            return None;
        }
        Some(Self {
            kid: kid.to_owned(),
            state: State::ALL.into_iter().find(|s| s.as_str() == state)?,
            form: form(ending)?,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.kid, self.state, self.form.extension())
    }
}

impl KeyFile {
    /// Whether it may sign new tokens.
    pub fn may_sign(&self) -> bool {
        self.name.state == State::Active && self.key.can_sign()
    }

    /// Whether it was retired so long ago that nothing it has signed can be alive.
    pub fn is_spent(&self, now: Timestamp, keep_retired: Duration) -> bool {
        self.name.state == State::Retired && now.since(self.modified) > keep_retired
    }

    fn read(path: &Path, name: Name) -> Result<Self, KeysError> {
        let failed = |source| failed(path, source);
        let metadata = fs::metadata(path).map_err(failed)?;
        let material = Material {
            form: name.form,
            bytes: Secret::new(fs::read(path).map_err(failed)?),
        };
        let key = material
            .key(name.kid.clone())
            .map_err(|reason| KeysError::Invalid {
                path: path.into(),
                reason,
            })?;
        refuse_exposed(path, &metadata.permissions(), &key)?;
        let age = metadata
            .modified()
            .map_err(failed)?
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            name,
            key,
            modified: Timestamp::default() + age,
        })
    }
}

impl Directory {
    /// The directory for changing it; it is created if it is missing.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let failed = |source| failed(path, source);
        create(path).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(path.join(LOCK))
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self {
            path: path.into(),
            _lock: lock,
        })
    }

    /// The keys of a directory that is not changed meanwhile, in the order of their names.
    /// A directory that does not exist has none.
    pub fn read_locked(path: &Path) -> Result<Vec<KeyFile>, KeysError> {
        match File::open(path.join(LOCK)) {
            Ok(lock) => {
                lock.lock_shared().map_err(|source| failed(path, source))?;
                read(path)
            }
            // Nobody has ever changed it through us: it may be a read-only mount.
            Err(error) if error.kind() == ErrorKind::NotFound => read(path),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// The keys in it, in the order of their names.
    pub fn read(&self) -> Result<Vec<KeyFile>, KeysError> {
        read(&self.path)
    }

    /// Adds a file made at that moment, whole or not at all. A draft that a crash left half written is thrown away.
    pub fn write(&self, name: &Name, bytes: &Secret, now: Timestamp) -> Result<(), KeysError> {
        let draft = self.path.join(format!(".{name}.tmp"));
        self.at(&draft, |draft| {
            match fs::remove_file(draft) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(draft)?;
            file.write_all(bytes.expose())?;
            file.set_modified(time_of(now))?;
            file.sync_all()?;
            fs::rename(draft, self.path.join(name.to_string()))
        })
    }

    /// Gives a key another state.
    pub fn change(&self, name: &Name, state: State) -> Result<(), KeysError> {
        let to = Name {
            state,
            ..name.clone()
        };
        self.at(&self.path.join(name.to_string()), |path| {
            fs::rename(path, self.path.join(to.to_string()))
        })
    }

    /// Writes down that something was done to a key at that moment.
    pub fn stamp(&self, name: &Name, now: Timestamp) -> Result<(), KeysError> {
        self.at(&self.path.join(name.to_string()), |path| {
            let file = File::open(path)?;
            file.set_modified(time_of(now))?;
            file.sync_all()
        })
    }

    /// Removes a file for good.
    pub fn delete(&self, name: &Name) -> Result<(), KeysError> {
        self.at(&self.path.join(name.to_string()), |path| {
            fs::remove_file(path)
        })
    }

    /// A change of one file, and then the directory on disk.
    fn at(
        &self,
        path: &Path,
        change: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), KeysError> {
        change(path)
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(|source| failed(path, source))
    }
}

fn time_of(moment: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(moment.as_millis())
}

/// Creates a directory for its owner alone, and makes that durable too.
fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn read(dir: &Path) -> Result<Vec<KeyFile>, KeysError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(dir, error)),
    };
    let mut files: Vec<KeyFile> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(dir, source))?.path();
        if let Some(name) = name(&path)? {
            files.push(KeyFile::read(&path, name)?);
        }
    }
    files.sort_unstable_by(|a, b| a.name.kid.cmp(&b.name.kid));
    for pair in files.windows(2) {
        if let [a, b] = pair
            && a.name.kid == b.name.kid
        {
            return Err(KeysError::Duplicate {
                path: dir.join(a.name.to_string()),
                other: dir.join(b.name.to_string()),
            });
        }
    }
    Ok(files)
}

/// What the name of a file in the directory says. Hidden files and those with other endings are
/// not ours; a key file whose name says nothing is an error, or a misspelt key would be missed.
fn name(path: &Path) -> Result<Option<Name>, KeysError> {
    let is_key = path.extension().and_then(OsStr::to_str).and_then(form);
    let name = path.file_name().and_then(OsStr::to_str);
    if is_key.is_none() || name.is_some_and(|name| name.starts_with('.')) {
        return Ok(None);
    }
    match name.and_then(Name::parse) {
        Some(name) => Ok(Some(name)),
        None => Err(KeysError::BadName { path: path.into() }),
    }
}

fn form(extension: &str) -> Option<Form> {
    [Form::Pem, Form::Raw]
        .into_iter()
        .find(|form| form.extension() == extension)
}

/// A secret must not be readable for the world nor writable for the group; a public key must not
/// be writable for either. Groups may read, since that is how secrets are mounted in containers.
fn refuse_exposed(path: &Path, permissions: &Permissions, key: &Key) -> Result<(), KeysError> {
    let mode = permissions.mode() & 0o777;
    let forbidden = if key.can_sign() { 0o027 } else { 0o022 };
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(KeysError::Exposed {
        path: path.into(),
        mode,
    })
}

fn failed(path: &Path, source: io::Error) -> KeysError {
    KeysError::Io {
        path: path.into(),
        source,
    }
}
