//! A send whose limits or debtors lie on several servers of a cluster: all are asked ahead, and give back what they gave if it comes to nothing.
//!
//! No window ever holds more than its limit, whatever fails in between. But a server that fails or
//! falls silent at the wrong moment may keep an event of a send that came to nothing, and so admit
//! one less for the length of that window.

use std::{cmp::Reverse, time::Duration};

use tokio::time::timeout;

use super::{
    Run,
    guard::{Debts, Owing},
    start::{Send, Share},
};
use crate::{
    domain::fraud::{Admission, Alarm},
    store::{
        Error, Notes, Sending,
        redis::{
            Redis,
            join::join_all,
            keys::group_of,
            reply::{Nonsense, Reply},
            scripts,
        },
    },
};

/// What a server said that was asked ahead.
#[derive(Debug)]
pub enum Ahead {
    /// It admits the send. What it took from each window is kept under these moments.
    Reserved(Vec<u64>),
    /// It refuses.
    Limited { charge: usize, wait: Duration },
}

/// Asking for an earlier request, asking, owing, the step itself, giving back, and asking once more: each may
/// take as much of the deadline.
const ROUNDS: u32 = 6;

impl Redis {
    /// Three round trips, one after the other, if the send is guarded and two if it is not. There is
    /// another one if the account's own limits are used up by others between them, and one before and perhaps
    /// after all others if the request has a name: of two at once the second must not hear that it comes too often.
    pub async fn start_across(
        &self,
        send: &Send,
        own: &Share,
        others: &[Share],
        debts: Vec<Debts>,
    ) -> Result<Sending, Error> {
        let Some(once) = &send.parcel.once else {
            return self.start_asking(send, own, others, debts).await;
        };
        if let Some(earlier) = self.in_a_round(self.seen(once)).await? {
            return Ok(earlier);
        }
        let sending = self.start_asking(send, own, others, debts).await?;
        if let Sending::Limited { .. } | Sending::Suspected(_) = sending
            && let Some(earlier) = self.in_a_round(self.seen(once)).await?
        {
            return Ok(earlier);
        }
        Ok(sending)
    }

    /// The send itself, with all servers that have a say.
    async fn start_asking(
        &self,
        send: &Send,
        own: &Share,
        others: &[Share],
        mut debts: Vec<Debts>,
    ) -> Result<Sending, Error> {
        let looking = self.in_a_round(self.look(own));
        let reserving = join_all(others.iter().map(|s| self.in_a_round(self.reserve(s))));
        let judging = self.in_a_round(self.judge(send.shown, &mut debts));
        let (looked, reserved, judged) = tokio::join!(looking, reserving, judging);

        let sending = match refusal([&looked].into_iter().chain(&reserved)) {
            None => match judged {
                Ok(Admission::Granted) => self.start_owing(send, own, &debts, None).await,
                Ok(Admission::Despite(alarm)) => {
                    self.start_owing(send, own, &debts, Some(alarm)).await
                }
                Ok(Admission::Refused(alarm)) => Ok(Sending::Suspected(alarm)),
                Err(error) => Err(error),
            },
            Some(refused) => refused.map(|(charge, wait)| Sending::Limited { charge, wait }),
        };
        if !is_sent(&sending) {
            self.give_back(others.iter().zip(&reserved)).await;
        }
        sending
    }

    /// The step itself, once all debtors owe for it.
    async fn start_owing(
        &self,
        send: &Send,
        own: &Share,
        debts: &[Debts],
        alarm: Option<Alarm>,
    ) -> Result<Sending, Error> {
        let owing = debts
            .iter()
            .map(|debts| self.in_a_round(self.owe(send.shown, debts)));
        let owed = join_all(owing).await;
        let sending = match unsent(&owed) {
            None => {
                let (none, _) = self.debts(group_of(send.account), &[], &[]);
                self.in_a_round(self.start(send, own, &none)).await
            }
            Some(refused) => refused,
        };
        if !is_sent(&sending) {
            self.disown(debts.iter().zip(&owed)).await;
        }
        let Ok(Sending::Started(started)) = sending else {
            return sending;
        };
        let scarce = scarce(owed);
        Ok(Sending::started(started, Notes { alarm, scarce }))
    }

    /// Whether the account's own limits admit a send.
    async fn look(&self, own: &Share) -> Result<Ahead, Error> {
        if own.windows.is_empty() {
            return Ok(Ahead::Reserved(Vec::new()));
        }
        let run = Run {
            script: &scripts::LOOK,
            group: own.group,
            keys: &own.windows,
            args: &[own.quotas.as_ref()],
        };
        self.run(run, |reply| read(reply, own)).await
    }

