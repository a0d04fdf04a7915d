//! The verbs on messages: a turn of one, what has become of one, and which are due.

use super::Verb;
use crate::{
    domain::{
        delivery::{Delivery, MessageId, Turn, Turned},
        otp::ChallengeId,
    },
    store::embedded::{
        fault::Fault,
        job::{Call, Job},
        step::Step,
    },
};

/// See [`crate::store::Store::deliver`].
#[derive(Debug)]
pub struct Deliver {
    pub challenge: ChallengeId,
    pub turn: Turn,
}

/// See [`crate::store::Store::delivery`].
#[derive(Debug)]
pub struct GetDelivery {
    pub challenge: ChallengeId,
}

/// See [`crate::store::Store::due`].
#[derive(Debug)]
pub struct ListDue {
    pub limit: usize,
}

impl Verb for Deliver {
    type Answer = Option<Turned>;

    const QUEUED: fn(Call<Self>) -> Job = Job::Deliver;

    fn run(&self, step: &mut Step<'_>) -> Result<Option<Turned>, Fault> {
        step.deliver(self.challenge, self.turn.clone())
    }
}

impl Verb for GetDelivery {
    type Answer = Option<Delivery>;

    const QUEUED: fn(Call<Self>) -> Job = Job::GetDelivery;

    fn run(&self, step: &mut Step<'_>) -> Result<Option<Delivery>, Fault> {
        let delivery = step.deliveries.get(self.challenge, step.now)?;
        Ok(delivery.map(|delivery| delivery.at(step.now)))
    }
}

impl Verb for ListDue {
    type Answer = Vec<(ChallengeId, MessageId)>;

    const QUEUED: fn(Call<Self>) -> Job = Job::ListDue;

    fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, Fault> {
        step.deliveries.due(self.limit, step.now)
    }
}
