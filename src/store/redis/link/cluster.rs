//! A cluster: which of its connections a group needs, and when to look again who has what; sends no verbs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    connection::Connection,
    dial::{Dialer, Place},
    greeting::Expected,
    health::Notices,
    master::Master,
    members::Members,
    refusal::NoConnection,
    verb::Verb,
};
use crate::store::{
    Error,
    redis::{group::Group, url::Address},
};

/// A cluster, as one worker uses it.
#[derive(Debug)]
pub struct Cluster {
    members: Arc<Members>,
    search: Mutex<Search>,
    /// How many searches have ended.
    ended: watch::Sender<u64>,
}

/// The last search for who has what. It is nobody's, so that no deadline ends it half-way, and
/// there is one at a time, however many verbs are in doubt.
#[derive(Debug, Default)]
struct Search {
    begun: Option<Instant>,
    task: Option<AbortOnDropHandle<()>>,
}

/// Searches begin no closer together than this, and no verb waits for one for longer: the answer
/// of a server that is well takes a hundredth of it.
const SEARCH: Duration = Duration::from_millis(100);

impl Cluster {
    /// The one that `seeds` belong to.
    pub fn new(seeds: Vec<Address>, dialer: Arc<Dialer>, notices: Arc<Notices>) -> Self {
        let (ended, _) = watch::channel(0);
        Self {
            members: Arc::new(Members::new(seeds, dialer, notices)),
            search: Mutex::default(),
            ended,
        }
    }

    /// Looks who has what, and connects to one who has something.
    pub async fn probe(&self) -> Result<(Connection, Group), NoConnection> {
        let slots = self.members.learn(None).await?;
        let with_owner = |group| Some((group, slots.owner(group)?));
        let (group, owner) = Group::all().find_map(with_owner).ok_or_else(no_owner)?;
        let place = Place::Tcp(owner.clone());
        let dialer = self.members.dialer();
        let connection = dialer.connect(&place, Expected::Master).await?;
        Ok((connection, group))
    }

    /// The servers that have groups, by the latest word.
    pub async fn masters(&self) -> Result<Vec<Master>, NoConnection> {
        let slots = self.members.learn(None).await?;
        let dialer = self.members.dialer();
        let master = |(address, _)| {
            let place = Place::Tcp(address);
            Master::new(Arc::clone(dialer), place, Expected::Master)
        };
        Ok(slots.masters().into_iter().map(master).collect())
    }

    /// A connection to the server that has `group`.
    pub async fn owner(&self, group: Group, verb: &mut Verb) -> Result<Connection, Error> {
        loop {
            let owner = self.members.owner(group);
            let pool = owner.as_ref().map(|owner| self.members.pool(owner));
            let why = match &pool {
                Some(pool) => match verb.prepare(pool.connection(Duration::ZERO)).await? {
                    Ok(connection) => return Ok(connection),
                    Err(why) => why,
                },
                None => no_owner().to_string().into(),
            };
            verb.prepare(self.look_again(None)).await?;
            if self.members.owner(group) != owner {
                continue;
            }
            // As soon as it is clear that this will take longer than a verb may, nobody waits.
            if pool.is_some_and(|pool| pool.is_down_for(verb.budget())) {
                return Err(Error::Unavailable(why));
            }
            verb.pause(why).await?;
        }
    }

    /// A connection to the server at `address`, whatever it has.
    pub async fn node(&self, address: &Address, verb: &Verb) -> Result<Connection, Error> {
        let pool = self.members.pool(address);
        let connection = verb.prepare(pool.connection(verb.budget())).await?;
        connection.map_err(Error::Unavailable)
    }

    /// Believes a server that says where `group` is now, and asks that one for all others.
    pub async fn moved(&self, group: Group, address: Address) {
        self.members.put(group, &address);
        self.look_again(Some(address)).await;
    }

    /// Looks who has what, unless that was just done. Without an answer all stays as it is.
    pub async fn look_again(&self, first: Option<Address>) {
        let mut ended = self.ended.subscribe();
        if self.search(first) {
            // Late or not, the caller goes by what is known then.
            let _in_time: Result<_, _> = timeout(SEARCH, ended.changed()).await;
        }
    }

    /// Begins a search if there is none, and not just was one. Returns whether there is one now.
    fn search(&self, first: Option<Address>) -> bool {
        let mut search = self.search.lock().unwrap_or_else(PoisonError::into_inner);
        if search.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return true;
        }
        if search.begun.is_some_and(|begun| begun.elapsed() < SEARCH) {
            return false;
        }
        let (members, ended) = (Arc::clone(&self.members), self.ended.clone());
        let task = tokio::spawn(async move {
            let _known: Result<_, _> = members.learn(first).await;
            ended.send_modify(|count| *count += 1);
        });
        search.begun = Some(Instant::now());
        search.task = Some(AbortOnDropHandle::new(task));
        true
    }
}

fn no_owner() -> NoConnection {
    NoConnection::unreachable("the cluster has no master for these keys")
}
