//! The verbs: what each does within a transaction; what a step means is decided by `domain`, when it is durable by `writer`.
//!
//! A verb reads and lets the domain decide first, and writes last. It may be run again if another
//! verb of its transaction has failed, so it takes nothing out of itself.

mod deliver;

use std::time::Duration;

pub use self::deliver::{Deliver, GetDelivery, ListDue};
use super::{
    fault::Fault,
    job::{Call, Job},
    purses::{Payment, Unpaid},
    step::{Kept, Step},
    windows::Window,
};
use crate::{
    clock::Timestamp,
    domain::{
        account::AccountKey,
        delivery::{Once, Parcel, Turn},
        fraud::{self, Admission, Credit, Debtor},
        otp,
        quota::{Charge, Verdict},
        session::{self, Session, SessionId},
    },
    store::{Answered, Login, Notes, Revoke, Rotated, Sending, Taking},
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
    pub account: AccountKey,
    pub start: otp::Start,
    pub charges: Vec<Charge>,
    pub credit: Credit,
    pub policy: otp::Policy,
    pub parcel: Parcel,
}

/// See [`crate::store::Store::take`].
#[derive(Debug)]
pub struct Take {
    pub charges: Vec<Charge>,
}

/// See [`crate::store::Store::answer_challenge`].
#[derive(Debug)]
pub struct AnswerChallenge {
    pub account: AccountKey,
    pub answer: otp::Answer,
    pub policy: otp::Policy,
    pub login: Login,
    pub debtors: Vec<Debtor>,
}

/// See [`crate::store::Store::rotate`].
#[derive(Debug)]
pub struct Rotate {
    pub account: AccountKey,
    pub id: SessionId,
    pub generation: u32,
    pub ip: String,
    pub policy: session::Policy,
    pub revoked_for: Duration,
}

/// See [`crate::store::Store::revoke`].
#[derive(Debug)]
pub struct End {
    pub account: AccountKey,
    pub which: Revoke,
    pub revoked_for: Duration,
}

/// See [`crate::store::Store::sessions`].
#[derive(Debug)]
pub struct ListSessions {
    pub account: AccountKey,
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
        if let Some(once) = &self.parcel.once
            && let Some(earlier) = earlier(once, step)?
        {
            return Ok(earlier);
        }
        let admitted = match judge(&self.charges, step)? {
            Ok(admitted) => admitted,
            Err(Refusal { charge, wait }) => return Ok(Sending::Limited { charge, wait }),
        };
        let Credit {
            debtors,
            expenses,
            shown,
        } = &self.credit;
        let mut places = step.places(debtors)?;
        let alarm = match fraud::admit(&mut places, *shown, step.now) {
            Admission::Granted => None,
            Admission::Despite(alarm) => Some(alarm),
            Admission::Refused(alarm) => return Ok(Sending::Suspected(alarm)),
        };
        let payment = match Payment::judge(expenses, step)? {
            Ok(payment) => payment,
            Err(Unpaid { expense, until }) => {
                let wait = until.since(step.now);
                return Ok(Sending::Unpaid { expense, wait });
            }
        };
        let started = step.change(self.account, |account, now| {
            account.start(&self.start, &self.policy, now)
        })?;
        for (charge, window) in admitted {
            step.windows.take(charge, window, step.now)?;
        }
        step.keep_places(debtors, &places)?;
        let scarce = payment.pay(step)?;
        step.queue(&self.parcel, &started)?;
        Ok(Sending::started(started, Notes { alarm, scarce }))
    }
}

impl Verb for Take {
    type Answer = Taking;

    const QUEUED: fn(Call<Self>) -> Job = Job::Take;

    fn run(&self, step: &mut Step<'_>) -> Result<Taking, Fault> {
        step.may_grow()?;
        Ok(match judge(&self.charges, step)? {
            Ok(admitted) => {
                for (charge, window) in admitted {
                    step.windows.take(charge, window, step.now)?;
                }
                Taking::Taken
            }
            Err(Refusal { charge, wait }) => Taking::Limited { charge, wait },
        })
    }
}

