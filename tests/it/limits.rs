//! How many codes are sent at most, in any window of any position, and what who asks too often is told.

use std::time::Duration;

use serde_json::json;

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage,
    client::{Answer, Call},
    just_before,
};

const MINUTE: Duration = Duration::from_mins(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test]
async fn the_fourth_code_within_half_an_hour_is_refused_and_says_until_when() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.receive_code(PHONE).await;
    }
    stage.pass(MINUTE * 10 + MILLISECOND);
    let refused = stage.ask_for_code(PHONE).await;
    is_limited(&refused, "phone");
    // Rounded up: who comes back then must not be sent away again.
    assert_eq!(refused.header("retry-after"), "1200");
    assert_eq!(refused.header("ratelimit-policy"), "\"phone\";q=3;w=1800");
    assert_eq!(refused.header("ratelimit"), "\"phone\";r=0;t=1200");
    assert_eq!(refused.json()["retry_after"], 1200);
    stage.settle().await;
    assert_eq!(stage.inbox.messages_to(PHONE).len(), 3);
    assert_eq!(stage.metric("otp_sends_total{result=\"limited\"}").await, 1);
}

#[tokio::test]
async fn no_window_of_half_an_hour_holds_more_than_three_codes() {
    let stage = Stage::new().await;
    let mut sent_at: Vec<u64> = Vec::new();
    // Bursts that a counter per fixed half hour, or one that forgets early, would let through.
    for wait in [
        0, 1, 599_999, 1_199_999, 1, 1, 0, 600_000, 1_199_999, 1, 1_800_000, 0, 0, 0,
    ] {
        stage.pass(MILLISECOND * wait);
        let now = stage.clock.now().as_millis();
        let fits = sent_at.iter().filter(|at| now - **at < 1_800_000).count() < 3;
        let answer = stage.ask_for_code(PHONE).await;
        assert_eq!(answer.status == 200, fits, "at {now} after {sent_at:?}");
        if fits {
            sent_at.push(now);
            stage.inbox.nth_code_for(PHONE, sent_at.len()).await;
        }
    }
    assert!(sent_at.len() > 8, "the scenario tries little: {sent_at:?}");
    stage.settle().await;
    assert_eq!(stage.inbox.messages_to(PHONE).len(), sent_at.len());
}

#[tokio::test]
async fn a_place_becomes_free_at_the_very_millisecond() {
    let stage = Stage::new().await;
    for wait in [Duration::ZERO, MILLISECOND, MILLISECOND] {
        stage.pass(wait);
        assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    }
    stage.pass(just_before(MINUTE * 30).saturating_sub(MILLISECOND * 2));
    let refused = stage.ask_for_code(PHONE).await;
    is_limited(&refused, "phone");
    assert_eq!(refused.header("retry-after"), "1");
    stage.pass(MILLISECOND);
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    // The second one of the three still counts for a millisecond.
    is_limited(&stage.ask_for_code(PHONE).await, "phone");
    stage.pass(MILLISECOND);
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
}

#[tokio::test]
async fn being_refused_does_not_prolong_the_wait() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.ask_for_code(PHONE).await;
    }
    for _ in 0..29 {
        stage.pass(MINUTE);
        is_limited(&stage.ask_for_code(PHONE).await, "phone");
    }
    stage.pass(MINUTE);
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
}

#[tokio::test]
async fn an_address_may_ask_twenty_times_an_hour() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    for number in 0..20 {
        let answer = ask(&stage, number).sent_from("203.0.113.7").send().await;
        assert_eq!(answer.status, 200, "{number}");
    }
    let refused = ask(&stage, 20).sent_from("203.0.113.7").send().await;
    is_limited(&refused, "ip");
    assert_eq!(refused.header("ratelimit-policy"), "\"ip\";q=20;w=3600");
    assert_eq!(refused.header("retry-after"), "3600");
    // Written in another way it is still the same address, and its neighbour another one.
    for same in [
        "::ffff:203.0.113.7",
        "203.0.113.7:4711",
        "[::ffff:cb00:7107]:1",
    ] {
        let answer = ask(&stage, 20).sent_from(same).send().await;
        is_limited(&answer, "ip");
    }
    let answer = ask(&stage, 20).sent_from("203.0.113.8").send().await;
    assert_eq!(answer.status, 200);
    stage.pass(MINUTE * 60);
    let answer = ask(&stage, 21).sent_from("203.0.113.7").send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_subscriber_of_ipv6_is_one_address_however_many_it_has() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    for number in 0..20 {
        let ip = format!("2001:db8:1:2:{number:x}::{number:x}");
        let answer = ask(&stage, number).sent_from(&ip).send().await;
        assert_eq!(answer.status, 200, "{number}");
    }
    let refused = ask(&stage, 20).sent_from("2001:db8:1:2:ffff:ffff:ffff:ffff");
    is_limited(&refused.send().await, "ip");
    let neighbour = ask(&stage, 20).sent_from("2001:db8:1:3::1").send().await;
    assert_eq!(neighbour.status, 200);
}

