//! Two gateways on one Redis: what one ends the other knows of, whatever becomes of the line between them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{interval, timeout};

use super::{News, Sources};
use crate::{
    clock::Clock,
    domain::session::SessionId,
    observe::readings::Reading,
    store::{
        Backend, Revoke, Spec, Store,
        contract::{ACCESS_TTL, ANN, NAMES, Stage, account},
        redis::{
            self,
            group::Group,
            keys::Keys,
            link::Link,
            stage::{Cutter, DURABLE, RedisCluster, RedisServer, Sentinels, Weather},
        },
        revocations::{Freshness, Revocations},
    },
};

/// When all servers are there, everything is known again after so long.
const RECOVERY: Duration = Duration::from_secs(2);

/// When nothing comes from a server, that is known within a second; a busy machine may add one.
const SILENCE: Duration = Duration::from_secs(2);

/// For servers that have to agree first.
const PATIENCE: Duration = Duration::from_secs(30);

/// One gateway's view of the store.
async fn gateway(url: &str) -> Stage {
    gateway_at(url, Clock::System).await
}

/// One on whose clock it is another time.
async fn gateway_at(url: &str, clock: Clock) -> Stage {
    let store = Store::open(&spec(url), NAMES, clock.clone()).await;
    Stage {
        store: store.unwrap(),
        clock,
        _home: None,
    }
}

fn spec(url: &str) -> Spec {
    Spec {
        backend: Backend::Redis(url.parse().unwrap()),
        max_size: 0,
        deadline: Duration::from_secs(1),
    }
}

/// The news alone, read again so often.
async fn listen(url: &str, again: Duration) -> (News, Arc<Revocations>) {
    let spec: redis::Spec = url.parse().unwrap();
    let revocations = Arc::new(Revocations::stale());
    let sources = Sources {
        link: Link::open(&spec, Duration::from_secs(1)).await.unwrap(),
        keys: Keys::new(spec.prefix),
        clock: Clock::System,
        leeway: spec.leeway,
        again,
    };
    let news = News::start(sources, Arc::clone(&revocations));
    (news, revocations)
}

fn url(server: &RedisServer) -> String {
    format!("redis://{}", server.address())
}

/// Waits until it is so, and says how long that took.
async fn becomes(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    let mut looks = interval(Duration::from_millis(1));
    let so = timeout(limit, async {
        while !is_so() {
            looks.tick().await;
        }
    });
    assert!(so.await.is_ok(), "not in time: {what}");
    begun.elapsed()
}

async fn is(gateway: &Stage, freshness: Freshness, limit: Duration) {
    let revocations = gateway.store.revocations();
    becomes("its freshness", limit, || {
        revocations.freshness() == freshness
    })
    .await;
}

async fn refuses(gateway: &Stage, id: SessionId, limit: Duration) {
    becomes("its refusal", limit, || gateway.is_revoked(id)).await;
}

/// Opens session `n` of Ann and ends it.
async fn end(gateway: &Stage, n: u8) -> SessionId {
    let id = gateway.open(n, ANN).await;
    assert_eq!(gateway.revoke(ANN, Revoke::One(id)).await, [id]);
    id
}

#[tokio::test]
async fn a_logout_on_one_gateway_is_known_on_the_other_and_on_one_that_comes_later() {
    let server = RedisServer::start();
    let (a, b) = (gateway(&url(&server)).await, gateway(&url(&server)).await);
    assert_eq!(b.store.revocations().freshness(), Freshness::Fresh);
    let stays = a.open(99, ANN).await;
    for n in 0..20 {
        let id = end(&a, n).await;
        refuses(&b, id, RECOVERY).await;
    }
    assert!(!b.is_revoked(stays));
    let c = gateway(&url(&server)).await;
    assert_eq!(c.store.revocations().freshness(), Freshness::Fresh);
    assert!((0..20).all(|n| c.is_revoked(SessionId::new([n; 16]))));
    assert!(!c.is_revoked(stays));
}

