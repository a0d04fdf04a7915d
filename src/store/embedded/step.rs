//! One transaction as the verbs see it: the tables, the time, and what is to be told when it is durable.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::{
    fault::Fault,
    tables::{Key, PHONES, REVOKED, Records, SESSIONS, SUBJECTS},
    windows::Windows,
};
use crate::{
    clock::Timestamp,
    domain::{
        otp::PhoneRecord,
        session::{self, Session, SessionId},
    },
    store::Error,
};

/// Several verbs, one after the other, in one transaction.
#[derive(Debug)]
pub struct Step<'t> {
    /// When it is.
    pub now: Timestamp,
    /// What is remembered of each phone number.
    pub phones: Records<'t, PhoneRecord>,
    /// The sliding windows of the limits.
    pub windows: Windows<'t>,
    /// Written only together with `subjects`.
    sessions: Records<'t, Session>,
    subjects: Table<'t, (&'static str, &'static Key), ()>,
    /// Ended sessions; a row is dead when their last access token is.
    pub revoked: Records<'t, ()>,
    ended: Vec<Ended>,
    room: Result<(), Error>,
}

/// What a transaction has led to.
#[derive(Debug)]
pub struct Outcome {
    /// Whether there is anything to commit.
    pub changed: bool,
    /// The sessions that were ended.
    pub ended: Vec<Ended>,
    /// Rows in all tables.
    pub rows: u64,
}

/// A session that was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: SessionId,
    /// When its last access token dies.
    pub until: Timestamp,
}

impl<'t> Step<'t> {
    /// Opens the tables. `room` is what a verb hears that would add something.
    pub fn begin(
        transaction: &'t WriteTransaction,
        now: Timestamp,
        room: Result<(), Error>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            now,
            phones: Records::open(transaction, PHONES, "phones")?,
            windows: Windows::open(transaction)?,
            sessions: Records::open(transaction, SESSIONS, "sessions")?,
            subjects: transaction.open_table(SUBJECTS)?,
            revoked: Records::open(transaction, REVOKED, "revoked")?,
            ended: Vec::new(),
            room,
        })
    }

    /// Refuses the verb if there is no room for anything new. To be asked before anything is written.
    pub fn may_grow(&self) -> Result<(), Fault> {
        self.room.clone().map_err(Fault::Refused)
    }

    /// The session, if it is alive.
    pub fn session(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        self.sessions.get(id.as_bytes(), self.now)
    }

    /// Writes a new session.
    pub fn open_session(
        &mut self,
        id: SessionId,
        session: &Session,
        policy: &session::Policy,
    ) -> Result<(), Fault> {
        let owned = (session.subject.as_str(), id.as_bytes());
        self.subjects.insert(owned, ())?;
        self.update_session(id, session, policy)
    }

    /// Writes a session that is open; its subject never changes.
    pub fn update_session(
        &mut self,
        id: SessionId,
        session: &Session,
        policy: &session::Policy,
    ) -> Result<(), Fault> {
        self.sessions
            .put(id.as_bytes(), session.ends_at(policy), session)
    }

    /// The living sessions of one subject, by id.
    pub fn sessions_of(&self, subject: &str) -> Result<Vec<(SessionId, Session)>, Fault> {
        let mut found = Vec::new();
        for row in self
            .subjects
            .range((subject, &[0; 16])..=(subject, &[0xff; 16]))?
        {
            let (owned, ()) = row.map(|(owned, unit)| (owned, unit.value()))?;
            let id = SessionId::new(*owned.value().1);
            if let Some(session) = self.session(id)? {
                found.push((id, session));
            }
        }
        Ok(found)
    }

    /// Ends a session and refuses its access tokens until `until`.
    pub fn end_session(
        &mut self,
        id: SessionId,
        session: &Session,
        until: Timestamp,
    ) -> Result<(), Fault> {
        self.sessions.remove(id.as_bytes())?;
        self.subjects
            .remove((session.subject.as_str(), id.as_bytes()))?;
        self.revoked.put(id.as_bytes(), until, &())?;
        self.ended.push(Ended { id, until });
        Ok(())
    }

    /// The table of sessions, to look for dead ones.
    pub const fn sessions(&self) -> &Records<'t, Session> {
        &self.sessions
    }

    /// Forgets a session that has died by itself.
    pub fn forget_session(&mut self, key: &Key) -> Result<(), Fault> {
        if let Some(session) = self.sessions.remove(key)? {
            self.subjects.remove((session.subject.as_str(), key))?;
        }
        Ok(())
    }

    /// Closes the tables, so that the transaction can be committed or aborted.
    pub fn end(mut self) -> Result<Outcome, Fault> {
        self.windows.write_back()?;
        Ok(Outcome {
            // Rows of `subjects` come and go with rows of `sessions`.
            changed: self.phones.changed()
                || self.windows.changed()
                || self.sessions.changed()
                || self.revoked.changed(),
            rows: self.phones.len()?
                + self.windows.len()?
                + self.sessions.len()?
                + self.subjects.len()?
                + self.revoked.len()?,
            ended: self.ended,
        })
    }
}
