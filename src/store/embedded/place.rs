//! Where the database lies: opens it, creates it, and never takes a file for something it is not; knows no verb.
//!
//! A new file appears under its name only when it is complete and on disk. Whatever exists under
//! that name is opened as it is or refused, so a damaged store never turns into an empty one.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend,
    backends::{FileBackend, InMemoryBackend},
};

use super::tables::{
    ACCOUNTS, COPIED_BY, DELIVERIES, DUE, EVENTS, FORMAT, META, METERS, ONCE, PURSES, REVOKED,
    WINDOWS,
};
use crate::{
    secret::SecretId,
    store::{Error, OpenError},
};

/// Memory for pages that were read or are to be written.
const CACHE_BYTES: usize = 64 << 20;

/// Where one database lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// In the memory of this process.
    Memory(Memory),
    /// In a file.
    File(PathBuf),
}

/// Memory that outlives the database on it, so that one that has failed can be opened again.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<InMemoryBackend>);

impl Place {
    /// In the memory of this process, with nothing in it.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// How it is called in errors.
    pub fn path(&self) -> &Path {
        match self {
            Self::Memory(_) => Path::new("memory:"),
            Self::File(path) => path,
        }
    }

    /// Opens the database, or creates it if there is nothing.
    pub fn open_or_create(&self) -> Result<Database, OpenError> {
        match self {
            Self::Memory(memory) => {
                let database = self.guarded(|| builder().create_with_backend(memory.clone()))?;
                self.lay_out(&database)?;
                Ok(database)
            }
            Self::File(path) => match path.symlink_metadata() {
                Ok(_) => self.open(),
                Err(error) if error.kind() == ErrorKind::NotFound => self.create(path),
                Err(source) => Err(io_error(path, source)),
            },
        }
    }

    /// Opens the database that is there, to be worked on: no copy of it is up to date any more.
    pub fn open(&self) -> Result<Database, OpenError> {
        let database = self.open_unchanged()?;
        if self.number(&database, COPIED_BY)?.is_some() {
            self.write_number(&database, COPIED_BY, None)?;
        }
        Ok(database)
    }

    /// Opens the database that is there, to be read.
    pub fn open_unchanged(&self) -> Result<Database, OpenError> {
        let database = self.guarded(|| match self {
            Self::Memory(memory) => builder().create_with_backend(memory.clone()),
            Self::File(path) => builder().open(path),
        })?;
        self.check_format(&database)?;
        Ok(database)
    }

    /// Writes down which secret the names in it follow from, or sees to it that it is this one: with
    /// another one nothing would be found, and everything be begun anew beside it.
    pub fn claim(&self, database: &Database, names: SecretId) -> Result<(), OpenError> {
        let names = u32::from_be_bytes(*names.as_bytes());
        let claim = || -> Result<u32, redb::Error> {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(META)?;
            let known = table.get("names")?.map(|names| names.value());
            if known.is_none() {
                table.insert("names", names)?;
                drop(table);
                transaction.commit()?;
            }
            Ok(known.unwrap_or(names))
        };
        let found = claim().map_err(|error| self.refusal(error))?;
        if found != names {
            return Err(OpenError::Names {
                path: self.path().to_owned(),
            });
        }
        Ok(())
    }

    /// How many bytes it has taken.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            Self::Memory(memory) => memory.0.len(),
            Self::File(path) => path.metadata().map(|file| file.len()),
        }
    }

    /// Makes the file under another name and gives it its own when it is complete.
    fn create(&self, path: &Path) -> Result<Database, OpenError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| io_error(directory, source))?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&draft)
            .map_err(|source| io_error(&draft, source))?;
        // The lock says that nobody else is at it; what a crash may have left in it can go.
        file.try_lock().map_err(|_| self.locked())?;
        if path.symlink_metadata().is_ok() {
            // Somebody was faster, and the draft may by now be the very file they gave its name.
            return self.open();
        }
        file.set_len(0).map_err(|source| io_error(&draft, source))?;
        let database = self.guarded(|| {
            let backend = FileBackend::new(file)?;
            builder().create_with_backend(backend)
        })?;
        self.lay_out(&database)?;
        std::fs::rename(&draft, path).map_err(|source| io_error(path, source))?;
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| io_error(directory, source))?;
        Ok(database)
    }

    /// Makes all tables and writes down their format.
    fn lay_out(&self, database: &Database) -> Result<(), OpenError> {
        let lay_out = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            transaction.open_table(ACCOUNTS)?;
            transaction.open_table(REVOKED)?;
            transaction.open_table(WINDOWS)?;
            transaction.open_table(EVENTS)?;
            transaction.open_table(METERS)?;
            transaction.open_table(PURSES)?;
            transaction.open_table(DELIVERIES)?;
            transaction.open_table(DUE)?;
            transaction.open_table(ONCE)?;
            transaction.open_table(META)?.insert("format", FORMAT)?;
            transaction.commit()?;
            Ok(())
        };
        lay_out().map_err(|error| self.refusal(error))
    }

    /// What stands in [`META`] under this name.
    pub fn number(&self, database: &Database, name: &str) -> Result<Option<u32>, OpenError> {
        let read = || -> Result<Option<u32>, redb::Error> {
            let table = database.begin_read()?.open_table(META)?;
            Ok(table.get(name)?.map(|number| number.value()))
        };
        read().map_err(|error| self.refusal(error))
    }

    /// Writes it there, or removes it.
    pub fn write_number(
        &self,
        database: &Database,
        name: &str,
        number: Option<u32>,
    ) -> Result<(), OpenError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(META)?;
            match number {
                Some(number) => drop(table.insert(name, number)?),
                None => drop(table.remove(name)?),
            }
            drop(table);
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| self.refusal(error))
    }

    fn check_format(&self, database: &Database) -> Result<(), OpenError> {
        match self.number(database, "format")? {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(OpenError::Format {
                path: self.path().to_owned(),
                found,
                known: FORMAT,
            }),
            None => Err(self.corrupt("it does not say its format")),
        }
    }

    /// Opens with redb, which may panic on a file that was tampered with.
    fn guarded(
        &self,
        open: impl FnOnce() -> Result<Database, DatabaseError>,
    ) -> Result<Database, OpenError> {
        match panic::catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(database)) => Ok(database),
            Ok(Err(error)) => Err(self.refusal(error.into())),
            Err(_) => Err(self.corrupt("reading it failed")),
        }
    }

    /// What an error of redb means for whoever opens.
    pub fn refusal(&self, error: redb::Error) -> OpenError {
        // So redb says that a file does not begin like one of its own, or is cut off.
        const FOREIGN: [ErrorKind; 2] = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];
        if matches!(
            error,
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch
        ) {
            return self.locked();
        }
        let redb::Error::Io(source) = error else {
            return self.corrupt(&error.to_string());
        };
        if FOREIGN.contains(&source.kind()) {
            return self.corrupt(&source.to_string());
        }
        io_error(self.path(), source)
    }

    /// What a caller hears when the store does not work: which one, and why.
    pub fn unavailable(&self, reason: &str) -> Error {
        Error::Unavailable(format!("store {}: {reason}", self.path().display()).into())
    }

    fn locked(&self) -> OpenError {
        OpenError::Locked {
            path: self.path().to_owned(),
        }
    }

    fn corrupt(&self, reason: &str) -> OpenError {
        OpenError::Corrupt {
            path: self.path().to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    // Without it a damaged page is met by some later verb, and then as a panic.
    builder.set_check_integrity_on_open(true);
    builder
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}
