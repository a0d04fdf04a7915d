//! Listens to one server for as long as it is one of those that take writes; knows no others.

use std::{sync::Arc, time::Duration};

use redis::Value;
use tokio::{sync::Notify, time::sleep};

use super::{Shared, message, skew::Look};
use crate::{
    clock::Timestamp,
    store::{
        Error,
        redis::link::{Master, Subscriber},
    },
};

/// Listens to one server.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    master: Master,
    name: Arc<str>,
}

/// Why a server is not heard.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error(transparent)]
    Failed(#[from] Error),
    #[error("the connection has ended")]
    Ended,
    #[error("something was published that is no news")]
    Unreadable,
}

/// How often it has failed lately.
#[derive(Debug)]
struct Attempts {
    /// Before the next one.
    pause: Duration,
    notice: Notice,
}

/// Whether the operators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    Due,
    Given,
}

/// How often a server is asked for a sign of life.
const PING: Duration = Duration::from_millis(250);

/// How long it may take over one: together with the pause before, no longer than a second.
const PATIENCE: Duration = Duration::from_millis(700);

/// After so many signs of life, half a minute, its clock is looked at again.
const PINGS_PER_LOOK: u32 = 120;

/// Between two attempts to connect; doubled from the first to the second of these.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

impl Listener {
    /// Of `master`, which is called `name` among the ears.
    pub const fn new(shared: Arc<Shared>, master: Master, name: Arc<str>) -> Self {
        Self {
            shared,
            master,
            name,
        }
    }

    /// Listens for ever, and connects again whenever the connection has ended.
    pub async fn run(self) {
        let mut attempts = Attempts::default();
        loop {
            let why = match self.connect().await {
                Ok((subscriber, unreadable)) => {
                    self.shared.ears.heard(&self.name);
                    let why = self.listen(&subscriber, &unreadable, &mut attempts).await;
                    self.shared.ears.lost(&self.name);
                    why
                }
                Err(why) => why,
            };
            attempts.failed(&self.name, &why).await;
        }
    }

    /// A connection on which all is heard that is published from now on.
    async fn connect(&self) -> Result<(Subscriber, Arc<Notify>), Deaf> {
        let unreadable = Arc::new(Notify::new());
        let subscriber = self.master.subscriber(self.hear(Arc::clone(&unreadable)));
        let subscriber = subscriber.await?;
        let channel = self.shared.keys.channel();
        subscriber.subscribe(channel, PATIENCE).await?;
        self.look_at_clock(&subscriber).await?;
        Ok((subscriber, unreadable))
    }

    /// What is done with every message, right where it is read.
    fn hear(&self, unreadable: Arc<Notify>) -> impl Fn(&[u8]) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |bytes| match message::read(bytes) {
            Ok(ended) => shared.revocations.add_all(ended, shared.clock.now()),
            // What it wanted to say stands in the sets, which are read after every connect.
            Err(_) => unreadable.notify_one(),
        }
    }

    /// Until it is not sure any more that all is heard.
    async fn listen(
        &self,
        subscriber: &Subscriber,
        unreadable: &Notify,
        attempts: &mut Attempts,
    ) -> Deaf {
        tokio::select! {
            biased;
            () = subscriber.ended() => Deaf::Ended,
            () = unreadable.notified() => Deaf::Unreadable,
            why = self.watch(subscriber, attempts) => why,
        }
    }

    /// Asks for signs of life until one does not come.
    async fn watch(&self, subscriber: &Subscriber, attempts: &mut Attempts) -> Deaf {
        loop {
            for _ in 0..PINGS_PER_LOOK {
                sleep(PING).await;
                if let Err(why) = subscriber.ask(&redis::cmd("PING"), PATIENCE).await {
                    return why.into();
                }
                attempts.succeeded();
            }
            if let Err(why) = self.look_at_clock(subscriber).await {
                return why.into();
            }
        }
    }

    async fn look_at_clock(&self, subscriber: &Subscriber) -> Result<(), Error> {
        let before = self.shared.clock.now();
        let there = subscriber.ask(&redis::cmd("TIME"), PATIENCE).await;
        let after = self.shared.clock.now();
        if let Some(there) = time(there?) {
            let look = Look {
                before,
                there,
                after,
            };
            self.shared.clocks.note(&self.name, look);
        }
        Ok(())
    }
}

impl Attempts {
    /// Tells the operators once, and waits.
    async fn failed(&mut self, name: &str, why: &Deaf) {
        if self.notice == Notice::Due {
            self.notice = Notice::Given;
            tracing::warn!(store = name, %why, "logouts on other gateways are not heard");
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// A connection that has given a sign of life was worth making.
    fn succeeded(&mut self) {
        *self = Self::default();
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            notice: Notice::Due,
        }
    }
}

/// `TIME`: seconds since the Unix epoch, and microseconds.
fn time(answer: Value) -> Option<Timestamp> {
    let (secs, micros): (u64, u64) = redis::from_redis_value(answer).ok()?;
    Some(Timestamp::from_millis(secs * 1000 + micros / 1000))
}