impl Verb for AnswerChallenge {
    type Answer = Answered;

    const QUEUED: fn(Call<Self>) -> Job = Job::AnswerChallenge;

    fn run(&self, step: &mut Step<'_>) -> Result<Answered, Fault> {
        // Refused before the answer is judged, so that no code is used up for nothing, and nobody
        // learns from the refusal whether it was right.
        step.may_grow()?;
        let (challenges, decision) = step.change(self.account, |account, now| {
            let challenges = account.codes.challenges();
            let decision = account.answer(&self.answer, &self.policy, &self.login, now);
            (challenges, decision)
        })?;
        let answered = step.settle(decision, self.login.access_ttl)?;
        if let Answered::Opened(_) = answered {
            for challenge in challenges {
                step.deliver(challenge, Turn::Answered)?;
            }
            let mut places = step.places(&self.debtors)?;
            fraud::verify(&mut places, step.now);
            step.keep_places(&self.debtors, &places)?;
        }
        Ok(answered)
    }
}

impl Verb for Rotate {
    type Answer = Rotated;

    const QUEUED: fn(Call<Self>) -> Job = Job::Rotate;

    fn run(&self, step: &mut Step<'_>) -> Result<Rotated, Fault> {
        let decision = step.change(self.account, |account, now| {
            account.rotate(self.id, self.generation, &self.ip, &self.policy, now)
        })?;
        step.settle(decision, self.revoked_for)
    }
}

impl Verb for End {
    type Answer = Vec<SessionId>;

    const QUEUED: fn(Call<Self>) -> Job = Job::End;

    fn run(&self, step: &mut Step<'_>) -> Result<Vec<SessionId>, Fault> {
        let decision = step.change(self.account, |account, now| account.revoke(self.which, now))?;
        step.settle(decision, self.revoked_for)
    }
}

impl Verb for ListSessions {
    type Answer = Vec<(SessionId, Session)>;

    const QUEUED: fn(Call<Self>) -> Job = Job::ListSessions;

    fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, Fault> {
        let account = step.account(self.account)?;
        Ok(account.sessions(&self.policy, step.now))
    }
}

impl Verb for Ready {
    type Answer = ();

    const QUEUED: fn(Call<Self>) -> Job = Job::Ready;

    fn run(&self, _: &mut Step<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// What the same request has led to when it came before.
fn earlier(once: &Once, step: &Step<'_>) -> Result<Option<Sending>, Fault> {
    let kept = step.once.get(&once.key.0, step.now)?;
    Ok(kept.map(|Kept { request, started }| {
        if request == once.request {
            Sending::Repeated(started)
        } else {
            Sending::Reused
        }
    }))
}

/// A charge that is admitted, and the window it is to be taken from.
type Admitted<'c> = (&'c Charge, Window);

/// A charge that is not admitted, and for how long.
struct Refusal {
    charge: usize,
    wait: Duration,
}

/// Judges all charges, and takes none. The inner error is the refusal of a limit.
fn judge<'c>(
    charges: &'c [Charge],
    step: &Step<'_>,
) -> Result<Result<Vec<Admitted<'c>>, Refusal>, Fault> {
    let mut admitted: Vec<Admitted<'c>> = Vec::with_capacity(charges.len());
    let mut longest: Option<(usize, Timestamp)> = None;
    for (index, charge) in charges.iter().enumerate() {
        // Two equal limits share a bucket; one request is one event in it.
        let mut earlier = charges.iter().take(index);
        if earlier.any(|c| c.bucket == charge.bucket) {
            continue;
        }
        let (window, verdict) = step.windows.judge(charge, step.now)?;
        match verdict {
            Verdict::Admitted => admitted.push((charge, window)),
            Verdict::RefusedUntil(until) if longest.is_none_or(|(_, most)| until > most) => {
                longest = Some((index, until));
            }
            Verdict::RefusedUntil(_) => {}
        }
    }
    Ok(match longest {
        None => Ok(admitted),
        Some((charge, until)) => Err(Refusal {
            charge,
            wait: until.since(step.now),
        }),
    })
}
