//! The store in Redis under its contract, and what only it must do.

mod cluster;
mod copy;
mod full;
mod liar;
mod meters;
mod plate;
mod sentinels;
mod shared;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::stage::RedisServer;
use crate::{
    clock::Clock,
    store::{
        Backend, Spec, Store,
        contract::{self, BEGINNING, NAMES, Stage},
    },
};

mod on_one_server {
    crate::store::contract::contract!(super::stage);
}

#[test]
fn all_answers_are_those_of_the_model() {
    let server = Arc::new(RedisServer::start());
    contract::answers_are_those_of_the_model(100, async || stage_on(&server).await);
}

#[test]
fn all_answers_are_those_of_the_embedded_store() {
    let server = Arc::new(RedisServer::start());
    contract::two_stores_answer_alike(100, embedded_stage, async || stage_on(&server).await);
}

/// A stage on a server of its own.
async fn stage() -> Stage {
    stage_on(&Arc::new(RedisServer::start())).await
}

/// A stage on a server that it shares with others: each has its own prefix.
async fn stage_on(server: &Arc<RedisServer>) -> Stage {
    let url = format!("redis+unix://{}", server.socket().display());
    Stage {
        _home: Some(Box::new(Arc::clone(server))),
        ..stage_at(&url).await
    }
}

async fn stage_at(url: &str) -> Stage {
    let clock = Clock::manual(BEGINNING);
    Stage {
        store: open(url, clock.clone()).await,
        clock,
        _home: None,
    }
}

/// A stage on the other store.
async fn embedded_stage() -> Stage {
    let clock = Clock::manual(BEGINNING);
    let spec = Spec {
        backend: Backend::Memory,
        max_size: 1 << 30,
        deadline: Duration::from_mins(1),
    };
    Stage {
        store: Store::open(&spec, NAMES, clock.clone()).await.unwrap(),
        clock,
        _home: None,
    }
}

/// The store at `url`, with nothing in it yet.
async fn open(url: &str, clock: Clock) -> Store {
    static OPENED: AtomicU32 = AtomicU32::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    let spec = spec_at(url, &format!("test-{number}:"));
    Store::open(&spec, NAMES, clock).await.unwrap()
}

/// Patient enough for a busy machine.
fn spec_at(url: &str, prefix: &str) -> Spec {
    let mut redis: super::Spec = url.parse().unwrap();
    redis.prefix = prefix.parse().unwrap();
    Spec {
        backend: Backend::Redis(redis),
        max_size: 0,
        deadline: Duration::from_secs(10),
    }
}

/// The keys on the server that have this in their names, in order.
fn keys_of(server: &RedisServer, kind: &str) -> Vec<String> {
    let keys = server.cli(&["KEYS", "*"]);
    let mut keys: Vec<_> = keys
        .lines()
        .filter(|key| key.contains(kind))
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}
