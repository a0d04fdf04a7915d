//! What a verb costs on Redis, and what a session weighs there, from a thousand sessions to a million.
//!
//! It starts a server of its own (`REDIS_SERVER` names the program) and asks one thing at a time, so
//! the times are those of an idle server: of the whole step, and of the script alone in brackets.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start has nothing to measure"
)]

use std::{
    fmt,
    io::{self, Write, stdout},
    time::{Duration, Instant},
};

use otp_gateway::{Backend, Clock, Store, StoreSpec, verbs::Revoke};
use tokio::{runtime::Builder, task::JoinSet};

use self::{
    caller::{ACCESS_TTL, Caller, MASTER, SESSION},
    redis::RedisServer,
};

#[path = "stage/caller.rs"]
mod caller;
#[path = "../tests/it/stage/redis/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests need more of it")]
mod redis;

/// How many sessions there are when it is measured.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// How often each verb is asked.
const ROUNDS: u64 = 1_000;

/// Callers that log in at once while the server is filled.
const CALLERS: usize = 64;

/// What one verb took.
struct Cost {
    median: Duration,
    /// Of a hundred, the longest but one.
    p99: Duration,
    /// On the server, on average.
    script: f64,
}

fn main() -> io::Result<()> {
    let server = RedisServer::start();
    let url = format!("redis+unix://{}", server.socket().display());
    let backend: Backend = url.parse().expect("a URL");
    let spec = StoreSpec {
        backend,
        max_size: 0,
        deadline: Duration::from_secs(30),
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&spec, MASTER.id(), Clock::System).await;
        measure(&server, &store.expect("a store")).await
    })
}

async fn measure(server: &RedisServer, store: &Store) -> io::Result<()> {
    let mut out = stdout();
    let titles = ["send", "verify", "refresh", "list", "logout"];
    write!(out, "{:>9} {:>7}", "sessions", "bytes")?;
    for title in titles {
        write!(out, " {title:>21}")?;
    }
    writeln!(out)?;
    let empty = used_memory(server);
    let mut sessions = 0;
    for size in SIZES {
        fill(store, sessions..size).await;
        sessions = size;
        let bytes = (used_memory(server) - empty) / size;
        write!(out, "{size:>9} {bytes:>7}")?;
        for cost in costs(server, store, u64::MAX - size).await {
            write!(out, " {cost:>21}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Lets so many people log in. No limit holds them back, so that their sessions are all they leave.
async fn fill(store: &Store, people: std::ops::Range<u64>) {
    let mut callers = JoinSet::new();
    for first in (0..).take(CALLERS) {
        let (store, people) = (store.clone(), people.clone());
        callers.spawn(async move {
            for n in (people.start + first..people.end).step_by(CALLERS) {
                Caller(n).send(&store, Vec::new()).await;
                Caller(n).answer(&store).await;
            }
        });
    }
    callers.join_all().await;
}

/// What each verb costs with people who come and go.
async fn costs(server: &RedisServer, store: &Store, first: u64) -> [Cost; 5] {
    let people = (first - ROUNDS..first).map(Caller);
    let send = async |caller: Caller| caller.send(store, caller.charges()).await;
    let answer = async |caller: Caller| caller.answer(store).await;
    let rotate = async |caller: Caller| caller.rotate(store).await;
    let list = async |caller: Caller| {
        let listed = store.sessions(caller.account(), SESSION).await;
        assert_eq!(listed.expect("an answer").len(), 1);
    };
    let revoke = async |caller: Caller| {
        let revoked = store.revoke(caller.account(), Revoke::All, ACCESS_TTL);
        assert_eq!(revoked.await.expect("an answer").len(), 1);
    };
    [
        cost(server, people.clone(), send).await,
        cost(server, people.clone(), answer).await,
        cost(server, people.clone(), rotate).await,
        cost(server, people.clone(), list).await,
        cost(server, people, revoke).await,
    ]
}

async fn cost(
    server: &RedisServer,
    people: impl Iterator<Item = Caller>,
    ask: impl AsyncFn(Caller),
) -> Cost {
    server.cli(&["CONFIG", "RESETSTAT"]);
    let mut took = Vec::new();
    for caller in people {
        let begun = Instant::now();
        ask(caller).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let stat = server.info("cmdstat_evalsha").expect("scripts");
    let script = stat
        .split(',')
        .find_map(|word| word.strip_prefix("usec_per_call="));
    Cost {
        median: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        script: script.expect("a figure").parse().expect("a number"),
    }
}

fn used_memory(server: &RedisServer) -> u64 {
    let used = server.info("used_memory").expect("a figure");
    used.parse().expect("a number")
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99] = [self.median, self.p99].map(|span| span.as_micros());
        f.pad(&format!("{median} us, {p99} ({:.0})", self.script))
    }
}
