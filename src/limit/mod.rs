//! How many requests may come, and of whom: the general throttle. It knows neither HTTP nor routes but by their numbers.
//!
//! All workers count in one place. One limiter per worker would be wrong: a client with one connection
//! is always served by the same worker, and would have its share of the rate alone. What they share is a
//! table of small locked sets ([`table`]), which only requests touch for which there is a limit: where
//! none is configured there is nothing to look at. A limit costs the requests it counts 40 to 70 ns of
//! CPU (one key, and 50,000 of them), on one worker or on two.
//!
//! A limit that says so is counted by the store, for all gateways that share it: see [`shared`].
//!
//! A request is judged in two stages, by its address when it arrives and by who sent it when that is
//! known. In each, all limits that count it are asked; if one refuses, none is charged. What the first
//! stage took stays taken when the second refuses: the request did arrive, and its token was looked at.
//! Who asks the gateway's own endpoints counts as a person or a login when they bring a token that is good;
//! what they do without one is limited by what it is about (`otp.limits`). A refusal of this process asks the
//! store nothing: it must cost less than what it refuses. What browsers ask in advance is answered before, since a refusal costs as much.

mod local;
mod shared;
mod table;

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    domain::{
        rate::{Counted, Rate, Stage, Whose},
        session::SessionId,
    },
    limit::{
        local::Local,
        shared::{Question, Shared},
    },
    observe::limits::{LimitMetrics, Refused},
    secret::Masters,
    store::Store,
};

/// Every limit there is, as one worker asks them.
#[derive(Debug, Clone)]
pub struct Throttle {
    everywhere: Arc<Stages>,
    routes: Arc<[Stages]>,
    shared: Shared,
}

/// The limits that are judged together.
#[derive(Debug, Clone, Default)]
pub struct Rules(Arc<[Arc<Limit>]>);

/// Who sent a request, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Their network, see [`crate::net::peer::Client::network`].
    pub network: IpAddr,
    /// The person.
    pub subject: Option<&'a str>,
    /// The login.
    pub session: Option<SessionId>,
}

/// How much is left after a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of which limit.
    pub rate: Rate,
    /// Requests that may follow at once.
    pub left: u32,
    /// How long it takes until nothing is used up any more.
    pub full_in: Duration,
}

/// A limit was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which one; of several, the one with the longest wait.
    pub rate: Rate,
    /// How long it takes until it admits the next request.
    pub wait: Duration,
}

/// What came of the limits of this process.
#[derive(Debug)]
pub enum Judged {
    /// The request may go on. How the tightest limit stands, if any counts it.
    Passed(Option<Standing>),
    /// So it may if the store agrees.
    Asks(Question, Option<Standing>),
}

/// What limits are counted with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// By which time.
    pub clock: Clock,
    /// Who counts those that are shared.
    pub store: Store,
    /// From which names in the store follow.
    pub masters: Arc<Masters>,
    /// Where refusals are counted.
    pub metrics: LimitMetrics,
}

/// The limits of one place, by when they are judged.
#[derive(Debug, Default)]
struct Stages {
    arrived: Rules,
    admitted: Rules,
}

#[derive(Debug)]
struct Limit {
    rate: Rate,
    /// The route's name, or [`EVERYWHERE`].
    place: Arc<str>,
    /// Of a shared one, what counts while the store does not answer.
    local: Local,
    refused: Refused,
}

/// Whose budget a request is taken from.
#[derive(Debug, Clone, Copy, Hash)]
enum Key<'a> {
    Network(IpAddr),
    Subject(&'a str),
    Session(SessionId),
    All,
}

/// How the limits are called that hold for all requests.
const EVERYWHERE: &str = "*";

