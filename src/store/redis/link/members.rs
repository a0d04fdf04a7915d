//! The servers of a cluster as one worker knows them: who has what, and the connections to each; sends no verbs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;

use super::{
    dial::{Dialer, Place},
    greeting::Expected,
    health::{Health, Notices},
    pool::Pool,
    race::first_of,
    refusal::{NoConnection, Refusal},
    route::Route,
    slots::Slots,
};
use crate::store::redis::{group::Group, url::Address};

/// The servers of a cluster.
#[derive(Debug)]
pub struct Members {
    /// Whom to ask when nobody else answers.
    seeds: Vec<Address>,
    dialer: Arc<Dialer>,
    notices: Arc<Notices>,
    slots: ArcSwap<Slots>,
    /// One for each server that has groups.
    pools: Mutex<HashMap<Address, Arc<Pool>>>,
    /// With whom to begin to ask.
    turn: AtomicUsize,
}

impl Members {
    /// Those of the cluster that `seeds` belong to. Nothing is known of them yet.
    pub fn new(seeds: Vec<Address>, dialer: Arc<Dialer>, notices: Arc<Notices>) -> Self {
        Self {
            seeds,
            dialer,
            notices,
            slots: ArcSwap::default(),
            pools: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// How they are spoken to.
    pub const fn dialer(&self) -> &Arc<Dialer> {
        &self.dialer
    }

    /// Who has `group`, as far as is known.
    pub fn owner(&self, group: Group) -> Option<Address> {
        self.slots.load().owner(group).cloned()
    }

    /// Remembers that `group` is at `address` now.
    pub fn put(&self, group: Group, address: &Address) {
        self.slots.rcu(|slots| {
            let mut slots = Slots::clone(slots);
            slots.put(group, address.clone());
            slots
        });
    }

    /// The connections to the server at `address`.
    pub fn pool(&self, address: &Address) -> Arc<Pool> {
        let mut pools = self.pools();
        if let Some(pool) = pools.get(address) {
            return Arc::clone(pool);
        }
        let route = Route::Fixed {
            place: Place::Tcp(address.clone()),
            expected: Expected::Master,
        };
        let health = Health::new(route.name(), Arc::clone(&self.notices));
        let pool = Pool::new(Arc::clone(&self.dialer), Arc::new(route), health);
        let pool = Arc::new(pool);
        pools.insert(address.clone(), Arc::clone(&pool));
        pool
    }

    /// Asks who has what, the server at `first` before all others, and takes the first answer.
    pub async fn learn(&self, first: Option<Address>) -> Result<Arc<Slots>, NoConnection> {
        let questions = self.whom_to_ask(first).into_iter().map(|address| {
            let dialer = Arc::clone(&self.dialer);
            async move { ask(&dialer, address).await }
        });
        let slots = Arc::new(first_of(questions).await?);
        self.slots.store(Arc::clone(&slots));
        let masters = slots.masters();
        self.pools().retain(|address, _| {
            let has_groups = masters.iter().any(|(master, _)| master == address);
            if !has_groups {
                self.notices.retired(&address.to_string());
            }
            has_groups
        });
        Ok(slots)
    }

    /// Everybody who may know, each once. Each time another one comes first, so that it is not
    /// always one who knows old things.
    fn whom_to_ask(&self, first: Option<Address>) -> Vec<Address> {
        let slots = self.slots.load();
        let mut known: Vec<_> = slots.members().iter().chain(&self.seeds).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let begin = turn.checked_rem(known.len()).unwrap_or_default();
        known.rotate_left(begin);
        let mut asked: Vec<_> = first.into_iter().collect();
        for address in known {
            if !asked.contains(address) {
                asked.push(address.clone());
            }
        }
        asked
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