#[tokio::test]
async fn nobody_gets_a_new_address_by_claiming_one() {
    let stage = Stage::new().await;
    for number in 0..20 {
        let ip = format!("203.0.113.{number}");
        let claiming = ask(&stage, number)
            .sent_from(&ip)
            .header("x-real-ip", &ip)
            .header("forwarded", &format!("for={ip}"));
        assert_eq!(claiming.send().await.status, 200);
    }
    let refused = ask(&stage, 20).sent_from("203.0.113.99").send().await;
    is_limited(&refused, "ip");
}

#[tokio::test]
async fn what_a_client_writes_in_front_of_the_proxys_word_is_not_believed() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    for number in 0..20 {
        let chain = format!("6.6.6.{number}, 203.0.113.7");
        let answer = ask(&stage, number).sent_from(&chain).send().await;
        assert_eq!(answer.status, 200);
    }
    let chain = ask(&stage, 20)
        .sent_from("6.6.6.99")
        .sent_from("203.0.113.7");
    is_limited(&chain.send().await, "ip");
}

#[tokio::test]
async fn countries_have_a_budget_and_so_has_everything_together() {
    let stage = Stage::with(&[
        "otp.countries = \"*\"",
        "otp.limits = [\"2/1h per country\", \"3/1d per all\"]",
    ])
    .await;
    for number in 0..2 {
        assert_eq!(ask(&stage, number).send().await.status, 200);
    }
    let refused = ask(&stage, 2).send().await;
    is_limited(&refused, "country");
    assert_eq!(refused.header("ratelimit-policy"), "\"country\";q=2;w=3600");
    assert_eq!(stage.ask_for_code("+442070313000").await.status, 200);
    let refused = stage.ask_for_code("+4930901820").await;
    is_limited(&refused, "all");
    assert_eq!(refused.header("retry-after"), "86400");
}

#[tokio::test]
async fn a_send_that_one_limit_refuses_takes_nothing_from_the_others() {
    let stage = Stage::with(&[
        BEHIND_A_PROXY,
        "otp.limits = [\"1/30m per phone\", \"3/1h per ip\", \"5/1h per all\"]",
    ])
    .await;
    let from = |number, ip: &str| ask(&stage, number).sent_from(ip).send();
    assert_eq!(from(0, "203.0.113.1").await.status, 200);
    for _ in 0..10 {
        is_limited(&from(0, "203.0.113.1").await, "phone");
    }
    // The address has two more of its three all the same.
    assert_eq!(from(1, "203.0.113.1").await.status, 200);
    assert_eq!(from(2, "203.0.113.1").await.status, 200);
    for _ in 0..10 {
        is_limited(&from(3, "203.0.113.1").await, "ip");
    }
    // The number that was refused with its address still has its one, and the whole its five.
    assert_eq!(from(3, "203.0.113.2").await.status, 200);
    assert_eq!(from(4, "203.0.113.2").await.status, 200);
    is_limited(&from(5, "203.0.113.2").await, "all");
}

#[tokio::test]
async fn of_several_limits_the_one_with_the_longest_wait_is_named() {
    let stage =
        Stage::with(&["otp.limits = [\"1/1m per phone\", \"1/1h per ip\", \"1/5m per all\"]"]);
    let stage = stage.await;
    stage.ask_for_code(PHONE).await;
    let refused = stage.ask_for_code(PHONE).await;
    is_limited(&refused, "ip");
    assert_eq!(refused.header("retry-after"), "3600");
}

#[tokio::test]
async fn a_pause_between_two_messages_can_be_forced() {
    let stage = Stage::with(&["otp.resend_after = \"45s\"", "otp.resend_in = \"30s\""]).await;
    let first = stage.ask_for_code(PHONE).await;
    // A client is never told to come back earlier than it may.
    assert_eq!(first.json()["resend_in"], 45);
    stage.pass(just_before(Duration::from_secs(45)));
    let refused = stage.ask_for_code(PHONE).await;
    is_limited(&refused, "phone");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit-policy"), "\"phone\";q=1;w=45");
    stage.pass(MILLISECOND);
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
}

#[tokio::test]
async fn the_code_that_was_sent_is_still_good_when_no_other_is() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.ask_for_code(PHONE).await;
    }
    is_limited(&stage.ask_for_code(PHONE).await, "phone");
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    // To have logged in does not give sends back.
    is_limited(&stage.ask_for_code(PHONE).await, "phone");
}

/// A request for a code to one of a hundred numbers.
fn ask(stage: &Stage, number: u32) -> Call {
    stage.send_otp(&format!("+141555501{number:02}"))
}

#[track_caller]
fn is_limited(answer: &Answer, policy: &str) {
    answer.is_refused(429, "rate_limited");
    assert_eq!(answer.json()["violated-policies"], json!([policy]));
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(!answer.header(header).is_empty());
    }
}
