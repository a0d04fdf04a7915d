//! Another Redis takes the place of the one before: by Sentinels, in a Cluster, and while slots move from one master to another.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use tokio::task::{JoinSet, spawn_blocking};

use super::{gateway, is_back, is_out, is_refused, passes, patient_gateway, phone, sessions};
use crate::stage::{
    PHONE, Stage, Tokens,
    client::Call,
    redis::{RedisCluster, RedisServer, Sentinels, wait_for},
};

#[tokio::test]
async fn when_sentinels_name_another_master_it_is_used() {
    let mut watched = spawn_blocking(Sentinels::start).await.expect("no panic");
    let stage = gateway(&format!(
        "redis+sentinel://{}/{}",
        watched.addresses(),
        Sentinels::NAME
    ))
    .await;
    let [kept, leaving] = [stage.log_in(PHONE).await, stage.log_in(&phone()).await];
    let old = watched.master();
    is_copied(&watched.servers[old], 2);
    watched.kill_master();
    is_out(&stage, &kept, &leaving).await;
    let (watched, since) = spawn_blocking(move || {
        watched.master_after(old);
        (watched, Instant::now())
    })
    .await
    .expect("no panic");
    is_back(&stage, since).await;
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
    passes(&stage, &kept).await;
    drop(watched);
}

#[tokio::test]
async fn a_master_that_wakes_up_after_its_time_gets_nothing_to_keep() {
    let watched = spawn_blocking(Sentinels::start).await.expect("no panic");
    let stage = gateway(&format!(
        "redis+sentinel://{}/{}",
        watched.addresses(),
        Sentinels::NAME
    ))
    .await;
    let kept = stage.log_in(PHONE).await;
    let old = watched.master();
    is_copied(&watched.servers[old], 2);
    watched.servers[old].freeze();
    let watched = spawn_blocking(move || {
        watched.master_after(old);
        watched
    })
    .await
    .expect("no panic");
    is_back(&stage, Instant::now()).await;
    // For some seconds it takes itself for the master still, and would forget what it is told then.
    let old = &watched.servers[old];
    old.thaw();
    let mut all = vec![kept];
    for _ in 0..8 {
        all.push(stage.log_in(&phone()).await);
    }
    assert_eq!(old.info("role").as_deref(), Some("master"));
    assert_eq!(sessions_on(old), 1);
    are_all_there(&stage, &all).await;
}

#[tokio::test]
async fn when_a_replica_in_a_cluster_becomes_the_master_it_is_used() {
    let mut cluster = spawn_blocking(RedisCluster::start).await.expect("no panic");
    let stage = gateway(&url(&cluster)).await;
    let (lost, slot) = (0, 0);
    assert_eq!(cluster.master_of(slot), lost);
    let hit = log_in_on(&stage, &cluster.nodes[lost]).await;
    let spared = log_in_on(&stage, &cluster.nodes[1]).await;
    cluster.nodes[..3]
        .iter()
        .for_each(|node| is_copied(node, 1));
    cluster.nodes[lost].kill();
    let refresh = json!({ "refresh_token": hit.refresh });
    is_refused(stage.post("/api/auth/refresh").json(&refresh)).await;
    for tokens in [&hit, &spared] {
        passes(&stage, tokens).await;
    }
    let (mut cluster, since) = spawn_blocking(move || {
        wait_for("another master", || {
            (cluster.master_of(slot) != lost).then_some(())
        });
        cluster.is_whole();
        (cluster, Instant::now())
    })
    .await
    .expect("no panic");
    is_back(&stage, since).await;
    for tokens in [&hit, &spared] {
        assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
        assert_eq!(sessions(&stage, tokens).await, 1);
    }
    // It comes back as a replica, and nobody notices.
    cluster.nodes[lost].restart();
    stage.log_in(PHONE).await;
}

#[tokio::test]
async fn a_master_in_a_cluster_that_wakes_up_after_its_time_gets_nothing_to_keep() {
    let cluster = spawn_blocking(RedisCluster::start).await.expect("no panic");
    let stage = gateway(&url(&cluster)).await;
    let (lost, slot) = (0, 0);
    let mut all = vec![log_in_on(&stage, &cluster.nodes[lost]).await];
    is_copied(&cluster.nodes[lost], 1);
    cluster.nodes[lost].freeze();
    let cluster = spawn_blocking(move || {
        wait_for("another master", || {
            (cluster.master_of(slot) != lost).then_some(())
        });
        cluster
    })
    .await
    .expect("no panic");
    is_back(&stage, Instant::now()).await;
    cluster.nodes[lost].thaw();
    for _ in 0..8 {
        all.push(stage.log_in(&phone()).await);
    }
    let cluster = spawn_blocking(move || {
        cluster.is_whole();
        cluster
    })
    .await
    .expect("no panic");
    are_all_there(&stage, &all).await;
    drop(cluster);
}

