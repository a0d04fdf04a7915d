//! What a verb costs: 64 callers at once, on a store in memory and on one in a file.
//!
//! `TMPDIR` says on which disk the file lies.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]

use std::{
    fs,
    num::NonZeroU32,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otp_gateway::{
    Backend, Clock, Master, Secret, SessionId, Store, StoreSpec,
    verbs::{
        AccountKey, Answer, Bucket, ChallengeId, Charge, ClientKey, Length, Login, Nonce,
        OtpPolicy, Per, Quota, SessionPolicy, Start, Tag,
    },
};
use tokio::{runtime::Runtime, task::JoinSet};

static MASTER: LazyLock<Master> =
    LazyLock::new(|| Master::new(&Secret::new([7; 32])).expect("long enough"));

const CALLERS: u64 = 64;

const SESSION: SessionPolicy = SessionPolicy {
    idle: Duration::from_hours(30 * 24),
    absolute: Duration::from_hours(90 * 24),
    grace: Duration::from_secs(30),
    max_per_subject: 20,
};

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
                    at_once(&runtime, &mut next, n, &store, Caller::send);
                    look().saturating_sub(before)
                });
            });
            group.bench_function(format!("login_and_refresh{watch}"), |bencher| {
                bencher.iter_custom(|n| {
                    let before = look();
                    at_once(&runtime, &mut next, n, &store, Caller::log_in);
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

/// Somebody with a phone and an address of their own.
#[derive(Clone, Copy)]
struct Caller(u64);

impl Caller {
    async fn send(self, store: Store) {
        let sent = store.start_challenge(self.account(), self.start(), self.charges(), otp());
        sent.await.expect("it is stored");
    }

    async fn log_in(self, store: Store) {
        self.send(store.clone()).await;
        let answer = Answer {
            challenge: Some(self.start().id),
            client: self.start().client,
            tags: vec![self.start().tag],
        };
        let id = SessionId::new(self.key(4));
        let login = Login {
            id,
            device_info: "a phone".to_owned(),
            ip: "2001:db8::1".to_owned(),
            policy: SESSION,
            access_ttl: Duration::from_mins(15),
        };
        let answered = store.answer_challenge(self.account(), answer, otp(), login);
        answered.await.expect("it is stored");
        let ip = String::new();
        let revoked_for = Duration::from_mins(15);
        let rotated = store.rotate(self.account(), id, 0, ip, SESSION, revoked_for);
        rotated.await.expect("it is stored");
    }

    /// The default limits: two small windows of the caller's own, two large ones that all share.
    fn charges(self) -> Vec<Charge> {
        let charge = |per, bucket, max, minutes| Charge {
            bucket: Bucket(bucket),
            per,
            quota: Quota {
                max: NonZeroU32::new(max).expect("not zero"),
                window: Duration::from_mins(minutes),
            },
        };
        vec![
            charge(Per::Phone, self.key(2), 3, 30),
            charge(Per::Ip, self.key(3), 20, 60),
            charge(Per::Country, [1; 16], 100_000_000, 60),
            charge(Per::All, [2; 16], 100_000_000, 60),
        ]
    }

    fn account(self) -> AccountKey {
        AccountKey(self.key(1))
    }

    fn start(self) -> Start {
        Start {
            id: ChallengeId::new(self.key(5)),
            client: ClientKey([1; 8]),
            nonce: Nonce(self.key(6)),
            secret: MASTER.id(),
            known: vec![MASTER.id()],
            tag: Tag(self.key(7)),
        }
    }

    /// Keys are pseudo-random, as the keyed hashes are that they stand for.
    fn key(self, purpose: u64) -> [u8; 16] {
        let mix = (self.0 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed =
            u128::from(mix ^ (mix >> 29)).wrapping_mul(0xda94_2042_e4dd_58b5_d6e8_feb8_6659_fd93);
        mixed.to_be_bytes()
    }
}

fn otp() -> OtpPolicy {
    OtpPolicy {
        length: Length::new(6).expect("six digits"),
        ttl: Duration::from_mins(5),
        max_age: Duration::from_mins(10),
        max_attempts: 5,
        max_failures: 20,
        require_challenge: false,
    }
}
