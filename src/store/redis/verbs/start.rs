//! A code is to be sent: one step where one server has all keys it touches.

use std::{mem, time::Duration};

use super::{
    Reply, Run,
    guard::{Debts, byte, read_alarm},
    row,
};
use crate::{
    domain::{
        account::AccountKey,
        delivery::{Goes, HANDOVER, Once, Parcel},
        fraud::{Credit, Shown},
        otp::{self, ChallengeId, Nonce, Started},
        quota::Charge,
    },
    secret::SecretId,
    store::{
        Error, Notes, Sending,
        redis::{
            Redis,
            group::Group,
            keys::{group_of, window_group},
            packed::Packed,
            reply::Nonsense,
            scripts,
        },
    },
};

/// What a send brings along.
#[derive(Debug)]
pub struct Send {
    pub account: AccountKey,
    pub start: otp::Start,
    pub shown: Shown,
    pub policy: otp::Policy,
    pub parcel: Parcel,
}

/// The charges that one script judges together.
#[derive(Debug)]
pub struct Share {
    pub group: Group,
    /// Where their windows are.
    pub windows: Vec<String>,
    /// How much each window holds.
    pub quotas: Packed,
    /// Where each stands among all charges of the send.
    places: Vec<usize>,
}

impl Redis {
    /// See [`crate::store::Store::start_challenge`].
    pub async fn start_challenge(
        &self,
        account: AccountKey,
        start: otp::Start,
        charges: Vec<Charge>,
        credit: Credit,
        policy: otp::Policy,
        parcel: Parcel,
    ) -> Result<Sending, Error> {
        let Credit {
            debtors,
            expenses,
            shown,
        } = credit;
        let send = Send {
            account,
            start,
            shown,
            policy,
            parcel,
        };
        let group = group_of(account);
        let (own, others) = self.shares(group, &charges);
        let (debts, others_debts) = self.debts(group, &debtors, &expenses);
        if others.is_empty() && others_debts.is_empty() {
            self.start(&send, &own, &debts).await
        } else {
            // It holds much at a time, which a send on one server should not have room for.
            Box::pin(self.start_across(&send, &own, &others, others_debts)).await
        }
    }

    /// The step on the account, and on what lies beside it.
    pub async fn start(&self, send: &Send, own: &Share, debts: &Debts) -> Result<Sending, Error> {
        let Send {
            account,
            start,
            shown,
            policy,
            parcel,
        } = send;
        let message = row::write_tail(parcel).map_err(|Nonsense| self.nonsense())?;
        let pause = match parcel.goes {
            Goes::Out => HANDOVER,
            Goes::Nowhere => Duration::ZERO,
        };
        let fixed = Packed::new()
            .span(policy.ttl)
            .span(policy.max_age)
            .count(policy.max_attempts)
            .bytes(start.id.as_bytes())
            .bytes(&start.client.0)
            .bytes(&start.nonce.0)
            .bytes(start.secret.as_bytes())
            .bytes(&start.tag.0)
            .span(pause);
        let known = start
            .known
            .iter()
            .fold(Packed::default(), |known, id| known.bytes(id.as_bytes()));
        let (names, group) = (&self.shared.keys, group_of(*account));
        let mut keys = Vec::with_capacity(4 + own.windows.len() + debts.len());
        keys.push(names.code(*account));
        keys.push(names.deliveries(group));
        keys.push(names.queue(group));
        keys.extend_from_slice(&own.windows);
        keys.extend(debts.keys());
        let mut request: &[u8] = &[];
        if let Some(once) = &parcel.once {
            keys.push(names.once(once.key));
            request = &once.request;
        }
        let run = Run {
            script: &scripts::START,
            group: own.group,
            keys: &keys,
            args: &[
                fixed.as_ref(),
                known.as_ref(),
                own.quotas.as_ref(),
                &debts.levels,
                &[byte(*shown)],
                &message,
                request,
                debts.prices.as_ref(),
            ],
        };
        self.run(run, |reply| read(reply, own, debts)).await
    }

