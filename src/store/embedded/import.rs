//! A file as the target of a copy: written under another name, and given its own when it is complete; knows no source.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use redb::Database;

use super::{
    Place,
    deliveries::Deliveries,
    fault::Fault,
    step::Kept,
    tables::{ACCOUNTS, COPY_OF, METERS, ONCE, PURSES, REVOKED, Records},
    windows::Windows,
};
use crate::{
    clock::Clock,
    domain::{account::Account, budget::Purse, fraud::Meter},
    secret::SecretId,
    store::{
        Error, OpenError,
        transfer::{Batch, Broken, Entry, Progress, Stamp},
    },
};

/// A file that is not complete. Dropping it leaves the draft, which the next copy throws away.
#[derive(Debug)]
pub struct Import {
    path: PathBuf,
    draft: Place,
    database: Database,
    clock: Clock,
}

impl Import {
    /// Begins the file. If it is there already it is either this very copy, or taken.
    pub fn open(
        path: PathBuf,
        names: SecretId,
        clock: Clock,
        stamp: Stamp,
    ) -> Result<(Self, Progress), Broken> {
        let taken = path.symlink_metadata().is_ok();
        let place = Place::File(path.clone());
        if taken {
            let database = place.open_unchanged()?;
            let progress = match place.number(&database, COPY_OF)? {
                Some(known) if known == stamp.0 => Progress::All,
                Some(_) | None => return Err(Broken::Taken(path.display().to_string())),
            };
            let complete = Self {
                path,
                draft: place,
                database,
                clock,
            };
            return Ok((complete, progress));
        }
        let mut draft = path.clone().into_os_string();
        draft.push(".copy");
        let draft = PathBuf::from(draft);
        throw_away(&draft)?;
        let place = Place::File(draft);
        let database = place.open_or_create()?;
        place.claim(&database, names)?;
        place.write_number(&database, COPY_OF, Some(stamp.0))?;
        let begun = Self {
            path,
            draft: place,
            database,
            clock,
        };
        Ok((begun, Progress::None))
    }

    /// Keeps the entries, in one step.
    pub fn put(&mut self, batch: &Batch) -> Result<(), Error> {
        let failed = |fault: Fault| self.draft.unavailable(&fault.to_string());
        self.put_all(&batch.entries).map_err(failed)
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), Broken> {
        let Self {
            path,
            draft,
            database,
            ..
        } = self;
        drop(database);
        // Unlike a new name, a link never takes the place of a file that is there.
        fs::hard_link(draft.path(), &path).map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                Broken::Taken(path.display().to_string())
            } else {
                io_error(&path, error).into()
            }
        })?;
        fs::remove_file(draft.path()).map_err(|error| io_error(draft.path(), error))?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| io_error(directory, error).into())
    }

    fn put_all(&self, entries: &[Entry]) -> Result<(), Fault> {
        let now = self.clock.now();
        let transaction = self.database.begin_write()?;
        let mut accounts: Records<'_, Account> = Records::open(&transaction, ACCOUNTS, "accounts")?;
        let mut revoked: Records<'_, ()> = Records::open(&transaction, REVOKED, "revoked")?;
        let mut meters: Records<'_, Meter> = Records::open(&transaction, METERS, "meters")?;
        let mut purses: Records<'_, Purse> = Records::open(&transaction, PURSES, "purses")?;
        let mut windows = Windows::open(&transaction)?;
        let mut deliveries = Deliveries::open(&transaction)?;
        let mut requests: Records<'_, Kept> = Records::open(&transaction, ONCE, "once")?;
        for entry in entries {
            match entry {
                Entry::Account { key, account } => {
                    if let Some((account, dead_at)) = account.clone().remains(now) {
                        accounts.put(&key.0, dead_at, &account)?;
                    }
                }
                Entry::Window {
                    bucket,
                    events,
                    dead_at,
                } => windows.put(&bucket.0, events, *dead_at)?,
                Entry::Meter { key, meter } => meters.put(&key.0, meter.dead_at(), meter)?,
                Entry::Delivery {
                    challenge,
                    delivery,
                } => deliveries.put(*challenge, delivery)?,
                Entry::Request { once, started } => {
                    let kept = Kept {
                        request: once.request,
                        started: started.clone(),
                    };
                    requests.put(&once.key.0, started.expires_at, &kept)?;
                }
                Entry::Purse { key, purse } => purses.put(&key.0, purse.dead_at, purse)?,
                Entry::Revoked { session, until } => {
                    revoked.put(session.as_bytes(), *until, &())?;
                }
            }
        }
        drop((
            accounts, revoked, meters, purses, windows, deliveries, requests,
        ));
        Ok(transaction.commit()?)
    }
}

/// Removes what an earlier copy has left, unless it is still at work.
fn throw_away(draft: &Path) -> Result<(), OpenError> {
    let place = Place::File(draft.to_owned());
    if draft.symlink_metadata().is_err() {
        return Ok(());
    }
    if let Err(locked @ OpenError::Locked { .. }) = place.open_unchanged() {
        return Err(locked);
    }
    fs::remove_file(draft).map_err(|error| io_error(draft, error))
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}
