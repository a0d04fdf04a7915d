//! One worker's connections, and which of them a group needs; sends nothing.

use std::sync::Arc;

use redis::Cmd;

use super::{
    Plan,
    cluster::Cluster,
    connection::Connection,
    dial::{Dialer, Place},
    greeting::Expected,
    health::Health,
    master::Master,
    pool::Pool,
    refusal::NoConnection,
    route::Route,
    sentinel::Sentinels,
    verb::Verb,
};
use crate::store::{
    Error,
    redis::{
        group::Group,
        url::{Address, Servers},
    },
};

/// One worker's connections.
#[derive(Debug)]
pub enum Way {
    /// To the one server, which has all groups.
    One {
        /// Its connections.
        pool: Pool,
        /// How it is found.
        route: Arc<Route>,
        /// How it is spoken to.
        dialer: Arc<Dialer>,
    },
    /// To the servers of a cluster.
    Cluster(Cluster),
}

/// Which server a command is for.
#[derive(Debug)]
pub enum Target {
    /// The one that has the group.
    Owner,
    /// This one, for this command alone, which needs a word before.
    Asked(Address, Cmd),
}

impl Way {
    /// Connects to nobody yet.
    pub fn new(plan: &Plan) -> Self {
        let fixed = |place| Route::Fixed {
            place,
            expected: Expected::Alone,
        };
        let route = match &plan.servers {
            Servers::One(address) => fixed(Place::Tcp(address.clone())),
            Servers::Socket(path) => fixed(Place::Socket(path.clone())),
            Servers::Sentinel { sentinels, master } => {
                Route::Sentinels(Sentinels::new(sentinels.clone(), master.clone()))
            }
            Servers::Cluster(seeds) => {
                let (dialer, notices) = (Arc::clone(&plan.dialer), Arc::clone(&plan.notices));
                return Self::Cluster(Cluster::new(seeds.clone(), dialer, notices));
            }
        };
        let (route, dialer) = (Arc::new(route), Arc::clone(&plan.dialer));
        let health = Health::new(route.name(), Arc::clone(&plan.notices));
        let pool = Pool::new(Arc::clone(&dialer), Arc::clone(&route), health);
        Self::One {
            pool,
            route,
            dialer,
        }
    }

    /// Whether all groups are on one server.
    pub const fn is_one_server(&self) -> bool {
        match self {
            Self::One { .. } => true,
            Self::Cluster(_) => false,
        }
    }

    /// Connects once, outside the pools, to a server and names a group that is there.
    pub async fn probe(&self) -> Result<(Connection, Group), NoConnection> {
        match self {
            Self::One { route, dialer, .. } => Ok((route.connect(dialer).await?, Group::new(0))),
            Self::Cluster(cluster) => cluster.probe().await,
        }
    }

    /// The servers that take writes now.
    pub async fn masters(&self) -> Result<Vec<Master>, NoConnection> {
        match self {
            Self::One { route, dialer, .. } => {
                let place = route.find(dialer).await?;
                let dialer = Arc::clone(dialer);
                Ok(vec![Master::new(dialer, place, Expected::Alone)])
            }
            Self::Cluster(cluster) => cluster.masters().await,
        }
    }

    /// A connection on which a command for `group` can be sent.
    pub async fn connection(
        &self,
        group: Group,
        target: &Target,
        verb: &mut Verb,
    ) -> Result<Connection, Error> {
        match self {
            Self::One { pool, .. } => {
                let connection = verb.prepare(pool.connection(verb.budget())).await?;
                connection.map_err(Error::Unavailable)
            }
            Self::Cluster(cluster) => match target {
                Target::Owner => cluster.owner(group, verb).await,
                Target::Asked(address, _) => cluster.node(address, verb).await,
            },
        }
    }

    /// Learns that a group is at `address` now.
    pub async fn moved(&self, group: Group, address: Address, verb: &Verb) -> Result<(), Error> {
        match self {
            Self::One { .. } => Ok(()),
            Self::Cluster(cluster) => verb.prepare(cluster.moved(group, address)).await,
        }
    }

    /// Looks again who has what, as it may have changed.
    pub async fn doubt(&self, verb: &Verb) -> Result<(), Error> {
        match self {
            Self::One { .. } => Ok(()),
            Self::Cluster(cluster) => verb.prepare(cluster.look_again(None)).await,
        }
    }
}

impl Target {
    /// The server at `address`, by way of exception.
    pub fn asked(address: Address) -> Self {
        Self::Asked(address, redis::cmd("ASKING"))
    }

    /// What has to be said right before the command.
    pub const fn permission(&self) -> Option<&Cmd> {
        match self {
            Self::Owner => None,
            Self::Asked(_, asking) => Some(asking),
        }
    }
}
