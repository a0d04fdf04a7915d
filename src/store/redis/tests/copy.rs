//! Moving between a file and servers: nobody notices, nothing comes back, and a copy that is broken off can go on.

use std::{
    cell::{Cell, RefCell},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;

use super::{RedisServer, keys_of, spec_at};
use crate::{
    clock::Clock,
    domain::quota::Charge,
    secret::SecretId,
    store::{
        Backend, OpenError, Revoke, Sending, Spec, Store,
        contract::{self, ANN, BEGINNING, BOB, NAMES, Stage, account, charge, session_id},
        redis::stage::RedisCluster,
        transfer::{Broken, Entry, Progress, Source, Stamp, Target},
    },
};

const STAMP: Stamp = Stamp(7);

#[test]
fn a_store_that_moves_to_redis_and_back_answers_as_one_that_stays() {
    let mover = Mover::new();
    let [home, away] = [&RefCell::default(), &RefCell::default()];
    let one = async || mover.begin(home).await;
    let other = async || mover.begin(away).await;
    let step = async |one, other| (mover.again(home, one).await, mover.moved(away, other).await);
    contract::a_moved_store_answers_alike(25, 3, one, other, step);
}

#[tokio::test]
async fn a_limit_is_as_exact_as_before_wherever_its_window_is_moved() {
    let mover = Mover::new();
    // Small windows lie in a file in one way, large ones in another.
    for max in [1, 3, 31, 32, 33, 40] {
        let place = RefCell::default();
        let mut stage = mover.begin(&place).await;
        let limit = [charge(1, max, Duration::from_mins(30))];
        let mut admitted = Vec::new();
        for n in 0..3 * max {
            if n % 9 == max % 9 {
                stage = mover.moved(&place, stage).await;
            }
            if let Some(earlier) = n.checked_sub(max) {
                let until = admitted[earlier as usize] + Duration::from_mins(30);
                assert_eq!(
                    stage.refusal(&limit).await,
                    Some((0, until)),
                    "{n} of {max}"
                );
                stage.wait_until(until);
            }
            let sent = stage.send_within(&limit).await;
            assert!(
                matches!(sent, Sending::Started(_)),
                "{n} of {max}: {sent:?}"
            );
            admitted.push(stage.now());
            if n < max {
                stage.clock.advance(Duration::from_secs(1));
            }
        }
    }
}

/// Between what stores are moved.
struct Mover {
    server: Arc<RedisServer>,
    home: TempDir,
    places: Cell<u32>,
}

/// Where a store is.
type Place = RefCell<Option<Spec>>;

impl Mover {
    fn new() -> Self {
        Self {
            server: Arc::new(RedisServer::start()),
            home: tempfile::tempdir().unwrap(),
            places: Cell::new(0),
        }
    }

    /// A new store in a file.
    async fn begin(&self, place: &Place) -> Stage {
        *place.borrow_mut() = Some(file(self.home.path(), &self.name()));
        opened(place, &Clock::manual(BEGINNING)).await
    }

    /// The same store, opened once more.
    async fn again(&self, place: &Place, stage: Stage) -> Stage {
        let Stage { store, clock, .. } = stage;
        store.close().await;
        opened(place, &clock).await
    }

    /// The store moved to the other kind of place.
    async fn moved(&self, place: &Place, stage: Stage) -> Stage {
        let Stage { store, clock, .. } = stage;
        store.close().await;
        drop(store);
        let from = place.take().unwrap();
        let to = match &from.backend {
            Backend::Redis(_) => file(self.home.path(), &self.name()),
            Backend::Embedded(_) | Backend::Memory => {
                let url = format!("redis+unix://{}", self.server.socket().display());
                spec_at(&url, &format!("moved-{}:", self.name()))
            }
        };
        copy(&from, &to, &clock).await.unwrap();
        *place.borrow_mut() = Some(to);
        opened(place, &clock).await
    }

    fn name(&self) -> String {
        self.places.set(self.places.get() + 1);
        self.places.get().to_string()
    }
}

async fn opened(place: &Place, clock: &Clock) -> Stage {
    let spec = place.borrow().clone().unwrap();
    stage(&spec, clock).await
}

#[tokio::test]
async fn through_a_cluster_everything_comes_along() {
    let (home, cluster) = (tempfile::tempdir().unwrap(), RedisCluster::start());
    let (old, new) = (file(home.path(), "old"), file(home.path(), "new"));
    let shared = spec_at(
        &format!("redis+cluster://{}", cluster.addresses()),
        "moved:",
    );
    let clock = Clock::manual(BEGINNING);
    let stage = stage(&old, &clock).await;
    for n in 0..40 {
        stage.open(n, account(n.wrapping_mul(37))).await;
        let limit = charge(n, 3, Duration::from_mins(30));
        stage.send_within(&[limit]).await;
    }
    stage.revoke(account(37), Revoke::All).await;
    stage.store.close().await;
    copy(&old, &shared, &clock).await.unwrap();
    copy(&shared, &new, &clock).await.unwrap();
    assert_eq!(all(&old, &clock).await, all(&shared, &clock).await);
    assert_eq!(all(&old, &clock).await, all(&new, &clock).await);
}

#[tokio::test]
async fn a_copy_that_was_broken_off_goes_on_and_no_gateway_works_on_half_of_it() {
    let (home, server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let (from, to) = (file(home.path(), "old"), on(&server));
    let clock = Clock::manual(BEGINNING);
    fill(&from, &clock).await;

    let mut source = Source::open(&from, NAMES, clock.clone(), STAMP)
        .await
        .unwrap();
    let (mut target, progress) = target(&to, &clock, STAMP).await.unwrap();
    assert_eq!(progress, Progress::None);
    let accounts = source.next().await.unwrap().unwrap();
    target.put(&accounts).await.unwrap();
    drop((source, target));
    let refused = Store::open(&to, NAMES, clock.clone()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unfinished { .. }), "{refused}");

    // What was copied is not copied again, which is seen by what is missing of it.
    let [code] = &keys_of(&server, "}c:")[..] else {
        panic!("one code");
    };
    server.cli(&["DEL", code]);
    // Another number is drawn for a copy, but the file knows that it is the same one.
    assert_eq!(
        copy_as(&from, &to, &clock, Stamp(8)).await.unwrap(),
        "went on"
    );
    assert_eq!(keys_of(&server, "}c:"), [""; 0]);
    assert_eq!(keys_of(&server, "}w:").len(), 2);
    assert_eq!(keys_of(&server, "}r").len(), 1);
    Store::open(&to, NAMES, clock.clone()).await.unwrap();
}

#[tokio::test]
async fn what_was_used_since_a_copy_was_broken_off_is_copied_anew() {
    let (home, server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let (from, to) = (file(home.path(), "old"), on(&server));
    let clock = Clock::manual(BEGINNING);
    fill(&from, &clock).await;
    let mut source = Source::open(&from, NAMES, clock.clone(), STAMP)
        .await
        .unwrap();
    let (mut half, _) = target(&to, &clock, STAMP).await.unwrap();
    while let Some(batch) = source.next().await.unwrap() {
        half.put(&batch).await.unwrap();
    }
    drop((source, half));

    let stage = stage(&from, &clock).await;
    assert_eq!(stage.revoke(BOB, Revoke::All).await.len(), 1);
    stage.store.close().await;
    assert_eq!(copy_as(&from, &to, &clock, Stamp(8)).await.unwrap(), "anew");
    assert_eq!(all(&from, &clock).await, all(&to, &clock).await);
    let moved = self::stage(&to, &clock).await;
    assert_eq!(moved.sessions(BOB).await, []);
    assert!(moved.is_revoked(session_id(2)));
}

#[tokio::test]
async fn a_second_copy_changes_nothing_whatever_has_become_of_the_first() {
    let (home, server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let (from, to) = (file(home.path(), "old"), on(&server));
    let clock = Clock::manual(BEGINNING);
    fill(&from, &clock).await;
    copy(&from, &to, &clock).await.unwrap();
    let moved = stage(&to, &clock).await;
    assert_eq!(moved.revoke(ANN, Revoke::All).await.len(), 1);
    assert_eq!(
        copy_as(&from, &to, &clock, Stamp(8)).await.unwrap(),
        "complete"
    );
    assert_eq!(moved.sessions(ANN).await, []);

    // Back in use, the file has something new to tell, but the servers have something newer.
    stage(&from, &clock).await.store.close().await;
    let refused = copy_as(&from, &to, &clock, Stamp(9)).await.unwrap_err();
    assert!(matches!(refused, Broken::Taken(_)), "{refused}");
    assert_eq!(moved.sessions(ANN).await, []);
    let refused = copy(&to, &from, &clock).await.unwrap_err();
    assert!(matches!(refused, Broken::Taken(_)), "{refused}");
}

#[tokio::test]
async fn neither_a_place_of_others_nor_one_without_a_store_is_touched() {
    let (home, server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let (from, to) = (file(home.path(), "old"), on(&server));
    let clock = Clock::manual(BEGINNING);
    for nowhere in [&to, &from] {
        let refused = copy(nowhere, &file(home.path(), "new"), &clock)
            .await
            .unwrap_err();
        assert!(matches!(refused, Broken::Nowhere(_)), "{refused}");
    }
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    assert_eq!(home.path().read_dir().unwrap().count(), 0);

    fill(&from, &clock).await;
    let others = SecretId::new([9; 4]);
    Store::open(&to, others, clock.clone()).await.unwrap();
    for (from, to) in [(&from, &to), (&to, &file(home.path(), "new"))] {
        let refused = copy(from, to, &clock).await.unwrap_err();
        let foreign = matches!(refused, Broken::Open(OpenError::Foreign { .. }));
        assert!(foreign, "{refused}");
    }
    let refused = Source::open(&from, others, clock.clone(), STAMP).await;
    let refused = refused.unwrap_err();
    let foreign = matches!(refused, Broken::Open(OpenError::Names { .. }));
    assert!(foreign, "{refused}");
    server.cli(&["HSET", "moved:{00}meta", "form", "2"]);
    let refused = copy(&from, &to, &clock).await.unwrap_err();
    assert!(
        matches!(refused, Broken::Open(OpenError::Form { .. })),
        "{refused}"
    );
    let used = stage(&from, &clock).await;
    let refused = copy(&from, &to, &clock).await.unwrap_err();
    assert!(
        matches!(refused, Broken::Open(OpenError::Locked { .. })),
        "{refused}"
    );
    drop(used);
}

#[tokio::test]
async fn what_is_dead_stays_behind_and_what_lives_dies_in_its_time() {
    let (home, server) = (tempfile::tempdir().unwrap(), RedisServer::start());
    let (from, to) = (file(home.path(), "old"), on(&server));
    let clock = Clock::manual(BEGINNING);
    fill(&from, &clock).await;
    clock.advance(Duration::from_mins(20));
    copy(&from, &to, &clock).await.unwrap();
    // The code and the revocation are over. The session has 30 days less 20 minutes, and a margin.
    assert_eq!(keys_of(&server, "}c:"), [""; 0]);
    assert_eq!(keys_of(&server, "}r"), [""; 0]);
    let minutes = |key: &str| {
        server
            .cli(&["TTL", key])
            .parse::<u64>()
            .unwrap()
            .div_ceil(60)
    };
    for key in keys_of(&server, "}s:") {
        assert_eq!(minutes(&key), 30 * 24 * 60 - 20 + 1);
    }
    for key in keys_of(&server, "}w:") {
        assert_eq!(minutes(&key), 30 - 20 + 1);
    }
}

/// Ann has a session and a code, Bob a session, somebody had one. Two limits are half used up.
async fn fill(place: &Spec, clock: &Clock) {
    let stage = stage(place, clock).await;
    stage.open(1, ANN).await;
    stage.open(2, BOB).await;
    stage.open(3, account(3)).await;
    stage.revoke(account(3), Revoke::All).await;
    assert!(matches!(
        stage.send_within(&half_used()).await,
        Sending::Started(_)
    ));
    stage.store.close().await;
}

fn half_used() -> [Charge; 2] {
    [2, 200].map(|max| charge(u8::try_from(max).unwrap(), max, Duration::from_mins(30)))
}

async fn stage(place: &Spec, clock: &Clock) -> Stage {
    Stage {
        store: Store::open(place, NAMES, clock.clone()).await.unwrap(),
        clock: clock.clone(),
        _home: None,
    }
}

async fn target(to: &Spec, clock: &Clock, stamp: Stamp) -> Result<(Target, Progress), Broken> {
    Target::open(to, NAMES, clock.clone(), stamp).await
}

async fn copy(from: &Spec, to: &Spec, clock: &Clock) -> Result<(), Broken> {
    copy_as(from, to, clock, STAMP).await.map(drop)
}

/// Copies everything, and says with what it began.
async fn copy_as(
    from: &Spec,
    to: &Spec,
    clock: &Clock,
    stamp: Stamp,
) -> Result<&'static str, Broken> {
    let mut source = Source::open(from, NAMES, clock.clone(), stamp).await?;
    let (mut target, progress) = target(to, clock, source.stamp()).await?;
    let how = match progress {
        Progress::None => "anew",
        Progress::Until(bookmark) => {
            source.go_on_at(&bookmark);
            "went on"
        }
        Progress::All => return Ok("complete"),
    };
    while let Some(batch) = source.next().await? {
        target.put(&batch).await?;
    }
    target.finish().await?;
    Ok(how)
}

/// All that a store holds, in an order of its own. When exactly a window is forgotten is not told.
async fn all(place: &Spec, clock: &Clock) -> Vec<String> {
    let mut source = Source::open(place, NAMES, clock.clone(), STAMP)
        .await
        .unwrap();
    let mut all = Vec::new();
    while let Some(batch) = source.next().await.unwrap() {
        all.extend(batch.entries.iter().map(|entry| match entry {
            Entry::Window { bucket, events, .. } => format!("{bucket:?} {events:?}"),
            entry @ (Entry::Account { .. }
            | Entry::Meter { .. }
            | Entry::Purse { .. }
            | Entry::Delivery { .. }
            | Entry::Request { .. }
            | Entry::Revoked { .. }) => format!("{entry:?}"),
        }));
    }
    all.sort();
    all
}

fn file(home: &Path, name: &str) -> Spec {
    Spec {
        backend: Backend::Embedded(home.join(name)),
        max_size: 1 << 30,
        deadline: Duration::from_mins(1),
    }
}

fn on(server: &RedisServer) -> Spec {
    spec_at(&format!("redis://{}", server.address()), "moved:")
}
