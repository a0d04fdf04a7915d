//! A cluster whose slots move and whose masters fail.

use std::collections::BTreeSet;

use redis::Value;
use tokio::time::timeout;

use super::{DEADLINE, count_in, count_until_it_works, link};
use crate::store::{
    Error,
    redis::{
        group::Group,
        stage::{Cut, Cutter, RedisCluster, wait_for},
    },
};

fn url(stage: &RedisCluster) -> String {
    format!("redis+cluster://{}", stage.addresses())
}

/// Another of the first three masters than `node`.
const fn another(node: usize) -> usize {
    (node + 1) % 3
}

#[tokio::test]
async fn every_group_is_found_on_its_master() {
    let stage = RedisCluster::start();
    let link = link(&url(&stage)).await;
    assert!(!link.is_one_server());
    for byte in 0..=u8::MAX {
        assert_eq!(count_in(&link, byte).await, Ok(Value::Int(1)), "{byte}");
    }
    let keys = |node: usize| -> usize {
        let size = stage.nodes[node].cli(&["DBSIZE"]);
        size.parse().expect("a number")
    };
    assert_eq!(keys(0) + keys(1) + keys(2), Group::COUNT);
    assert!((0..3).all(|node| keys(node) > 0));
    let masters = link.masters().await.expect("masters");
    let masters: BTreeSet<_> = masters.iter().map(ToString::to_string).collect();
    let nodes = stage.nodes.iter().take(3);
    let nodes = nodes.map(|node| node.address().to_string()).collect();
    assert_eq!(masters, nodes);
}

#[tokio::test]
async fn one_seed_is_enough() {
    let stage = RedisCluster::start();
    let seed = stage.nodes[4].address();
    let link = link(&format!("redis+cluster://127.0.0.1:1,{seed}")).await;
    for byte in [0, 1, 2, 3] {
        assert!(count_in(&link, byte).await.is_ok());
    }
}

#[tokio::test]
async fn a_slot_may_move_while_it_is_used() {
    let stage = RedisCluster::start();
    let link = link(&url(&stage)).await;
    let group = Group::new(0x2a);
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(1)));
    let from = stage.master_of(group.slot());
    let on_its_way = stage.start_move(group.slot(), another(from));
    // The key is still there.
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(2)));
    assert_eq!(on_its_way.some_keys(10), 1);
    // Now the old master sends us to the new one, for this once.
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(3)));
    stage.nodes[another(from)].cli(&["SCRIPT", "FLUSH"]);
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(4)));
    on_its_way.finish();
    // And now for good.
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(5)));
    let commands = |node: usize| stage.nodes[node].info("cmdstat_evalsha");
    let before = commands(from);
    assert_eq!(count_in(&link, 0x2a).await, Ok(Value::Int(6)));
    assert_eq!(commands(from), before, "the old master is not asked again");
}

#[tokio::test]
async fn the_replica_of_a_dead_master_is_found_and_the_others_never_missed() {
    let mut stage = RedisCluster::start();
    let link = link(&url(&stage)).await;
    for byte in 0..=u8::MAX {
        assert!(count_in(&link, byte).await.is_ok());
    }
    let lost = Group::new(7);
    let dead = stage.kill_master_of(lost.slot());
    let successor = dead + 3;
    let has_taken_over = || stage.nodes[successor].info("role") == Some("master".to_owned());
    while !has_taken_over() {
        drop(count_in(&link, 7).await);
    }
    stage.is_whole();
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 7));
    back.await.expect("within two seconds of the failover");
    for byte in 0..=u8::MAX {
        assert!(count_in(&link, byte).await.is_ok(), "{byte}");
    }
    // It comes back as a replica, and is no trouble.
    stage.nodes[dead].restart();
    stage.is_whole();
    for byte in 0..=u8::MAX {
        assert!(count_in(&link, byte).await.is_ok(), "{byte}");
    }
}

#[tokio::test]
async fn a_frozen_master_gives_way_to_its_replica() {
    let stage = RedisCluster::start();
    let link = link(&url(&stage)).await;
    assert!(count_in(&link, 7).await.is_ok());
    let frozen = stage.master_of(Group::new(7).slot());
    stage.nodes[frozen].freeze();
    let successor = &stage.nodes[frozen + 3];
    while successor.info("role") != Some("master".to_owned()) {
        drop(count_in(&link, 7).await);
    }
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 7));
    back.await.expect("within two seconds of the failover");
    stage.nodes[frozen].thaw();
    for _ in 0..20 {
        assert!(count_in(&link, 7).await.is_ok());
    }
}

#[tokio::test]
async fn in_a_cluster_too_a_lost_answer_is_not_asked_for_again() {
    let stage = RedisCluster::start();
    let group = Group::new(9);
    let master = &stage.nodes[stage.master_of(group.slot())];
    let cutter = Cutter::before(master.address());
    let port = cutter.address().port().to_string();
    master.cli(&["CONFIG", "SET", "cluster-announce-port", &port]);
    for node in &stage.nodes {
        wait_for("the cutter's port to be known", || {
            let known = node
                .cli(&["CLUSTER", "NODES"])
                .contains(&format!(":{port}@"));
            known.then_some(())
        });
    }
    let link = link(&url(&stage)).await;
    assert_eq!(count_in(&link, 9).await, Ok(Value::Int(1)));
    for (cut, expected) in [(Cut::BeforeReply, 3), (Cut::InReply, 5)] {
        cutter.cut_next("EVALSHA", cut);
        let answer = count_in(&link, 9).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        assert_eq!(count_in(&link, 9).await, Ok(Value::Int(expected)));
    }
}