#[tokio::test]
async fn slots_move_from_master_to_master_and_nobody_notices() {
    let cluster = spawn_blocking(RedisCluster::start).await.expect("no panic");
    let stage = patient_gateway(&url(&cluster)).await;
    let (done, is_over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut people = JoinSet::new();
    for _ in 0..8 {
        let tokens = stage.log_in(&phone()).await;
        let (to, done, is_over) = (stage.address, Arc::clone(&done), Arc::clone(&is_over));
        people.spawn(refresh_until(to, tokens, done, is_over));
    }
    let moving = spawn_blocking(move || {
        move_all_slots(&cluster, &done);
        is_over.store(true, Ordering::Relaxed);
        cluster
    });
    // Newcomers meet the moves, too.
    let mut newcomers = Vec::new();
    while !moving.is_finished() {
        newcomers.push(stage.log_in(&phone()).await);
    }
    let cluster = moving.await.expect("no panic");
    for said in ["MOVED", "ASK", "TRYAGAIN"] {
        let said = format!("errorstat_{said}");
        let masters = cluster.nodes[..3].iter();
        assert!(
            masters.filter_map(|node| node.info(&said)).count() > 0,
            "{said}"
        );
    }
    for tokens in people.join_all().await.iter().chain(&newcomers) {
        passes(&stage, tokens).await;
        assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
        assert_eq!(sessions(&stage, tokens).await, 1);
    }
}

/// Asserts that no session was lost.
async fn are_all_there(stage: &Stage, all: &[Tokens]) {
    for tokens in all {
        passes(stage, tokens).await;
        assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
        assert_eq!(sessions(stage, tokens).await, 1);
    }
}

fn url(cluster: &RedisCluster) -> String {
    format!("redis+cluster://{}", cluster.addresses())
}

/// Waits until all that a master acknowledged so far is with so many replicas.
fn is_copied(master: &RedisServer, replicas: usize) {
    // WAIT speaks of the writes of its own connection; a replica that has a later one has them all.
    wait_for("replicas that have it all", || {
        let offset = master.info("master_repl_offset")?;
        let has_all = |number: usize| {
            let replica = master.info(&format!("slave{number}"));
            replica.is_some_and(|replica| replica.contains(&format!("offset={offset},")))
        };
        (0..replicas).all(has_all).then_some(())
    });
}

/// Logs in one person after the other until one's session is on that server.
async fn log_in_on(stage: &Stage, server: &RedisServer) -> Tokens {
    for _ in 0..100 {
        let before = sessions_on(server);
        let tokens = stage.log_in(&phone()).await;
        if sessions_on(server) > before {
            return tokens;
        }
    }
    panic!("a hundred people, and none of them there");
}

/// How many people have sessions on that server.
fn sessions_on(server: &RedisServer) -> usize {
    server.cli(&["KEYS", "*}s:*"]).lines().count()
}

/// Refreshes as fast as it goes: the last tokens.
async fn refresh_until(
    to: SocketAddr,
    mut tokens: Tokens,
    done: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> Tokens {
    while !is_over.load(Ordering::Relaxed) {
        let body = json!({ "refresh_token": tokens.refresh });
        let call = Call::new(to, "POST", "/api/auth/refresh").json(&body);
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        tokens = Tokens::of(&answer.json());
        done.fetch_add(1, Ordering::Relaxed);
    }
    tokens
}

/// Moves every slot that has keys to the next master, with as much time at each step as some requests take.
fn move_all_slots(cluster: &RedisCluster, done: &AtomicUsize) {
    let goes_on = || {
        let before = done.load(Ordering::Relaxed);
        let passed = || (done.load(Ordering::Relaxed) > before + 5).then_some(());
        wait_for("requests that are answered", passed);
    };
    for (slot, from) in slots_in_use(cluster) {
        let on_its_way = cluster.start_move(slot, (from + 1) % 3);
        goes_on();
        while on_its_way.some_keys(1) > 0 {
            goes_on();
        }
        on_its_way.finish();
    }
}

/// Slots that have keys, with their masters.
fn slots_in_use(cluster: &RedisCluster) -> BTreeSet<(u16, usize)> {
    let of_node = |node: usize| {
        let server = &cluster.nodes[node];
        let keys = server.cli(&["KEYS", "*"]);
        let slot = |key: &str| server.cli(&["CLUSTER", "KEYSLOT", key]);
        let slots: Vec<u16> = keys
            .lines()
            .map(|key| slot(key).parse().expect("a slot"))
            .collect();
        slots.into_iter().map(move |slot| (slot, node))
    };
    (0..3).flat_map(of_node).collect()
}
