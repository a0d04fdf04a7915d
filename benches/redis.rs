//! What a verb costs on Redis, and what a session weighs there, from a thousand sessions to a million.
//!
//! It starts servers of its own (`REDIS_SERVER` names the program), one for each table, and both
//! begin empty. The first table asks many at once: how many steps a second, and how long each keeps
//! the processor of the gateway and that of Redis. The second one asks one thing at a time, so its
//! times are those of an idle server: the median and the 99th percentile of the whole step, and the
//! average of the script alone in brackets.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start has nothing to measure"
)]

use std::{
    fmt, fs,
    io::{self, Write, stdout},
    ops::Range,
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

/// How many ask at once, where many do.
const CALLERS: usize = 64;

/// How many of them there are when it is measured what a crowd costs.
const CROWD: u64 = 50_000;

/// What a crowd has cost up to some moment: time, and on whose processor.
struct Spent {
    at: Instant,
    gateway: Duration,
    redis: Duration,
}

/// What one verb took.
struct Cost {
    median: Duration,
    /// Of a hundred, the longest but one.
    p99: Duration,
    /// On the server, on average.
    script: f64,
}

fn main() -> io::Result<()> {
    // One thread, as a worker has.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before there are a million sessions anywhere, which a crowd of new ones does not meet.
        let (server, store) = open().await;
        measure_a_crowd(&server, &store).await?;
        drop((server, store));
        let (server, store) = open().await;
        measure_one_by_one(&server, &store).await
    })
}

/// A server with nothing in it, and the store there.
async fn open() -> (RedisServer, Store) {
    let server = RedisServer::start();
    let url = format!("redis+unix://{}", server.socket().display());
    let backend: Backend = url.parse().expect("a URL");
    let spec = StoreSpec {
        backend,
        max_size: 0,
        deadline: Duration::from_secs(30),
    };
    let store = Store::open(&spec, MASTER.id(), Clock::System).await;
    (server, store.expect("a store"))
}

async fn measure_a_crowd(server: &RedisServer, store: &Store) -> io::Result<()> {
    let mut out = stdout();
    writeln!(
        out,
        "{CALLERS:>4} at once {:>9} {:>11} {:>9}",
        "per s", "gateway us", "redis us"
    )?;
    let people = u64::MAX / 2..u64::MAX / 2 + CROWD;
    let before = Spent::so_far(server);
    at_once(store, people.clone(), send).await;
    let sent = Spent::so_far(server);
    writeln!(out, "{:>12} {}", "send", sent.since(&before))?;
    at_once(store, people.clone(), answer).await;
    let verified = Spent::so_far(server);
    writeln!(out, "{:>12} {}", "verify", verified.since(&sent))?;
    at_once(store, people, rotate).await;
    let refreshed = Spent::so_far(server);
    writeln!(out, "{:>12} {}", "refresh", refreshed.since(&verified))
}

async fn measure_one_by_one(server: &RedisServer, store: &Store) -> io::Result<()> {
    let mut out = stdout();
    writeln!(out)?;
    let titles = ["send", "verify", "refresh", "list", "logout"];
    write!(out, "{:>9} {:>7}", "sessions", "bytes")?;
    for title in titles {
        write!(out, " {title:>21}")?;
    }
    writeln!(out)?;
    let empty = used_memory(server);
    let mut sessions = 0;
    for size in SIZES {
        at_once(store, sessions..size, log_in).await;
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

async fn send(caller: Caller, store: Store) {
    caller.send(&store, caller.charges()).await;
}

async fn answer(caller: Caller, store: Store) {
    caller.answer(&store).await;
}

async fn rotate(caller: Caller, store: Store) {
    caller.rotate(&store).await;
}

/// No limit holds them back, so that their sessions are all they leave.
async fn log_in(caller: Caller, store: Store) {
    caller.send(&store, Vec::new()).await;
    caller.answer(&store).await;
}

/// Lets each of them take a step, so many at once.
async fn at_once<F: Future<Output = ()> + Send>(
    store: &Store,
    people: Range<u64>,
    step: impl Fn(Caller, Store) -> F + Copy + Send + 'static,
) {
    let mut callers = JoinSet::new();
    for first in (0..).take(CALLERS) {
        let (store, people) = (store.clone(), people.clone());
        callers.spawn(async move {
            for n in (people.start + first..people.end).step_by(CALLERS) {
                step(Caller(n), store.clone()).await;
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

impl Spent {
    fn so_far(server: &RedisServer) -> Self {
        // Of this thread, in nanoseconds: the first figure.
        let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        let cpu = |name| -> f64 {
            server
                .info(name)
                .expect("a figure")
                .parse()
                .expect("seconds")
        };
        Self {
            at: Instant::now(),
            gateway: Duration::from_nanos(nanos.expect("a figure")),
            redis: Duration::from_secs_f64(cpu("used_cpu_user") + cpu("used_cpu_sys")),
        }
    }

    /// Per step of the crowd.
    fn since(&self, before: &Self) -> String {
        let steps = f64::from(u32::try_from(CROWD).expect("few"));
        let each = |span: Duration| span.as_secs_f64() * 1e6 / steps;
        let rate = steps / (self.at - before.at).as_secs_f64();
        let gateway = each(self.gateway.saturating_sub(before.gateway));
        let redis = each(self.redis.saturating_sub(before.redis));
        format!("{rate:>9.0} {gateway:>11.1} {redis:>9.1}")
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99] = [self.median, self.p99].map(|span| span.as_micros());
        f.pad(&format!("{median} us, {p99} ({:.0})", self.script))
    }
}
