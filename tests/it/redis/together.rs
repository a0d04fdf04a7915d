//! Two gateways on one Redis: what one of them did, the other knows.

use std::{collections::HashSet, time::Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{RECOVERY, SLACK, beside, gateway, passes, sessions, until};
use crate::stage::{
    PHONE, Stage, Tokens,
    client::{Answer, Call},
    inbox::wrong_for,
    jwt,
    redis::{Cutter, RedisServer, Weather},
};

/// Requests at once, half of them to each.
const MANY: usize = 60;

#[tokio::test]
async fn a_code_that_one_gateway_sent_is_right_at_the_other_and_once() {
    let (_redis, [a, b]) = two_gateways().await;
    a.ask_for_code(PHONE).await;
    let code = a.inbox.code_for(PHONE).await;
    let wrong = b.answer(PHONE, &wrong_for(&code)).await;
    wrong.is_wrong_code(Some(4));
    let tokens = Tokens::of(&b.answer(PHONE, &code).await.json());
    a.answer(PHONE, &code).await.is_wrong_code(None);
    passes(&a, &tokens).await;
    // A resend at the other one is one of the same code.
    let sent = a.receive_code(PHONE).await;
    let resent = b.receive_code(PHONE).await;
    assert_eq!(sent, resent);
    let again = Tokens::of(&a.answer(PHONE, &sent).await.json());
    assert_eq!(
        jwt::claims(&tokens.access)["sub"],
        jwt::claims(&again.access)["sub"]
    );
    assert_eq!(sessions(&b, &again).await, 2);
}

#[tokio::test]
async fn of_many_right_answers_at_both_one_opens_a_session() {
    let (_redis, both) = two_gateways().await;
    both[0].ask_for_code(PHONE).await;
    let code = both[0].inbox.code_for(PHONE).await;
    let answers = at_once(&both, |gateway| gateway.verify_otp(PHONE, &code)).await;
    let right: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(right.len(), 1);
    let tokens = Tokens::of(&right[0].json());
    assert_eq!(sessions(&both[1], &tokens).await, 1);
}

#[tokio::test]
async fn of_many_requests_for_a_code_at_both_three_are_answered_with_one() {
    let (_redis, both) = two_gateways().await;
    let answers = at_once(&both, |gateway| gateway.send_otp(PHONE)).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        3
    );
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.is_refused(429, "rate_limited");
    }
}

#[tokio::test]
async fn of_many_equal_requests_at_both_one_is_sent_and_all_are_answered_alike() {
    let (_redis, both) = two_gateways().await;
    let named = |gateway: &Stage| gateway.send_otp(PHONE).header("idempotency-key", "once");
    let answers = at_once(&both, named).await;
    let challenges: HashSet<String> = answers.iter().map(Answer::challenge).collect();
    assert_eq!(challenges.len(), 1);
    let mut sent = 0;
    for gateway in &both {
        sent += gateway.metric("otp_sends_total{result=\"sent\"}").await;
    }
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn many_refreshes_at_both_have_one_successor() {
    let (_redis, both) = two_gateways().await;
    let tokens = both[0].log_in(PHONE).await;
    let body = json!({ "refresh_token": tokens.refresh });
    let refresh = |gateway: &Stage| gateway.post("/api/auth/refresh").json(&body);
    let answers = at_once(&both, refresh).await;
    let successor = |answer: &Answer| Tokens::of(&answer.json()).refresh;
    let successors: HashSet<String> = answers.iter().map(successor).collect();
    assert_eq!(successors.len(), 1);
    for successor in successors {
        assert_eq!(both[1].refresh(&successor).await.status, 200);
    }
}

#[tokio::test]
async fn a_logout_at_one_gateway_stops_the_token_at_the_other() {
    let (_redis, [a, b]) = two_gateways().await;
    let [gone, kept] = [a.log_in(PHONE).await, b.log_in(PHONE).await];
    passes(&b, &gone).await;
    let logout = a.post("/api/auth/logout").bearer(&gone.access);
    assert_eq!(logout.send().await.status, 204);
    let since = Instant::now();
    let orders = || b.get("/orders").bearer(&gone.access).send();
    until(|| async { orders().await.status == 401 }).await;
    assert!(since.elapsed() < SLACK, "{:?}", since.elapsed());
    orders().await.is_refused(401, "session_revoked");
    passes(&b, &kept).await;
}

#[tokio::test]
async fn a_logout_while_one_gateway_heard_nothing_is_known_when_it_hears_again() {
    let (redis, a) = one_gateway().await;
    let line = Cutter::before(redis.address());
    let b = beside(&a, &format!("redis://{}", line.address())).await;
    let gone = a.log_in(PHONE).await;
    passes(&b, &gone).await;
    line.set(Weather::Silent);
    let logout = a.post("/api/auth/logout").bearer(&gone.access);
    assert_eq!(logout.send().await.status, 204);
    // It knows that it may not know.
    until(|| async { b.operators("/ready").await.json()["revocations"] == "stale" }).await;
    passes(&b, &gone).await;
    line.set(Weather::Clear);
    let since = Instant::now();
    until(|| async { b.operators("/ready").await.json()["revocations"] == "fresh" }).await;
    assert!(since.elapsed() < RECOVERY + SLACK, "{:?}", since.elapsed());
    let refused = b.get("/orders").bearer(&gone.access).send().await;
    refused.is_refused(401, "session_revoked");
}

async fn one_gateway() -> (RedisServer, Stage) {
    let redis = RedisServer::start();
    let stage = gateway(&format!("redis://{}", redis.address())).await;
    (redis, stage)
}

async fn two_gateways() -> (RedisServer, [Stage; 2]) {
    let (redis, a) = one_gateway().await;
    let b = beside(&a, &format!("redis://{}", redis.address())).await;
    (redis, [a, b])
}

async fn at_once(gateways: &[Stage; 2], call: impl Fn(&Stage) -> Call) -> Vec<Answer> {
    let mut answers = JoinSet::new();
    for gateway in gateways.iter().cycle().take(MANY) {
        answers.spawn(call(gateway).send());
    }
    answers.join_all().await
}