    /// What came of an earlier request under the same name, if there was one.
    pub async fn seen(&self, once: &Once) -> Result<Option<Sending>, Error> {
        let [first, ..] = once.key.0;
        let run = Run {
            script: &scripts::SEEN,
            group: Group::new(first),
            keys: &[self.shared.keys.once(once.key)],
            args: &[&once.request],
        };
        self.run(run, |mut reply| {
            let earlier = match reply.word()?.as_slice() {
                b"new" => None,
                word => Some(read_earlier(word, &mut reply)?),
            };
            reply.end(earlier)
        })
        .await
    }

    /// Who judges which charge: the script on `group` as many as it can reach.
    pub fn shares(&self, group: Group, charges: &[Charge]) -> (Share, Vec<Share>) {
        let mut own = Share::new(group);
        let mut others: Vec<Share> = Vec::new();
        for (place, charge) in charges.iter().enumerate() {
            // Two equal limits share a window; one send is one event in it.
            let mut earlier = charges.iter().take(place);
            if earlier.any(|other| other.bucket == charge.bucket) {
                continue;
            }
            let window = self.shared.keys.window(charge.bucket);
            let group = window_group(charge.bucket);
            if group == own.group || self.link.is_one_server() {
                own.add(place, charge, window);
            } else if let Some(share) = others.iter_mut().find(|share| share.group == group) {
                share.add(place, charge, window);
            } else {
                let mut share = Share::new(group);
                share.add(place, charge, window);
                others.push(share);
            }
        }
        (own, others)
    }
}

impl Share {
    fn new(group: Group) -> Self {
        Self {
            group,
            windows: Vec::new(),
            quotas: Packed::default(),
            places: Vec::new(),
        }
    }

    fn add(&mut self, place: usize, charge: &Charge, window: String) {
        self.places.push(place);
        self.windows.push(window);
        let quota = charge.quota;
        let quotas = mem::take(&mut self.quotas);
        self.quotas = quotas.count(quota.max.get()).span(quota.window);
    }

    /// Reads which charge refuses, and for how long.
    pub fn refusal(&self, reply: &mut Reply) -> Result<(usize, Duration), Nonsense> {
        let index: usize = reply.number()?;
        let charge = self.places.get(index).copied().ok_or(Nonsense)?;
        Ok((charge, reply.span()?))
    }
}

fn read(mut reply: Reply, own: &Share, debts: &Debts) -> Result<Sending, Nonsense> {
    let sending = match reply.word()?.as_slice() {
        b"started" => {
            let started = read_started(&mut reply)?;
            let alarm = read_alarm(&mut reply)?;
            let scarce = debts.scarce(&mut reply)?;
            Sending::started(started, Notes { alarm, scarce })
        }
        b"unpaid" => {
            let (expense, wait) = debts.refusal(&mut reply)?;
            Sending::Unpaid { expense, wait }
        }
        b"suspected" => Sending::Suspected(read_alarm(&mut reply)?.ok_or(Nonsense)?),
        b"limited" => {
            let (charge, wait) = own.refusal(&mut reply)?;
            Sending::Limited { charge, wait }
        }
        word => read_earlier(word, &mut reply)?,
    };
    reply.end(sending)
}

/// What came of an earlier request, as `once.lua` tells it.
fn read_earlier(word: &[u8], reply: &mut Reply) -> Result<Sending, Nonsense> {
    match word {
        b"repeated" => read_started(reply).map(Sending::Repeated),
        b"reused" => Ok(Sending::Reused),
        _ => Err(Nonsense),
    }
}

fn read_started(reply: &mut Reply) -> Result<Started, Nonsense> {
    Ok(Started {
        id: ChallengeId::new(reply.bytes()?),
        nonce: Nonce(reply.bytes()?),
        secret: SecretId::new(reply.bytes()?),
        expires_at: reply.moment()?,
        sent_at: reply.moment()?,
    })
}
