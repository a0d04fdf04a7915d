//! The servers of a cluster as one worker knows them, kept up to date by what they say; sends no verbs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{
    connection::Connection,
    dial::{Dialer, Place},
    greeting::Expected,
    health::{Health, Notices},
    master::Master,
    pool::Pool,
    race::first_of,
    refusal::{NoConnection, Refusal},
    route::Route,
    slots::Slots,
    verb::Verb,
};
use crate::store::{
    Error,
    redis::{group::Group, url::Address},
};

/// The servers of a cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Whom to ask when nobody else answers.
    seeds: Vec<Address>,
    dialer: Arc<Dialer>,
    notices: Arc<Notices>,
    slots: ArcSwap<Slots>,
    /// One for each server that has groups.
    pools: Mutex<HashMap<Address, Arc<Pool>>>,
    /// Held by whoever is asking who has what: one at a time, and when it was last asked.
    asking: tokio::sync::Mutex<Option<Instant>>,
    /// With whom to begin.
    turn: AtomicUsize,
}

/// However many verbs are in doubt, they do not ask more often than this.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

impl Cluster {
    /// The one that `seeds` belong to.
    pub fn new(seeds: Vec<Address>, dialer: Arc<Dialer>, notices: Arc<Notices>) -> Self {
        Self {
            seeds,
            dialer,
            notices,
            slots: ArcSwap::default(),
            pools: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Looks who has what, and connects to one who has something.
    pub async fn probe(&self) -> Result<(Connection, Group), NoConnection> {
        let slots = self.learn(None).await?;
        let with_owner = |group| Some((group, slots.owner(group)?));
        let (group, owner) = Group::all().find_map(with_owner).ok_or_else(no_masters)?;
        let place = Place::Tcp(owner.clone());
        let connection = self.dialer.connect(&place, Expected::Master).await?;
        Ok((connection, group))
    }

    /// The servers that have groups, by the latest word.
    pub async fn masters(&self) -> Result<Vec<Master>, NoConnection> {
        let slots = self.learn(None).await?;
        let master = |(address, _)| {
            let dialer = Arc::clone(&self.dialer);
            Master::new(dialer, Place::Tcp(address))
        };
        Ok(slots.masters().into_iter().map(master).collect())
    }

    /// A connection to the server that has `group`.
    pub async fn owner(&self, group: Group, verb: &mut Verb) -> Result<Connection, Error> {
        loop {
            let owner = self.slots.load().owner(group).cloned();
            let why = match &owner {
                Some(owner) => {
                    let pool = self.pool(owner);
                    match verb.prepare(pool.connection(Duration::ZERO)).await? {
                        Ok(connection) => return Ok(connection),
                        Err(why) => why,
                    }
                }
                None => no_masters().to_string().into(),
            };
            verb.prepare(self.refresh(None)).await?;
            if self.slots.load().owner(group) != owner.as_ref() {
                continue;
            }
            // As soon as it is clear that this will take longer than a verb may, nobody waits.
            if let Some(owner) = &owner
                && self.pool(owner).is_down_for(verb.budget())
            {
                return Err(Error::Unavailable(why));
            }
            verb.pause(why).await?;
        }
    }

    /// A connection to the server at `address`, whatever it has.
    pub async fn node(&self, address: &Address, verb: &Verb) -> Result<Connection, Error> {
        let pool = self.pool(address);
        let connection = verb.prepare(pool.connection(verb.budget())).await?;
        connection.map_err(Error::Unavailable)
    }

    /// Believes a server that says where `group` is now, and asks that one for all others.
    pub async fn moved(&self, group: Group, address: Address) {
        self.slots.rcu(|slots| {
            let mut slots = Slots::clone(slots);
            slots.put(group, address.clone());
            slots
        });
        self.refresh(Some(&address)).await;
    }

    /// Asks again who has what, unless that was just asked. If nobody answers, all stays as it is.
    pub async fn refresh(&self, first: Option<&Address>) {
        let mut asked = self.asking.lock().await;
        if asked.is_some_and(|at| at.elapsed() < BETWEEN_QUESTIONS) {
            return;
        }
        // An answer that never comes is one too.
        *asked = Some(Instant::now());
        if self.learn(first).await.is_ok() {
            *asked = Some(Instant::now());
        }
    }

    async fn learn(&self, first: Option<&Address>) -> Result<Arc<Slots>, NoConnection> {
        let questions = self.candidates(first).into_iter().map(|address| {
            let dialer = Arc::clone(&self.dialer);
            // On the heap: verbs hold it, seldom need it, and should be small.
            Box::pin(async move { ask(&dialer, address).await })
        });
        let slots = Arc::new(first_of(questions).await?);
        self.slots.store(Arc::clone(&slots));
        self.pools().retain(|address, _| {
            let has_groups = slots.masters().iter().any(|(master, _)| master == address);
            if !has_groups {
                self.notices.retired(&address.to_string());
            }
            has_groups
        });
        Ok(slots)
    }

    /// Everybody who may know, each once. Another one each time begins, so that one who knows
    /// old things does not always come first.
    fn candidates(&self, first: Option<&Address>) -> Vec<Address> {
        let slots = self.slots.load();
        let mut known: Vec<_> = slots.members().iter().chain(&self.seeds).cloned().collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let len = known.len().max(1);
        known.rotate_left(turn % len);
        let mut candidates = Vec::with_capacity(known.len() + 1);
        for address in first.cloned().into_iter().chain(known) {
            if !candidates.contains(&address) {
                candidates.push(address);
            }
        }
        candidates
    }

    fn pool(&self, address: &Address) -> Arc<Pool> {
        let mut pools = self.pools();
        let new = || {
            let route = Route::Fixed {
                place: Place::Tcp(address.clone()),
                expected: Expected::Master,
            };
            let health = Health::new(route.name(), Arc::clone(&self.notices));
            Arc::new(Pool::new(Arc::clone(&self.dialer), Arc::new(route), health))
        };
        Arc::clone(pools.entry(address.clone()).or_insert_with(new))
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<Address, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who has what, as the server at `address` sees it.
async fn ask(dialer: &Dialer, address: Address) -> Result<Slots, NoConnection> {
    let place = Place::Tcp(address.clone());
    let connection = dialer.connect(&place, Expected::Member).await?;
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = connection.send(&[&command]).await;
    let answer = answer.map_err(|_| NoConnection::unreachable("does not say who has what"))?;
    Ok(Slots::read(answer, &address).ok_or(Refusal::Stranger)?)
}

fn no_masters() -> NoConnection {
    NoConnection::unreachable("the cluster has no master for these keys")
}
