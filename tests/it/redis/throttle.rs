//! Limits of requests that gateways count together, and what becomes of them without Redis.

use std::time::Instant;

use super::{DEADLINE, is_back, open};
use crate::stage::{PHONE, Stage, redis::RedisServer};

const LIMITED: &str = "[[routes]]\npath = \"/\"\nlimits = [\"5/1h per subject shared\"]";

/// Two gateways that count together, with the same keys.
async fn two(redis: &RedisServer) -> [Stage; 2] {
    let url = format!("redis://{}", redis.address());
    let one = open(&url, DEADLINE, &[LIMITED]).await;
    let keys = one.dir.path().join("keys");
    let keys = format!("tokens.keys = \"{}\"", keys.display());
    let other = open(&url, DEADLINE, &[&keys, LIMITED]).await;
    [one, other]
}

#[tokio::test]
async fn many_gateways_let_through_no_more_than_one() {
    let redis = RedisServer::start();
    let [one, other] = two(&redis).await;
    let token = one.log_in(PHONE).await.access;
    let calls = (0..40).map(|nth| {
        let stage = if nth % 2 == 0 { &one } else { &other };
        tokio::spawn(stage.get("/").bearer(&token).send())
    });
    let mut passed = 0;
    for call in calls.collect::<Vec<_>>() {
        passed += usize::from(call.await.expect("no panic").status == 200);
    }
    assert_eq!(passed, 5);
    for stage in [&one, &other] {
        let refused = stage.get("/").bearer(&token).send().await;
        refused.is_refused(429, "rate_limited");
        assert_eq!(refused.json()["violated-policies"][0], "subject");
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((3500..=3600).contains(&wait), "{wait}");
        assert_eq!(stage.metric("rate_limits_unshared_total").await, 0);
    }
    let somebody = other.log_in("+14155550101").await.access;
    assert_eq!(one.get("/").bearer(&somebody).send().await.status, 200);
}

#[tokio::test]
async fn while_redis_is_gone_each_gateway_counts_for_itself_and_says_so() {
    let mut redis = RedisServer::start();
    let [one, other] = two(&redis).await;
    let token = one.log_in(PHONE).await.access;
    redis.kill();
    let mut passed = 0;
    for stage in [&one, &other] {
        for _ in 0..8 {
            let answer = stage.get("/").bearer(&token).send().await;
            if answer.status == 200 {
                passed += 1;
            } else {
                answer.is_refused(429, "rate_limited");
            }
        }
        assert_eq!(stage.metric("rate_limits_unshared_total").await, 8);
    }
    assert_eq!(passed, 10);
    redis.restart();
    // It has forgotten all, so five more fit, over both together.
    is_back(&one, Instant::now()).await;
    is_back(&other, Instant::now()).await;
    let mut passed = 0;
    for nth in 0..12 {
        let stage = if nth % 2 == 0 { &one } else { &other };
        passed += usize::from(stage.get("/").bearer(&token).send().await.status == 200);
    }
    assert_eq!(passed, 5);
}
