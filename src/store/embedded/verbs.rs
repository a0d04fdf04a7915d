//! The verbs: what each does within a transaction; what a step means is decided by `domain`, when it is durable by `writer`.
//!
//! A verb reads and lets the domain decide first, and writes last. It may be run again if another
//! verb of its transaction has failed, so it takes nothing out of itself.

use std::{cmp::Reverse, time::Duration};

use super::{
    fault::Fault,
    job::{Call, Job},
    step::Step,
};
use crate::{
    clock::Timestamp,
    domain::{
        otp::{self, Judgement, PhoneKey},
        quota::{Charge, Verdict},
        session::{self, Rotation, Session, SessionId},
    },
    store::{Answered, Login, Revoke, Rotated, Sending},
};

/// One atomic step of the domain.
pub trait Verb: Sized {
    /// What the caller hears.
    type Answer;

    /// How it stands in the queue.
    const QUEUED: fn(Call<Self>) -> Job;

    /// Does it, together with whatever else happens in `step`.
    fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, Fault>;
}

/// See [`crate::store::Store::start_challenge`].
#[derive(Debug)]
pub struct StartChallenge {
    pub phone: PhoneKey,
    pub start: otp::Start,
    pub charges: Vec<Charge>,
    pub policy: otp::Policy,
}

/// See [`crate::store::Store::answer_challenge`].
#[derive(Debug)]
pub struct AnswerChallenge {
    pub phone: PhoneKey,
    pub answer: otp::Answer,
    pub policy: otp::Policy,
    pub login: Login,
}

/// See [`crate::store::Store::rotate`].
#[derive(Debug)]
pub struct Rotate {
    pub id: SessionId,
    pub generation: u32,
    pub ip: String,
    pub policy: session::Policy,
    pub revoked_for: Duration,
}

/// See [`crate::store::Store::revoke`].
#[derive(Debug)]
pub struct End {
    pub which: Revoke,
    pub revoked_for: Duration,
}

/// See [`crate::store::Store::sessions`].
#[derive(Debug)]
pub struct ListSessions {
    pub subject: String,
    pub policy: session::Policy,
}

/// See [`crate::store::Store::ready`].
#[derive(Debug)]
pub struct Ready;

impl Verb for StartChallenge {
    type Answer = Sending;

    const QUEUED: fn(Call<Self>) -> Job = Job::StartChallenge;

    fn run(&self, step: &mut Step<'_>) -> Result<Sending, Fault> {
        step.may_grow()?;
        let now = step.now;
        let mut admitted = Vec::with_capacity(self.charges.len());
        let mut longest: Option<(usize, Timestamp)> = None;
        for (index, charge) in self.charges.iter().enumerate() {
            // Two equal limits share a bucket; one request is one event in it.
            let earlier = self.charges.iter().take(index);
            if earlier.into_iter().any(|c| c.bucket == charge.bucket) {
                continue;
            }
            let (window, verdict) = step.windows.judge(charge, now)?;
            match verdict {
                Verdict::Admitted => admitted.push((charge, window)),
                Verdict::RefusedUntil(until) if longest.is_none_or(|(_, most)| until > most) => {
                    longest = Some((index, until));
                }
                Verdict::RefusedUntil(_) => {}
            }
        }
        if let Some((charge, until)) = longest {
            return Ok(Sending::Limited { charge, until });
        }

        let mut record = step.phones.get(&self.phone.0, now)?.unwrap_or_default();
        let started = record.start(&self.start, &self.policy, now);
        for (charge, window) in admitted {
            step.windows.take(charge, window, now)?;
        }
        let dead_at = record.dead_at(&self.policy);
        step.phones.put(&self.phone.0, dead_at, &record)?;
        Ok(Sending::Started(started))
    }
}

impl Verb for AnswerChallenge {
    type Answer = Answered;

    const QUEUED: fn(Call<Self>) -> Job = Job::AnswerChallenge;

