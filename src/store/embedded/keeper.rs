//! The keeper: holds the database open, gives it up when it fails and opens it again; knows no verb.

use std::{
    mem,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Duration,
};

use redb::{Database, ReadableDatabase, ReadableTable};

use super::{
    place::Place,
    tables::{REVOKED, split},
};
use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    secret::SecretId,
    store::{Error, OpenError, revocations::Revocations},
};

/// A database that has failed is opened again after this pause at the earliest.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A database that ought to be open.
#[derive(Debug)]
pub struct Keeper {
    place: Place,
    revocations: Arc<Revocations>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Database),
    Failed { at: Timestamp, error: Error },
}

impl Keeper {
    /// Opens the database, or creates it, for records whose names follow from that secret, and tells
    /// `revocations` what is revoked.
    pub fn open(
        place: Place,
        names: SecretId,
        revocations: Arc<Revocations>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let database = place.open_or_create()?;
        place.claim(&database, names)?;
        load_revocations(&place, &database, &revocations, now)?;
        Ok(Self {
            place,
            revocations,
            state: State::Open(database),
        })
    }

    /// The database; one that has failed is opened again when it is time to, never created anew.
    pub fn database(&mut self, now: Timestamp) -> Result<&Database, Error> {
        if let State::Failed { at, error } = &self.state {
            // A clock that was set back must not make the pause longer.
            if *at <= now && now.since(*at) < BACK_OFF {
                return Err(error.clone());
            }
            self.state = self.opened_again(now);
        }
        match &self.state {
            State::Open(database) => Ok(database),
            State::Failed { error, .. } => Err(error.clone()),
        }
    }

    /// Gives the database up. The error is what everybody hears until it works again.
    pub fn give_up(&mut self, reason: &str, now: Timestamp) -> Error {
        let error = self.place.unavailable(reason);
        tracing::error!(%error, "the store has failed and will be opened again");
        let failed = State::Failed {
            at: now,
            error: error.clone(),
        };
        let database = mem::replace(&mut self.state, failed);
        // Closing writes, and what is broken may break on that too.
        drop(panic::catch_unwind(AssertUnwindSafe(|| drop(database))));
        error
    }

    /// Where the database lies.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    fn opened_again(&self, now: Timestamp) -> State {
        let opened = self.place.open().and_then(|database| {
            // A commit that has failed may have happened all the same.
            load_revocations(&self.place, &database, &self.revocations, now)?;
            Ok(database)
        });
        match opened {
            Ok(database) => {
                tracing::warn!(store = %self.place.path().display(), "the store works again");
                State::Open(database)
            }
            Err(refusal) => State::Failed {
                at: now,
                error: self.place.unavailable(&refusal.to_string()),
            },
        }
    }
}

fn load_revocations(
    place: &Place,
    database: &Database,
    revocations: &Revocations,
    now: Timestamp,
) -> Result<(), OpenError> {
    let load = || -> Result<(), redb::Error> {
        let table = database.begin_read()?.open_table(REVOKED)?;
        for row in table.iter()? {
            let (id, row) = row?;
            if let Some((until, _)) = split(row.value()).filter(|(until, _)| *until > now) {
                revocations.add(SessionId::new(*id.value()), until, now);
            }
        }
        Ok(())
    };
    load().map_err(|error| place.refusal(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        contract::NAMES,
        embedded::{place::Memory, tables::Records},
    };
    use std::fs;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn open(place: Place) -> Keeper {
        Keeper::open(place, NAMES, Arc::default(), at(0)).unwrap()
    }

    #[test]
    fn a_failed_database_is_opened_again_after_a_pause_and_not_before() {
        let home = tempfile::tempdir().unwrap();
        for place in [
            Place::Memory(Memory::default()),
            Place::File(home.path().join("store.redb")),
        ] {
            let mut keeper = open(place);
            let error = keeper.give_up("the disk is full", at(0));
            assert!(error.to_string().contains("the disk is full"));
            assert_eq!(keeper.database(at(999)).unwrap_err(), error);
            assert!(keeper.database(at(1000)).is_ok());
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_make_the_pause_longer() {
        let mut keeper = open(Place::Memory(Memory::default()));
        keeper.give_up("it failed", at(1000));
        assert!(keeper.database(at(0)).is_ok());
    }

    #[test]
    fn a_file_that_has_vanished_is_not_made_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.redb");
        let mut keeper = open(Place::File(path.clone()));
        keeper.give_up("it failed", at(0));
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        for second in 1..3 {
            let error = keeper.database(at(second * 1000)).unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()));
            assert!(!path.exists());
        }
        fs::rename(&elsewhere, &path).unwrap();
        assert!(keeper.database(at(3000)).is_ok());
    }

    #[test]
    fn a_revocation_whose_commit_seemed_to_fail_is_not_missed() {
        let place = Place::Memory(Memory::default());
        let mut keeper = open(place);
        let session = SessionId::new([1; 16]);
        let database = keeper.database(at(0)).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut revoked: Records<'_, ()> = Records::open(&transaction, REVOKED, "revoked").unwrap();
        revoked.put(session.as_bytes(), at(60_000), &()).unwrap();
        drop(revoked);
        transaction.commit().unwrap();

        keeper.give_up("the commit failed", at(0));
        let mut view = keeper.revocations.view();
        assert!(!view.is_revoked(session, at(1000)));
        keeper.database(at(1000)).unwrap();
        assert!(view.is_revoked(session, at(1000)));
    }
}