#[tokio::test]
async fn a_set_of_many_pieces_is_read_whole() {
    const MANY: u64 = 3 * 512 + 7;
    let server = RedisServer::start();
    let until = Clock::System.now() + Duration::from_mins(15);
    let id = |n: u64| format!("{n:016}");
    let mut command = vec!["ZADD".to_owned(), "otp:{5a}r".to_owned()];
    for n in 0..MANY {
        command.extend([(until.as_millis() + n % 3).to_string(), id(n)]);
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    server.cli(&command);
    let gateway = gateway(&url(&server)).await;
    let session = |n| SessionId::new(id(n).as_bytes().try_into().unwrap());
    assert!((0..MANY).all(|n| gateway.is_revoked(session(n))));
    assert!(!gateway.is_revoked(session(MANY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_line_is_noticed_and_what_was_missed_is_read() {
    let server = RedisServer::start();
    let line = Cutter::before(server.address());
    let a = gateway(&url(&server)).await;
    let b = gateway(&format!("redis://{}", line.address())).await;
    for weather in 0..2 {
        is(&b, Freshness::Fresh, RECOVERY).await;
        line.set(Weather::Silent);
        let missed = end(&a, weather).await;
        is(&b, Freshness::Stale, SILENCE).await;
        assert!(!b.is_revoked(missed));
        line.set(Weather::Clear);
        is(&b, Freshness::Fresh, RECOVERY).await;
        assert!(b.is_revoked(missed), "fresh without it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_line_that_is_cut_again_and_again_nothing_is_missed() {
    let server = RedisServer::start();
    let line = Cutter::before(server.address());
    let a = gateway(&url(&server)).await;
    let b = gateway(&format!("redis://{}", line.address())).await;
    let revocations = b.store.revocations();
    for n in 0..12 {
        line.hang_up();
        let id = end(&a, n).await;
        is(&b, Freshness::Fresh, RECOVERY).await;
        refuses(&b, id, RECOVERY).await;
        assert_eq!(revocations.freshness(), Freshness::Fresh);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_noticed_and_found_again() {
    let server = RedisServer::start();
    let gateway = gateway(&url(&server)).await;
    server.freeze();
    is(&gateway, Freshness::Stale, SILENCE).await;
    server.thaw();
    is(&gateway, Freshness::Fresh, RECOVERY).await;
    let id = end(&gateway, 1).await;
    assert!(gateway.is_revoked(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_found_again_with_what_it_knows() {
    let mut server = RedisServer::with(&DURABLE);
    let (a, b) = (gateway(&url(&server)).await, gateway(&url(&server)).await);
    let before = end(&a, 1).await;
    refuses(&b, before, RECOVERY).await;
    server.kill();
    is(&b, Freshness::Stale, SILENCE).await;
    server.restart();
    for gateway in [&a, &b] {
        is(gateway, Freshness::Fresh, RECOVERY).await;
        assert!(gateway.is_revoked(before));
    }
    let after = end(&a, 2).await;
    refuses(&b, after, RECOVERY).await;
    assert!(gateway(&url(&server)).await.is_revoked(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_forgotten_everything_makes_no_session_good_again() {
    let mut server = RedisServer::start();
    let (a, b) = (gateway(&url(&server)).await, gateway(&url(&server)).await);
    let id = end(&a, 1).await;
    refuses(&b, id, RECOVERY).await;
    server.restart_empty();
    for gateway in [&a, &b] {
        is(gateway, Freshness::Fresh, RECOVERY).await;
        assert!(gateway.is_revoked(id));
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_made_up_for_by_a_reading() {
    let server = RedisServer::start();
    let gateway = gateway(&url(&server)).await;
    let until = Clock::System.now() + Duration::from_mins(15);
    let id = "0123456789abcdef";
    server.cli(&["ZADD", "otp:{30}r", &until.as_millis().to_string(), id]);
    server.cli(&["PUBLISH", "otp:revoked", "what is this?"]);
    let id = SessionId::new(*b"0123456789abcdef");
    refuses(&gateway, id, RECOVERY).await;
    is(&gateway, Freshness::Fresh, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_begins_without_a_server_knows_nothing_until_there_is_one() {
    let mut server = RedisServer::start();
    let early = gateway(&url(&server)).await;
    let id = early.open(1, ANN).await;
    server.kill();
    let late = gateway(&url(&server)).await;
    assert_eq!(late.store.revocations().freshness(), Freshness::Stale);
    assert!(!late.is_revoked(id));
    server.restart();
    is(&late, Freshness::Fresh, RECOVERY).await;
}

#[tokio::test]
async fn what_nobody_told_is_found_by_the_next_reading() {
    let server = RedisServer::start();
    let (news, revocations) = listen(&url(&server), Duration::from_millis(50)).await;
    news.settle(RECOVERY).await;
    let until = Clock::System.now() + Duration::from_mins(15);
    let id = "0123456789abcdef";
    server.cli(&["ZADD", "otp:{30}r", &until.as_millis().to_string(), id]);
    let mut view = revocations.view();
    let id = SessionId::new(*b"0123456789abcdef");
    becomes("its refusal", RECOVERY, || {
        view.is_revoked(id, Clock::System.now())
    })
    .await;
    assert_eq!(revocations.freshness(), Freshness::Fresh);
}

#[tokio::test]
async fn who_may_not_listen_does_not_claim_to_know() {
    let server = RedisServer::with(&["user deaf on >deaf ~* resetchannels &others +@all"]);
    let url = format!("redis://deaf:deaf@{}", server.address());
    let (news, revocations) = listen(&url, Duration::from_millis(50)).await;
    news.settle(Duration::from_millis(500)).await;
    assert_eq!(revocations.freshness(), Freshness::Stale);
}

#[tokio::test]
async fn a_gateway_whose_clock_is_behind_learns_of_what_it_would_still_accept() {
    let server = RedisServer::start();
    let clock = Clock::manual(Clock::System.now());
    let a = gateway_at(&url(&server), clock.clone()).await;
    let first = end(&a, 1).await;
    clock.advance(ACCESS_TTL);
    let behind = Clock::manual(clock.now().minus(Duration::from_secs(30)));
    clock.advance(Duration::from_secs(10));
    let second = end(&a, 2).await;
    let late = gateway_at(&url(&server), behind).await;
    assert!(late.is_revoked(first) && late.is_revoked(second));
}

#[tokio::test]
async fn operators_see_that_the_clocks_differ() {
    let server = RedisServer::start();
    let hour = Duration::from_hours(1);
    for (ours, expected) in [
        (Clock::System, 0..=1),
        (Clock::manual(Clock::System.now() + hour), 3590..=3600),
        (Clock::manual(Clock::System.now().minus(hour)), 3600..=3610),
    ] {
        let spec = spec(&url(&server));
        let store = Store::open(&spec, NAMES, ours).await.unwrap();
        let readings = store.readings();
        let find = |reading: &&Reading| reading.name == "store_clock_difference_ms";
        let difference = readings.iter().find(find).unwrap();
        let secs = (difference.read)() / 1000;
        assert!(expected.contains(&secs), "{secs}");
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_does_not_claim_to_know() {
    let server = RedisServer::start();
    let gateway = gateway(&url(&server)).await;
    let revocations = gateway.store.revocations();
    assert_eq!(revocations.freshness(), Freshness::Fresh);
    drop(gateway);
    becomes("its end", RECOVERY, || {
        revocations.freshness() == Freshness::Stale
    })
    .await;
    let listeners = || server.cli(&["PUBSUB", "NUMSUB", "otp:revoked"]);
    becomes("nobody listens", RECOVERY, || listeners().ends_with('0')).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_choose_another_master_are_followed() {
    let mut sentinels = Sentinels::start();
    let url = format!(
        "redis+sentinel://{}/{}",
        sentinels.addresses(),
        Sentinels::NAME
    );
    let (a, b) = (gateway(&url).await, gateway(&url).await);
    let before = end(&a, 1).await;
    refuses(&b, before, RECOVERY).await;
    let old = sentinels.kill_master();
    is(&b, Freshness::Stale, SILENCE).await;
    sentinels.master_after(old);
    for gateway in [&a, &b] {
        is(gateway, Freshness::Fresh, PATIENCE).await;
        assert!(gateway.is_revoked(before));
    }
    let after = end(&a, 2).await;
    refuses(&b, after, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_the_news_of_every_group_are_heard_whichever_master_has_it() {
    let mut cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    let (a, b) = (gateway(&url).await, gateway(&url).await);
    let account_of = |n: u8| account(n.wrapping_mul(37));
    let end = async |n: u8| {
        let id = a.open(n, account_of(n)).await;
        a.revoke(account_of(n), Revoke::All).await;
        id
    };
    for n in 1..40 {
        let id = end(n).await;
        refuses(&b, id, RECOVERY).await;
    }
    let late = gateway(&url).await;
    assert!((1..40).all(|n| late.is_revoked(SessionId::new([n; 16]))));

    cluster.kill_master_of(0);
    is(&b, Freshness::Stale, SILENCE).await;
    cluster.is_whole();
    is(&b, Freshness::Fresh, PATIENCE).await;
    is(&a, Freshness::Fresh, PATIENCE).await;
    for n in 40..80 {
        let id = end(n).await;
        refuses(&b, id, RECOVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_group_moves_between_masters_it_is_read_wherever_it_is() {
    let cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    let a = gateway(&url).await;
    let first = end(&a, 1).await;
    let slot = Group::new(0xaa).slot();
    let from = cluster.master_of(slot);
    let to = (0..3).find(|node| *node != from).unwrap();
    let late = gateway(&url).await;
    let knows = async |ids: &[SessionId]| {
        let late = gateway(&url).await;
        is(&late, Freshness::Fresh, RECOVERY).await;
        assert!(ids.iter().all(|id| late.is_revoked(*id)));
    };
    let on_its_way = cluster.start_move(slot, to);
    knows(&[first]).await;
    while on_its_way.some_keys(1) > 0 {
        knows(&[first]).await;
    }
    knows(&[first]).await;
    on_its_way.finish();
    knows(&[first]).await;
    let second = end(&a, 2).await;
    refuses(&late, second, RECOVERY).await;
    knows(&[first, second]).await;
}
