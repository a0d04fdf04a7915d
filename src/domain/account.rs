//! Accounts: all that is kept of one phone number, and every step on it; knows neither where it is kept nor whose it is.
//!
//! One account is one unit of atomicity. A store reads it, lets a step decide, writes what the step
//! has left of it, and refuses the access tokens of the sessions that the step has ended: that is
//! all a store does, so that no two of them can differ in what a step means.

use std::{cmp::Reverse, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{
        otp::{self, Judgement},
        session::{self, Rotation, Session, SessionId},
    },
};

/// Stands for one subject in the store; tells nothing about it. Its first byte says where all that is its
/// lies: other names begin with it too, of buckets, challenges and requests, so that a store on several
/// servers finds them beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey(pub [u8; 16]);

/// The codes and the sessions of one phone number. What is dead in it means nothing, so it makes
/// no difference when it is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its codes. Like all fields of records, these are for a store to write and to read back, one
    /// by one: only the steps below change them.
    pub codes: otp::Record,
    /// When nothing in `codes` means anything any more, by the policy it was last written under.
    pub codes_dead_at: Timestamp,
    /// Its sessions, in the order in which they were opened.
    pub sessions: Vec<session::Record>,
}

/// What a step has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<T> {
    /// What the caller hears.
    pub answer: T,
    /// The sessions that the step has ended before their time.
    pub ended: Vec<SessionId>,
}

/// The session that a right answer opens, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its id.
    pub id: SessionId,
    /// What the client says about itself.
    pub device_info: String,
    /// The client's address, as text.
    pub ip: String,
    /// How the session will live, and how many the account may have.
    pub policy: session::Policy,
    /// How long the access tokens of a session that has to give way can still be alive.
    pub access_ttl: Duration,
}

/// What an answer to a challenge led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The code was right, is used up, and this session is open: since now, by the clock of the
    /// store.
    Opened(Session),
    /// The code was wrong, or there was none.
    Wrong {
        /// Of the caller's challenge; `None` when no challenge of this caller is known.
        attempts_left: Option<u32>,
    },
}

/// What presenting a refresh token led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The successor, to be issued now or once more.
    To {
        /// Of the successor.
        generation: u32,
        /// The successor's `iat`.
        issued_at: Timestamp,
        /// The session it belongs to.
        session: Session,
        /// The present moment, by the clock of the store.
        now: Timestamp,
    },
    /// The token had been replaced long before; the session was ended and revoked in the same step.
    Replayed,
    /// The account has no such session any more.
    Ended,
}

/// Which sessions of an account to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// This one.
    One(SessionId),
    /// All.
    All,
    /// All but one.
    Others {
        /// The one that stays.
        keep: SessionId,
    },
}

impl Account {
    /// A code is to be sent.
    pub fn start(
        &mut self,
        start: &otp::Start,
        policy: &otp::Policy,
        now: Timestamp,
    ) -> otp::Started {
        self.forget_dead_codes(now);
        let started = self.codes.start(start, policy, now);
        self.codes_dead_at = self.codes.dead_at(policy);
        started
    }

    /// An answer came. A right one uses the code up and opens the session; if the account then has
    /// too many, those that stand last in the list are ended.
    pub fn answer(
        &mut self,
        answer: &otp::Answer,
        policy: &otp::Policy,
        login: &Login,
        now: Timestamp,
    ) -> Decision<Answered> {
        if self.codes_dead_at <= now {
            return Decision::of(Answered::Wrong {
                attempts_left: None,
            });
        }
        let judgement = self.codes.answer(answer, policy, now);
        self.codes_dead_at = self.codes.dead_at(policy);
        match judgement {
            Judgement::Right => self.open(login, now),
            Judgement::Wrong { attempts_left } => Decision::of(Answered::Wrong { attempts_left }),
        }
    }

    /// A refresh token of one of the sessions is presented from `ip`. A replay ends the session.
    pub fn rotate(
        &mut self,
        id: SessionId,
        generation: u32,
        ip: &str,
        policy: &session::Policy,
        now: Timestamp,
    ) -> Decision<Rotated> {
        let Some(record) = self.sessions.iter_mut().find(|record| record.id == id) else {
            return Decision::of(Rotated::Ended);
        };
        match record.rotate(generation, ip, policy, now) {
            Rotation::To {
                generation,
                issued_at,
            } => Decision::of(Rotated::To {
                generation,
                issued_at,
                session: record.session.clone(),
                now,
            }),
            Rotation::Replayed => Decision {
                answer: Rotated::Replayed,
                ended: self.end(|session| session.id == id, now),
            },
            Rotation::Ended => Decision::of(Rotated::Ended),
        }
    }

    /// Ends sessions before their time, and tells which. What is no session of this account is not
    /// ended: to know the account is to be allowed to.
    pub fn revoke(&mut self, which: Revoke, now: Timestamp) -> Decision<Vec<SessionId>> {
        let ended = match which {
            Revoke::One(id) => self.end(|session| session.id == id, now),
            Revoke::All => self.end(|_| true, now),
            Revoke::Others { keep } => self.end(|session| session.id != keep, now),
        };
        Decision {
            answer: ended.clone(),
            ended,
        }
    }

    /// The living sessions, the one seen last first; of several seen at one moment, by their ids.
    pub fn sessions(&self, policy: &session::Policy, now: Timestamp) -> Vec<(SessionId, Session)> {
        let living = self.sessions.iter().filter(|r| r.is_alive(policy, now));
        let mut living: Vec<_> = living.map(|r| (r.id, r.session.clone())).collect();
        living.sort_by_key(|(id, session)| (Reverse(session.last_seen_at), *id));
        living
    }

    /// What of it is still alive, and until when; `None` when nothing is.
    pub fn remains(mut self, now: Timestamp) -> Option<(Self, Timestamp)> {
        self.forget_dead_codes(now);
        self.sessions.retain(|session| session.ends_at > now);
        let ends = self.sessions.iter().map(|session| session.ends_at);
        let dead_at = ends.fold(self.codes_dead_at, Timestamp::max);
        (dead_at > now).then_some((self, dead_at))
    }

    fn open(&mut self, login: &Login, now: Timestamp) -> Decision<Answered> {
        // The new one has a place in any case.
        let places = (login.policy.max_per_subject as usize).saturating_sub(1);
        let living = self.sessions(&login.policy, now);
        let surplus: Vec<_> = living.iter().skip(places).map(|(id, _)| *id).collect();
        let ended = self.end(|session| surplus.contains(&session.id), now);
        let (device_info, ip) = (login.device_info.clone(), login.ip.clone());
        let opened = session::Record::open(login.id, device_info, ip, &login.policy, now);
        let answer = Answered::Opened(opened.session.clone());
        self.sessions.push(opened);
        Decision { answer, ended }
    }

    /// Ends those that are meant. One that has died by itself is not told: it ended before.
    fn end(
        &mut self,
        is_meant: impl Fn(&session::Record) -> bool,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let ended = self
            .sessions
            .extract_if(.., |session| is_meant(session) && session.ends_at > now);
        ended.map(|session| session.id).collect()
    }

    fn forget_dead_codes(&mut self, now: Timestamp) {
        if self.codes_dead_at <= now {
            self.codes = otp::Record::default();
        }
    }
}

impl<T> Decision<T> {
    /// One that ends no session.
    const fn of(answer: T) -> Self {
        Self {
            answer,
            ended: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
