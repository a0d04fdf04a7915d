//! One Redis that is killed, frozen, full, emptied or busy: what stands still, what goes on, and how it comes back.

use std::time::Instant;

use serde_json::json;
use tokio::task::spawn_blocking;

use super::{beside, gateway, is_back, is_out, is_refused, passes, phone, sessions};
use crate::stage::{
    PHONE, Stage, Tokens,
    redis::{DURABLE, RedisServer, Reply, wait_for},
};

#[tokio::test]
async fn a_redis_that_is_killed_brings_back_all_that_was_acknowledged() {
    let mut redis = RedisServer::with(&DURABLE);
    let stage = gateway(&url(&redis)).await;
    let [kept, leaving] = two(&stage).await;
    let (waiting, limited) = (phone(), phone());
    stage.ask_for_code(&waiting).await;
    for _ in 0..2 {
        assert_eq!(stage.ask_for_code(&limited).await.status, 200);
    }
    redis.kill();
    is_out(&stage, &kept, &leaving).await;
    is_refused(stage.send_otp(&limited)).await;
    redis.restart();
    is_back(&stage, Instant::now()).await;

    // What did not happen took nothing away, and what happened stays.
    assert_eq!(stage.ask_for_code(&limited).await.status, 200);
    let refused = stage.ask_for_code(&limited).await;
    refused.is_refused(429, "rate_limited");
    let code = stage.inbox.code_for(&waiting).await;
    assert_eq!(stage.answer(&waiting, &code).await.status, 200);
    stage.answer(&waiting, &code).await.is_wrong_code(None);
    for tokens in [&kept, &leaving] {
        assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
    }
}

#[tokio::test]
async fn a_redis_that_is_frozen_holds_nobody_up_and_no_code_opens_two_sessions() {
    let redis = RedisServer::start();
    let stage = gateway(&url(&redis)).await;
    let [kept, leaving] = two(&stage).await;
    let (somebody, limited) = (phone(), phone());
    let before = stage.log_in(&somebody).await;
    for _ in 0..2 {
        assert_eq!(stage.ask_for_code(&limited).await.status, 200);
    }
    stage.ask_for_code(&somebody).await;
    let code = stage.inbox.nth_code_for(&somebody, 2).await;
    redis.freeze();
    // It may yet do this when it wakes up; nobody hears of it.
    is_refused(stage.verify_otp(&somebody, &code)).await;
    is_refused(stage.send_otp(&limited)).await;
    is_out(&stage, &kept, &leaving).await;
    redis.thaw();
    is_back(&stage, Instant::now()).await;

    let mut opened = 0;
    for _ in 0..3 {
        let answer = stage.answer(&somebody, &code).await;
        if answer.status == 200 {
            opened += 1;
        } else {
            answer.is_wrong_code(None);
        }
    }
    assert!(opened <= 1);
    // Whether the third one happened or not, there is no fourth.
    stage.ask_for_code(&limited).await;
    let refused = stage.ask_for_code(&limited).await;
    refused.is_refused(429, "rate_limited");
    stage.settle().await;
    assert!(stage.inbox.messages_to(&limited).len() <= 3);
    // Before, and the one that the code opened, whoever was told.
    assert_eq!(sessions(&stage, &before).await, 2);
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
    passes(&stage, &kept).await;
}

#[tokio::test]
async fn a_full_redis_does_nothing_half_and_keeps_who_is_there() {
    let redis = RedisServer::with(&["maxmemory-policy noeviction"]);
    let stage = gateway(&url(&redis)).await;
    let [kept, leaving] = two(&stage).await;
    let (waiting, late) = (phone(), phone());
    stage.ask_for_code(&waiting).await;
    let code = stage.inbox.code_for(&waiting).await;
    let memory = |size: &str| redis.cli(&["CONFIG", "SET", "maxmemory", size]);
    memory("1");
    let keys = redis.cli(&["DBSIZE"]);
    is_refused(stage.send_otp(&late)).await;
    is_refused(stage.verify_otp(&waiting, &code)).await;
    assert_eq!(redis.cli(&["DBSIZE"]), keys);
    assert_eq!(stage.operators("/ready").await.status, 503);
    // What takes the place of something goes on.
    passes(&stage, &kept).await;
    let kept = Tokens::of(&stage.refresh(&kept.refresh).await.json());
    let logout = stage.post("/api/auth/logout").bearer(&leaving.access);
    assert_eq!(logout.send().await.status, 204);
    let gone = stage.get("/orders").bearer(&leaving.access).send().await;
    gone.is_refused(401, "session_revoked");

    memory("0");
    is_back(&stage, Instant::now()).await;
    assert_eq!(stage.answer(&waiting, &code).await.status, 200);
    stage.answer(&waiting, &code).await.is_wrong_code(None);
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
    let refused = stage.refresh(&leaving.refresh).await;
    refused.is_refused(400, "invalid_grant");
    for _ in 0..3 {
        stage.receive_code(&late).await;
    }
    let refused = stage.ask_for_code(&late).await;
    refused.is_refused(429, "rate_limited");
    // The message that was refused never went out.
    assert_eq!(stage.inbox.messages_to(&late).len(), 3);
}

