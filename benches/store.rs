//! What a verb costs: 64 callers at once, on a store in memory and on one in a file.
//!
//! `TMPDIR` says on which disk the file lies.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]

use std::{
    fs,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otp_gateway::{Backend, Clock, Store, StoreSpec};
use tokio::{runtime::Runtime, task::JoinSet};

use self::caller::{Caller, MASTER};

#[path = "stage/caller.rs"]
mod caller;

const CALLERS: u64 = 64;

criterion_group!(benches, verbs);
criterion_main!(benches);

fn verbs(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let home = tempfile::tempdir().expect("a directory");
    let places = [
        ("memory", Backend::Memory),
        ("file", Backend::Embedded(home.path().join("store.redb"))),
    ];
    for (place, backend) in places {
        let spec = StoreSpec {
            backend,
            max_size: 1 << 40,
            deadline: Duration::from_mins(1),
        };
        let store = runtime
            .block_on(Store::open(&spec, MASTER.id(), Clock::System))
            .expect("a store");
        let mut group = criterion.benchmark_group(place);
        group.throughput(Throughput::Elements(1));
        group.sample_size(10);
        let mut next = 0;
        for (watch, look) in [("", since_begun as Watch), ("/writer_cpu", writer_cpu)] {
            group.bench_function(format!("start_challenge{watch}"), |bencher| {
                bencher.iter_custom(|n| {
                    let before = look();
                    at_once(&runtime, &mut next, n, &store, send);
                    look().saturating_sub(before)
                });
            });
            group.bench_function(format!("login_and_refresh{watch}"), |bencher| {
                bencher.iter_custom(|n| {
                    let before = look();
                    at_once(&runtime, &mut next, n, &store, log_in);
                    look().saturating_sub(before)
                });
            });
        }
        runtime.block_on(store.close());
        if let Backend::Embedded(_) = spec.backend {
            // Opening checks every page of what the others have left in the file.
            let file = fs::metadata(home.path().join("store.redb"));
            group.throughput(Throughput::Bytes(file.expect("a file").len()));
            group.bench_function("open", |bencher| {
                bencher.iter(|| {
                    runtime.block_on(async {
                        let store = Store::open(&spec, MASTER.id(), Clock::System).await;
                        store.expect("a store").close().await;
                    });
                });
            });
        }
        group.finish();
    }
}

/// Spreads `total` rounds over all callers; every round is by somebody new.
fn at_once<F: Future<Output = ()> + Send>(
    runtime: &Runtime,
    next: &mut u64,
    total: u64,
    store: &Store,
    round: impl Fn(Caller, Store) -> F + Copy + Send + 'static,
) {
    let first = *next;
    *next += total;
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let store = store.clone();
            callers.spawn(async move {
                for n in (caller..total).step_by(64) {
                    round(Caller(first + n), store.clone()).await;
                }
            });
        }
        callers.join_all().await;
    });
}

async fn send(caller: Caller, store: Store) {
    caller.send(&store, caller.charges()).await;
}

async fn log_in(caller: Caller, store: Store) {
    caller.send(&store, caller.charges()).await;
    caller.answer(&store).await;
    caller.rotate(&store).await;
}

/// The time by some watch.
type Watch = fn() -> Duration;

fn since_begun() -> Duration {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGUN.elapsed()
}

/// How long the store's thread has been on a processor, in the words of Linux (`schedstat`). It
/// tells what a verb costs even when others keep the machine busy.
fn writer_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let stores = threads.map(|thread| thread.path()).filter(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "store")
    });
    // The one that was closed before may not have ended yet; the newest has the largest number.
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    let writer = stores.max_by_key(number);
    let stat = writer.and_then(|path| fs::read_to_string(path.join("schedstat")).ok());
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.expect("the store has a thread"))
}
