//! The contract where keys are spread over several servers.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{embedded_stage, spec_at, stage_at};
use crate::{
    clock::Clock,
    domain::{
        delivery::HANDOVER,
        quota::{Bucket, Charge},
    },
    store::{
        Error, Spec, Store, Taking,
        contract::{
            self, ANN, BEGINNING, NAMES, OTP, Stage, UNGUARDED, account, charge, contract_in_turn,
            parcel, start,
        },
        redis::{group::Group, stage::RedisCluster},
    },
};

#[tokio::test]
async fn every_rule_holds_in_a_cluster() {
    let cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    let stage = async || stage_at(&url).await;
    contract_in_turn!(stage);
}

#[test]
fn in_a_cluster_all_answers_are_those_of_the_others() {
    let cluster = RedisCluster::start();
    let url = format!("redis+cluster://{}", cluster.addresses());
    contract::answers_are_those_of_the_model(20, async || stage_at(&url).await);
    contract::two_stores_answer_alike(20, embedded_stage, async || stage_at(&url).await);
}

/// A cluster that is asked through a store with so much patience.
async fn stage_with(cluster: &RedisCluster, patience: Duration) -> Stage {
    let url = format!("redis+cluster://{}", cluster.addresses());
    let clock = Clock::manual(BEGINNING);
    let spec = Spec {
        deadline: patience,
        ..spec_at(&url, "shop:")
    };
    Stage {
        store: Store::open(&spec, NAMES, clock.clone()).await.unwrap(),
        clock,
        _home: None,
    }
}

/// Limits of all that lie on the first, the second and the third master.
fn one_on_each(cluster: &RedisCluster, max: u32) -> [Charge; 3] {
    [0, 1, 2].map(|master| {
        let is_its = |byte: &u8| cluster.master_of(Group::new(*byte).slot()) == master;
        let bucket = (0..=u8::MAX).find(is_its).unwrap();
        charge(bucket, max, Duration::from_mins(30))
    })
}

/// How often any server was asked to run a script.
fn runs(cluster: &RedisCluster) -> u64 {
    let nodes = cluster.nodes.iter();
    let runs = nodes.filter_map(|node| node.info("cmdstat_evalsha"));
    runs.map(|line| {
        let calls = line.split(',').find_map(|word| word.strip_prefix("calls="));
        calls.unwrap().parse::<u64>().unwrap()
    })
    .sum()
}

#[tokio::test]
async fn a_send_asks_each_limit_once_and_the_account_twice_at_most() {
    let cluster = RedisCluster::start();
    let stage = stage_with(&cluster, Duration::from_secs(10)).await;
    let limits = one_on_each(&cluster, 9);
    let mut own = charge(0x77, 9, Duration::from_mins(30));
    own.bucket = own.bucket.beside(ANN);
    // Every script is loaded by now, on every server.
    let [first, second, third] = limits;
    assert!(stage.refusal(&[first, second, third, own]).await.is_none());
    for (charges, expected) in [
        (vec![], 1),
        (vec![own], 1),
        (vec![own, first, second, third], 5),
        (vec![first, second, third], 4),
    ] {
        let before = runs(&cluster);
        assert!(stage.refusal(&charges).await.is_none());
        assert_eq!(runs(&cluster) - before, expected, "{charges:?}");
    }
}

#[tokio::test]
async fn a_taking_asks_each_server_once_and_gives_back_only_where_another_one_refuses() {
    let cluster = RedisCluster::start();
    let stage = stage_with(&cluster, Duration::from_secs(10)).await;
    let [first, second, third] = one_on_each(&cluster, 9);
    let narrow = Charge {
        quota: charge(0, 1, Duration::from_mins(30)).quota,
        ..third
    };
    assert_eq!(stage.take(&[first, second, narrow]).await, Taking::Taken);
    // The second loads what gives back.
    let refused = Taking::Limited {
        charge: 2,
        wait: Duration::from_mins(30),
    };
    assert_eq!(stage.take(&[first, second, narrow]).await, refused);
    for (charges, expected) in [
        (vec![first], 1),
        (vec![first, first], 1),
        (vec![first, second], 2),
        (vec![first, second, narrow], 5),
    ] {
        let before = runs(&cluster);
        stage.take(&charges).await;
        assert_eq!(runs(&cluster) - before, expected, "{charges:?}");
    }
    // What was refused has taken nothing for good.
    for _ in 0..7 {
        assert_eq!(stage.take(&[second]).await, Taking::Taken);
    }
    assert_ne!(stage.take(&[second]).await, Taking::Taken);
}

/// Whichever server it is that falls silent: the answer comes in time, and the limits on the others
/// are as they were.
#[tokio::test]
async fn a_silent_server_costs_the_others_nothing() {
    // No replica takes over meanwhile.
    let cluster = RedisCluster::with(&["cluster-node-timeout 60000"]);
    let patience = Duration::from_secs(3);
    let limits = one_on_each(&cluster, 1);
    let stage = stage_with(&cluster, patience).await;
    for silent in 0..3 {
        let clock = Instant::now();
        let charges = limits.to_vec();
        cluster.nodes[silent].freeze();
        let sent =
            stage
                .store
                .start_challenge(ANN, start(1, 1), charges, UNGUARDED, *OTP, parcel());
        let error = sent.await.unwrap_err();
        cluster.nodes[silent].thaw();
        assert!(clock.elapsed() <= patience, "{:?}", clock.elapsed());
        assert!(
            matches!(error, Error::Timeout | Error::Unavailable(_)),
            "{error:?}"
        );
        for (node, limit) in limits
            .iter()
            .enumerate()
            .filter(|(node, _)| *node != silent)
        {
            assert!(stage.refusal(&[*limit]).await.is_none(), "{silent} {node}");
        }
        stage.clock.advance(Duration::from_mins(30));
    }
}

/// Whoever asks what is due hears at once of what lies elsewhere.
#[tokio::test]
async fn a_silent_server_hides_only_its_own_messages() {
    let cluster = RedisCluster::with(&["cluster-node-timeout 60000"]);
    let stage = stage_with(&cluster, Duration::from_secs(6)).await;
    let mut sent = Vec::new();
    for (limit, n) in one_on_each(&cluster, 1).into_iter().zip(0..) {
        let Bucket([byte, ..]) = limit.bucket;
        sent.push(stage.queue(account(byte), n).await.id);
    }
    stage.clock.advance(HANDOVER);
    let all: HashSet<_> = stage.due().await.into_iter().collect();
    assert_eq!(all, sent.iter().copied().collect());
    for (silent, hidden) in sent.iter().enumerate() {
        cluster.nodes[silent].freeze();
        let due = stage.store.due(9).await;
        cluster.nodes[silent].thaw();
        let due: Vec<_> = due.unwrap().into_iter().map(|(id, _)| id).collect();
        assert_eq!(due.len(), 2, "{due:?}");
        assert!(!due.contains(hidden));
    }
}