impl Throttle {
    /// Limits of all requests, and those of each route, by name, in the order of their indices.
    pub fn new<'r>(
        everywhere: &[Rate],
        routes: impl IntoIterator<Item = (&'r Arc<str>, &'r [Rate])>,
        parts: Parts,
    ) -> Self {
        let limits = |place: &Arc<str>, rates: &[Rate]| -> Vec<Arc<Limit>> {
            let limit = |rate: &Rate| {
                Arc::new(Limit {
                    rate: *rate,
                    place: Arc::clone(place),
                    local: Local::new(*rate, parts.clock.clone()),
                    refused: parts.metrics.refused(place, rate.to_string()),
                })
            };
            rates.iter().map(limit).collect()
        };
        let everywhere = limits(&EVERYWHERE.into(), everywhere);
        let routes = routes.into_iter().map(|(name, rates)| {
            let own = limits(name, rates);
            Stages::of(everywhere.iter().chain(&own))
        });
        Self {
            routes: routes.collect(),
            everywhere: Arc::new(Stages::of(&everywhere)),
            shared: Shared {
                store: parts.store,
                masters: parts.masters,
                metrics: parts.metrics,
            },
        }
    }

    /// The same limits for the calling thread and its runtime: what it asks the store does not wait
    /// for what other threads do.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let mut own = self.clone();
        own.shared.store = self.shared.store.for_worker();
        own
    }

    /// Judges a request by `rules`, as far as this process can.
    pub fn judge(&self, rules: &Rules, caller: &Caller<'_>) -> Result<Judged, Exceeded> {
        let standing = rules.take(caller)?;
        let question = rules.question(caller, &self.shared);
        Ok(if question.is_empty() {
            Judged::Passed(standing)
        } else {
            Judged::Asks(question, standing)
        })
    }

    /// Asks the store the rest.
    pub fn ask(
        &self,
        question: Question,
    ) -> impl Future<Output = Result<(), Exceeded>> + Send + use<> {
        question.settle(self.shared.clone())
    }

    /// What is asked of a request that goes along no route.
    pub fn everywhere(&self, stage: Stage) -> &Rules {
        self.everywhere.at(stage)
    }

    /// What is asked of a request along the route with this index.
    pub fn route(&self, index: usize, stage: Stage) -> &Rules {
        self.routes.get(index).unwrap_or(&self.everywhere).at(stage)
    }
}

impl Stages {
    fn of<'l>(limits: impl IntoIterator<Item = &'l Arc<Limit>>) -> Self {
        let limits = limits.into_iter().cloned();
        let (arrived, admitted): (Vec<_>, Vec<_>) =
            limits.partition(|limit| limit.rate.stage() == Stage::Arrived);
        Self {
            arrived: Rules(arrived.into()),
            admitted: Rules(admitted.into()),
        }
    }

    const fn at(&self, stage: Stage) -> &Rules {
        match stage {
            Stage::Arrived => &self.arrived,
            Stage::Admitted => &self.admitted,
        }
    }
}

impl Rules {
    /// Whether nothing is asked at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a request from every limit of this process that counts it, or from none. Says how the
    /// tightest of them stands; `None` if none counts it.
    ///
    /// Each is taken from as it is asked, and given back to when another one refuses. Only somebody
    /// who asks at the very moment between can be refused for what is given back.
    fn take(&self, caller: &Caller<'_>) -> Result<Option<Standing>, Exceeded> {
        let mut tightest: Option<Standing> = None;
        let mut worst: Option<(Exceeded, &Limit)> = None;
        let counting = || {
            let here = self.counting(caller, Counted::Here);
            here.map(|(limit, key)| (limit, limit.local.number(key)))
        };
        for (at, (limit, key)) in counting().enumerate() {
            match limit.local.take(key) {
                Ok(standing) if worst.is_none() => {
                    tightest = Some(standing.or_tighter(tightest));
                }
                Ok(_) => limit.local.give_back(key),
                Err(exceeded) => {
                    if worst.is_none() {
                        let taken = counting().take(at);
                        taken.for_each(|(limit, key)| limit.local.give_back(key));
                    }
                    if worst.is_none_or(|(worst, _)| exceeded.wait > worst.wait) {
                        worst = Some((exceeded, limit));
                    }
                }
            }
        }
        match worst {
            None => Ok(tightest),
            Some((exceeded, limit)) => {
                limit.refused.count();
                Err(exceeded)
            }
        }
    }

    /// What is left to ask of the store.
    fn question(&self, caller: &Caller<'_>, shared: &Shared) -> Question {
        let mut question = Question::default();
        for (limit, key) in self.counting(caller, Counted::Shared) {
            question.ask(limit, key, shared);
        }
        if !question.is_empty() {
            for (limit, key) in self.counting(caller, Counted::Here) {
                question.taken(limit, limit.local.number(key));
            }
        }
        question
    }

    /// The limits that are counted in this way and count this caller, and by whose budget.
    fn counting<'a>(
        &'a self,
        caller: &'a Caller<'a>,
        counted: Counted,
    ) -> impl Iterator<Item = (&'a Arc<Limit>, Key<'a>)> {
        let limits = self
            .0
            .iter()
            .filter(move |limit| limit.rate.counted == counted);
        limits.filter_map(|limit| Some((limit, caller.key(limit.rate.whose)?)))
    }
}

impl<'a> Caller<'a> {
    /// From whose budget a limit takes; `None` when it does not count this caller.
    fn key(&self, whose: Whose) -> Option<Key<'a>> {
        match whose {
            Whose::Ip => Some(Key::Network(self.network)),
            Whose::Subject => self.subject.map(Key::Subject),
            Whose::Session => self.session.map(Key::Session),
            Whose::All => Some(Key::All),
        }
    }
}

impl Standing {
    /// The one of the two that fewer requests can follow.
    #[must_use]
    pub fn or_tighter(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.left < self.left => other,
            Some(_) | None => self,
        }
    }
}

#[cfg(test)]
mod tests;
