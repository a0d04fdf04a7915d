//! From a command to its answer: finds the server, waits in time, and tries again only what certainly did not happen.
//!
//! A command whose connection is cut may have happened, so it is never sent twice: the one who
//! asked learns that nothing is known. This is why the library's own cluster client is not used,
//! which would send it again.

mod cluster;
mod connection;
mod counted;
mod dial;
mod fault;
mod greeting;
mod health;
mod master;
mod members;
mod pool;
mod probe;
mod race;
mod refusal;
mod route;
mod sentinel;
mod slots;
mod subscriber;
mod tls;
mod verb;
mod way;

use std::{sync::Arc, time::Duration};

use redis::{Cmd, Value};
use tokio::{sync::Semaphore, time::timeout};

use self::{
    dial::Dialer,
    fault::{Fault, Patience},
    health::Notices,
    refusal::NoConnection,
    tls::Tls,
    verb::Verb,
    way::{Target, Way},
};
pub use self::{
    master::{Master, Private},
    refusal::Refusal,
    subscriber::Subscriber,
    tls::Roots,
};
use super::{
    group::Group,
    script::Script,
    spec::Spec,
    url::{Servers, Transport},
};
use crate::store::{Error, OpenError};

/// A worker's way to the servers; clones are the same way.
#[derive(Debug, Clone)]
pub struct Link {
    plan: Arc<Plan>,
    way: Arc<Way>,
    /// A permit for each verb under way.
    room: Arc<Semaphore>,
}

/// What the ways of all workers have in common.
#[derive(Debug)]
struct Plan {
    servers: Servers,
    dialer: Arc<Dialer>,
    deadline: Duration,
    notices: Arc<Notices>,
}

/// Verbs that one worker may have under way. More are under way only when answers are slow, and
/// then more would be too late anyway.
const VERBS: usize = 4096;

impl Link {
    /// A way to the servers of `spec` on which a verb takes at most `deadline`. Servers that
    /// cannot be reached are no error, since they may be reached later; servers that cannot be
    /// the store are.
    pub async fn open(spec: &Spec, deadline: Duration) -> Result<Self, OpenError> {
        let refused = |refusal| OpenError::Refused {
            store: spec.url.to_string(),
            refusal,
        };
        let tls = match spec.url.transport {
            Transport::Plain => None,
            Transport::Tls => Some(Tls::new(spec.ca.as_ref()).map_err(refused)?),
        };
        let plan = Plan {
            servers: spec.url.servers.clone(),
            dialer: Arc::new(Dialer {
                tls,
                login: spec.url.login.clone(),
                database: spec.url.database,
                patience: deadline,
            }),
            deadline,
            notices: Arc::default(),
        };
        let link = Self::new(Arc::new(plan));
        match probe::try_out(&link.way, &spec.prefix).await {
            Ok(()) => {}
            Err(NoConnection::Refused(refusal)) => return Err(refused(refusal)),
            Err(NoConnection::Unreachable(why)) => {
                tracing::warn!(store = %spec.url, %why, "starting without the store");
            }
        }
        Ok(link)
    }

    /// A way of its own for the calling worker: connections are made at the first use and belong
    /// to the runtime of that moment.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self::new(Arc::clone(&self.plan))
    }

    /// Whether all groups are on one server, so that a script may touch several of them.
    pub fn is_one_server(&self) -> bool {
        self.way.is_one_server()
    }

    /// Runs a script on the server of `group`. On a cluster, all `keys` must be of that group.
    ///
    /// After `Timeout`, and after `Unavailable` when the connection was cut, it may have run.
    pub async fn call<K: AsRef<[u8]>, A: AsRef<[u8]>>(
        &self,
        script: &Script,
        group: Group,
        keys: &[K],
        args: &[A],
    ) -> Result<Value, Error> {
        let command = script.run(keys, args);
        self.carry(group, &command, Some(script)).await
    }

    /// Gives a command to the server of `group`.
    pub async fn ask(&self, group: Group, command: &Cmd) -> Result<Value, Error> {
        self.carry(group, command, None).await
    }

    /// The servers that take writes now, each with what it has.
    pub async fn masters(&self) -> Result<Vec<Master>, Error> {
        match timeout(self.plan.deadline, self.way.masters()).await {
            Ok(Ok(masters)) => Ok(masters),
            Ok(Err(why)) => Err(Error::Unavailable(why.to_string().into())),
            Err(_) => Err(Error::Timeout),
        }
    }

    fn new(plan: Arc<Plan>) -> Self {
        let way = Way::new(&plan);
        Self {
            plan,
            way: Arc::new(way),
            room: Arc::new(Semaphore::new(VERBS)),
        }
    }

    async fn carry(
        &self,
        group: Group,
        command: &Cmd,
        script: Option<&Script>,
    ) -> Result<Value, Error> {
        let _permit = self.room.try_acquire().map_err(|_| Error::Overloaded)?;
        let mut verb = Verb::new(self.plan.deadline);
        let mut target = Target::Owner;
        let mut load = None;
        loop {
            let connection = self.way.connection(group, &target, &mut verb).await?;
            let before = load.iter().chain(target.permission());
            let commands: Vec<_> = before.chain([command]).collect();
            let fault = match verb.answer(connection.send(&commands)).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match fault {
                // At the same server: it may be one that was asked by way of exception.
                Fault::NoScript => {
                    load = script.map(Script::load);
                    continue;
                }
                Fault::Ask(address) => {
                    target = Target::asked(address);
                    continue;
                }
                Fault::Moved(address) => {
                    let why = format!("{group} moves to {address}").into();
                    self.way.moved(group, address, &verb).await?;
                    verb.pause(why).await?;
                }
                Fault::Unsent(why) => verb.pause(why).await?,
                Fault::Later(why) => {
                    self.way.doubt(&verb).await?;
                    verb.pause(why).await?;
                }
                Fault::Demoted(why) => {
                    connection.give_up();
                    self.way.doubt(&verb).await?;
                    verb.pause(why).await?;
                }
                Fault::Refused { text, .. } | Fault::Cut(text) => {
                    return Err(Error::Unavailable(text));
                }
                Fault::Silent(patience) => {
                    if patience == Patience::Fair {
                        // Others on this connection still wait out their own deadlines.
                        connection.give_up();
                    }
                    return Err(Error::Timeout);
                }
            }
            target = Target::Owner;
        }
    }
}

#[cfg(test)]
mod tests;