    /// Takes from limits on another server.
    pub async fn reserve(&self, share: &Share) -> Result<Ahead, Error> {
        let run = Run {
            script: &scripts::RESERVE,
            group: share.group,
            keys: &share.windows,
            args: &[share.quotas.as_ref()],
        };
        self.run(run, |reply| read(reply, share)).await
    }

    /// Gives back what was taken. Where that fails it is lost, which is said in the head of this file.
    pub async fn give_back<'a>(
        &self,
        reserved: impl Iterator<Item = (&'a Share, &'a Result<Ahead, Error>)>,
    ) {
        let taken = reserved.filter_map(|(share, ahead)| match ahead {
            Ok(Ahead::Reserved(moments)) => Some(self.in_a_round(self.cancel(share, moments))),
            Ok(Ahead::Limited { .. }) | Err(_) => None,
        });
        for cancelled in join_all(taken).await {
            if let Err(error) = cancelled {
                tracing::warn!(%error, "a limit still counts what came to nothing");
            }
        }
    }

    async fn cancel(&self, share: &Share, moments: &[u64]) -> Result<(), Error> {
        let texts: Vec<String> = moments.iter().map(u64::to_string).collect();
        let run = Run {
            script: &scripts::CANCEL,
            group: share.group,
            keys: &share.windows,
            args: &texts.iter().map(String::as_bytes).collect::<Vec<_>>(),
        };
        self.run(run, |mut reply| match reply.word()?.as_slice() {
            b"cancelled" => reply.end(()),
            _ => Err(Nonsense),
        })
        .await
    }

    pub async fn in_a_round<T>(
        &self,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let step = timeout(self.shared.deadline / ROUNDS, step).await;
        step.unwrap_or(Err(Error::Timeout))
    }
}

/// Why there is nothing to be begun, if so: a server that did not answer, or else the charge with
/// the longest wait, and of several such the first.
pub fn refusal<'a>(
    asked: impl Iterator<Item = &'a Result<Ahead, Error>>,
) -> Option<Result<(usize, Duration), Error>> {
    let mut longest = None;
    for ahead in asked {
        match ahead {
            Ok(Ahead::Reserved(_)) => {}
            Ok(Ahead::Limited { charge, wait }) => {
                longest = longest.max(Some((*wait, Reverse(*charge))));
            }
            Err(error) => return Some(Err(error.clone())),
        }
    }
    longest.map(|(wait, Reverse(charge))| Ok((charge, wait)))
}

/// Why nothing is sent although all limits admit it, if so: a server that did not answer, or a place
/// that is suspected, or else the expense with the longest wait, and of several such the first.
fn unsent(owed: &[Result<Owing, Error>]) -> Option<Result<Sending, Error>> {
    let mut longest = None;
    for owing in owed {
        match owing {
            Ok(Owing::Owed { .. }) => {}
            Ok(Owing::Unpaid { expense, wait }) => {
                longest = longest.max(Some((*wait, Reverse(*expense))));
            }
            Ok(Owing::Suspected(alarm)) => return Some(Ok(Sending::Suspected(*alarm))),
            Err(error) => return Some(Err(error.clone())),
        }
    }
    longest.map(|(wait, Reverse(expense))| Ok(Sending::Unpaid { expense, wait }))
}

/// Which expenses have left little of their budgets, in their order.
fn scarce(owed: Vec<Result<Owing, Error>>) -> Vec<usize> {
    let told = owed.into_iter().filter_map(|owing| match owing {
        Ok(Owing::Owed { scarce, .. }) => Some(scarce),
        Ok(Owing::Suspected(_) | Owing::Unpaid { .. }) | Err(_) => None,
    });
    let mut scarce: Vec<_> = told.flatten().collect();
    scarce.sort_unstable();
    scarce
}

const fn is_sent(sending: &Result<Sending, Error>) -> bool {
    matches!(sending, Ok(Sending::Started(_) | Sending::Despite(..)))
}

fn read(mut reply: Reply, share: &Share) -> Result<Ahead, Nonsense> {
    let ahead = match reply.word()?.as_slice() {
        b"open" => Ahead::Reserved(Vec::new()),
        b"reserved" => {
            let mut moments = reply.list()?;
            let taken = share.windows.iter().map(|_| moments.number());
            let taken = taken.collect::<Result<_, _>>()?;
            moments.end(Ahead::Reserved(taken))?
        }
        b"limited" => {
            let (charge, wait) = share.refusal(&mut reply)?;
            Ahead::Limited { charge, wait }
        }
        _ => return Err(Nonsense),
    };
    reply.end(ahead)
}