#[tokio::test]
async fn a_redis_that_only_reads_is_out_until_it_writes_again() {
    let redis = RedisServer::start();
    let stage = gateway(&url(&redis)).await;
    let [kept, _] = two(&stage).await;
    let waiting = phone();
    stage.ask_for_code(&waiting).await;
    let code = stage.inbox.code_for(&waiting).await;
    // Nobody is there to be copied, so that it keeps what it has.
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let body = json!({ "refresh_token": kept.refresh });
    is_refused(stage.send_otp(&phone())).await;
    is_refused(stage.verify_otp(&waiting, &code)).await;
    is_refused(stage.post("/api/auth/refresh").json(&body)).await;
    assert_eq!(stage.operators("/ready").await.status, 503);
    passes(&stage, &kept).await;
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    is_back(&stage, Instant::now()).await;
    assert_eq!(stage.answer(&waiting, &code).await.status, 200);
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_starts_without_its_redis_finds_it_later() {
    let mut redis = RedisServer::with(&DURABLE);
    let before = gateway(&url(&redis)).await;
    let kept = before.log_in(PHONE).await;
    redis.kill();
    let stage = beside(&before, &url(&redis)).await;
    is_out(&stage, &kept, &kept).await;
    redis.restart();
    is_back(&stage, Instant::now()).await;
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

#[tokio::test]
async fn a_redis_that_forgot_everything_begins_anew() {
    let mut redis = RedisServer::with(&DURABLE);
    let stage = gateway(&url(&redis)).await;
    let [lost, _] = two(&stage).await;
    let waiting = phone();
    stage.ask_for_code(&waiting).await;
    let code = stage.inbox.code_for(&waiting).await;
    redis.restart_empty();
    is_back(&stage, Instant::now()).await;

    stage.answer(&waiting, &code).await.is_wrong_code(None);
    let refused = stage.refresh(&lost.refresh).await;
    refused.is_refused(400, "invalid_grant");
    // Nobody revoked its token, which lives out its minutes.
    passes(&stage, &lost).await;
    let new = stage.log_in(PHONE).await;
    assert_eq!(sessions(&stage, &new).await, 1);
    assert_eq!(stage.refresh(&new.refresh).await.status, 200);
}

#[tokio::test]
async fn a_redis_that_is_busy_with_a_script_serves_again_when_that_is_killed() {
    let redis = RedisServer::with(&["lua-time-limit 100"]);
    let stage = gateway(&url(&redis)).await;
    let [kept, leaving] = two(&stage).await;
    let busy = redis.background(&["EVAL", "while true do end", "0"]);
    wait_for("a busy server", || {
        let refused = redis.ask(&["PING"]).ok()?.text();
        refused.starts_with("BUSY").then_some(())
    });
    is_out(&stage, &kept, &leaving).await;
    redis.cli(&["SCRIPT", "KILL"]);
    is_back(&stage, Instant::now()).await;
    let killed = spawn_blocking(move || busy.join()).await.expect("no panic");
    let killed = killed.expect("no panic").expect("an answer");
    assert!(matches!(killed, Reply::Error(_)), "{killed:?}");
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

fn url(redis: &RedisServer) -> String {
    format!("redis://{}", redis.address())
}

/// Two who are logged in.
async fn two(stage: &Stage) -> [Tokens; 2] {
    [stage.log_in(PHONE).await, stage.log_in(&phone()).await]
}
