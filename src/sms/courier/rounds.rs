//! The rounds that a courier goes: what is handed over is carried at once, what somebody else has left behind is looked for; knows nothing of what carrying is.

use std::{
    collections::VecDeque, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{Order, Parts, office::Office};

/// Everything a courier has to do. It is done while somebody waits for [`Rounds::run`].
#[derive(Debug)]
pub struct Rounds {
    orders: mpsc::Receiver<Order>,
    office: Arc<Office>,
}

/// How often it is looked for messages that nobody carries.
const LOOK: Duration = Duration::from_secs(2);

impl Rounds {
    pub(super) fn new(orders: mpsc::Receiver<Order>, parts: Parts) -> Self {
        let office = Arc::new(Office::new(parts));
        Self { orders, office }
    }

    /// Goes them until nobody can hand anything over any more, or until `end`, and then until all
    /// that was handed over has been carried.
    pub async fn run(mut self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        let mut is_open = true;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looking = JoinSet::new();
        let mut found = VecDeque::new();
        let mut under_way = JoinSet::new();
        loop {
            let has_room = under_way.len() < self.office.max_in_flight();
            let order = tokio::select! {
                order = self.orders.recv(), if has_room => match order {
                    Some(order) => order,
                    None => break,
                },
                Some(order) = poll_fn(|_| Poll::Ready(found.pop_front())), if has_room => order,
                Some(carried) = under_way.join_next() => {
                    note(carried);
                    continue;
                }
                Some(looked) = looking.join_next() => {
                    found.extend(looked.unwrap_or_default());
                    continue;
                }
                _ = looks.tick(), if is_open && found.is_empty() && looking.is_empty() => {
                    let office = Arc::clone(&self.office);
                    looking.spawn(async move { office.left_behind().await });
                    continue;
                }
                () = &mut end, if is_open => {
                    is_open = false;
                    self.orders.close();
                    continue;
                }
            };
            let office = Arc::clone(&self.office);
            under_way.spawn(async move { office.carry(order).await });
        }
        while let Some(carried) = under_way.join_next().await {
            note(carried);
        }
    }
}

/// A panic in one errand is no reason to give the others up.
fn note(carried: Result<(), JoinError>) {
    if let Err(error) = carried {
        tracing::error!(%error, "an errand was broken off");
    }
}
