//! How many requests may come, and of whom: the general throttle. It knows neither HTTP nor routes but by their numbers.
//!
//! All workers count in one place. One limiter per worker would be wrong: a client with one connection
//! is always served by the same worker, and would have its share of the rate alone. What they share is a
//! table of small locked sets ([`table`]), which only requests touch for which there is a limit: where
//! none is configured there is nothing to look at.
//!
//! A request is judged in two stages, by its address when it arrives and by who sent it when that is
//! known. In each, all limits that count it are asked; if one refuses, none is charged. What the first
//! stage took stays taken when the second refuses: the request did arrive, and its token was looked at.

mod local;
mod table;

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    domain::{
        rate::{Rate, Stage, Whose},
        session::SessionId,
    },
    limit::local::Local,
    observe::limits::{LimitMetrics, Refused},
};

/// Every limit there is.
#[derive(Debug)]
pub struct Throttle {
    everywhere: Stages,
    routes: Box<[Stages]>,
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

/// The limits of one place, by when they are judged.
#[derive(Debug, Default)]
struct Stages {
    arrived: Rules,
    admitted: Rules,
}

#[derive(Debug)]
struct Limit {
    rate: Rate,
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
        clock: &Clock,
        metrics: &LimitMetrics,
    ) -> Self {
        let limits = |route: &str, rates: &[Rate]| -> Vec<Arc<Limit>> {
            let limit = |rate: &Rate| {
                Arc::new(Limit {
                    rate: *rate,
                    local: Local::new(*rate, clock.clone()),
                    refused: metrics.refused(route, rate.to_string()),
                })
            };
            rates.iter().map(limit).collect()
        };
        let everywhere = limits(EVERYWHERE, everywhere);
        let routes = routes.into_iter().map(|(name, rates)| {
            let own = limits(name, rates);
            Stages::of(everywhere.iter().chain(&own))
        });
        Self {
            routes: routes.collect(),
            everywhere: Stages::of(&everywhere),
        }
    }

    /// What is asked of a request that goes along no route.
    pub const fn everywhere(&self, stage: Stage) -> &Rules {
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

    /// Takes a request from every limit that counts it, or from none. Says how the tightest of them
    /// stands; `None` if none counts it.
    ///
    /// Each is taken from as it is asked, and given back to when another one refuses. Only somebody
    /// who asks at the very moment between can be refused for what is given back.
    pub fn take(&self, caller: &Caller<'_>) -> Result<Option<Standing>, Exceeded> {
        let mut tightest: Option<Standing> = None;
        let mut worst: Option<(Exceeded, &Limit)> = None;
        let counting = || {
            let limits = self.0.iter();
            limits.filter_map(|limit| Some((limit, caller.key(limit.rate.whose)?)))
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