    fn run(&self, step: &mut Step<'_>) -> Result<Answered, Fault> {
        // Refused before the answer is judged, so that no code is used up for nothing, and nobody
        // learns from the refusal whether it was right.
        step.may_grow()?;
        let now = step.now;
        let Some(before) = step.phones.get(&self.phone.0, now)? else {
            return Ok(Answered::Wrong {
                attempts_left: None,
            });
        };
        let mut record = before.clone();
        let judgement = record.answer(&self.answer, &self.policy, now);
        let dead_at = record.dead_at(&self.policy);
        if dead_at <= now {
            step.phones.remove(&self.phone.0)?;
        } else if record != before {
            step.phones.put(&self.phone.0, dead_at, &record)?;
        }
        match judgement {
            Judgement::Right => {
                self.login.open(step)?;
                Ok(Answered::Opened(self.login.session.clone()))
            }
            Judgement::Wrong { attempts_left } => Ok(Answered::Wrong { attempts_left }),
        }
    }
}

impl Verb for Rotate {
    type Answer = Rotated;

    const QUEUED: fn(Call<Self>) -> Job = Job::Rotate;

    fn run(&self, step: &mut Step<'_>) -> Result<Rotated, Fault> {
        let Some(before) = step.session(self.id)? else {
            return Ok(Rotated::Ended);
        };
        let mut session = before.clone();
        match session.rotate(self.generation, &self.ip, &self.policy, step.now) {
            Rotation::To {
                generation,
                issued_at,
            } => {
                if session != before {
                    step.update_session(self.id, &session, &self.policy)?;
                }
                Ok(Rotated::To {
                    generation,
                    issued_at,
                    session,
                })
            }
            Rotation::Replayed => {
                step.end_session(self.id, &session, step.now + self.revoked_for)?;
                Ok(Rotated::Replayed)
            }
            Rotation::Ended => Ok(Rotated::Ended),
        }
    }
}

impl Verb for End {
    type Answer = Vec<SessionId>;

    const QUEUED: fn(Call<Self>) -> Job = Job::End;

    fn run(&self, step: &mut Step<'_>) -> Result<Vec<SessionId>, Fault> {
        let until = step.now + self.revoked_for;
        let doomed = self.which.among(step)?;
        for (id, session) in &doomed {
            step.end_session(*id, session, until)?;
        }
        Ok(doomed.into_iter().map(|(id, _)| id).collect())
    }
}

impl Verb for ListSessions {
    type Answer = Vec<(SessionId, Session)>;

    const QUEUED: fn(Call<Self>) -> Job = Job::ListSessions;

    fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, Fault> {
        let mut living = step.sessions_of(&self.subject)?;
        living.retain(|(_, session)| session.ends_at(&self.policy) > step.now);
        living.sort_by_key(|(id, session)| (Reverse(session.last_seen_at), *id));
        Ok(living)
    }
}

impl Verb for Ready {
    type Answer = ();

    const QUEUED: fn(Call<Self>) -> Job = Job::Ready;

    fn run(&self, _: &mut Step<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Login {
    /// Opens the session and ends those of its subject that have to give way.
    fn open(&self, step: &mut Step<'_>) -> Result<(), Fault> {
        let mut others = step.sessions_of(&self.session.subject)?;
        others.retain(|(_, other)| other.ends_at(&self.policy) > step.now);
        step.open_session(self.id, &self.session, &self.policy)?;
        others.sort_by_key(|(id, other)| (other.last_seen_at, *id));
        // The new one has a place in any case.
        let places = (self.policy.max_per_subject as usize).saturating_sub(1);
        let surplus = others.len().saturating_sub(places);
        for (id, other) in others.iter().take(surplus) {
            step.end_session(*id, other, step.now + self.access_ttl)?;
        }
        Ok(())
    }
}

impl Revoke {
    /// The living sessions that are meant.
    fn among(&self, step: &Step<'_>) -> Result<Vec<(SessionId, Session)>, Fault> {
        match self {
            Self::One { id, subject } => {
                let own = step.session(*id)?.filter(|s| s.subject == *subject);
                Ok(own.map(|session| (*id, session)).into_iter().collect())
            }
            Self::AllOf { subject } => step.sessions_of(subject),
            Self::Others { subject, keep } => {
                let mut others = step.sessions_of(subject)?;
                others.retain(|(id, _)| id != keep);
                Ok(others)
            }
        }
    }
}
