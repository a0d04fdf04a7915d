//! How many codes are sent at most, to whom, and what the refused are told.

use std::time::Duration;

use serde_json::json;

use super::stage::{self, Answer, Ask, NUMBER, Stage, limit};
use crate::{auth::Spec, domain::quota::Per};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_requests_at_once_three_send_a_message() {
    let spec = Spec {
        limits: vec![limit(3, Duration::from_mins(30), Per::Phone)],
        ..stage::spec()
    };
    let stage = Stage::with(spec, 200).await;
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let service = stage.service.clone();
            let ask = Ask::post("/send-otp", &json!({ "mobile_number": NUMBER }));
            let request = ask.client_at(&format!("198.51.100.{n}")).build();
            tokio::spawn(tower::ServiceExt::oneshot(service, request))
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        let answer = Answer::read(task.await.unwrap().unwrap()).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 97);
    assert_eq!(stage.messages().await.len(), 3);
    assert_eq!(stage.metric("otp_sends_total{result=\"sent\"}"), 3);
    assert_eq!(stage.metric("otp_sends_total{result=\"limited\"}"), 97);
}

#[tokio::test]
async fn the_fourth_send_is_told_when_it_may_come_back_and_then_it_may() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        assert_eq!(stage.send(NUMBER).await.status, 200);
        stage.clock.advance(Duration::from_mins(1));
    }
    let answer = stage.send(NUMBER).await;
    assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1620");
    assert_eq!(answer.headers["ratelimit-policy"], "\"phone\";q=3;w=1800");
    assert_eq!(answer.headers["ratelimit"], "\"phone\";r=0;t=1620");
    assert_eq!(answer.json()["violated-policies"], json!(["phone"]));
    stage.clock.advance(Duration::from_secs(1619));
    assert_eq!(stage.send(NUMBER).await.status, 429);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.send(NUMBER).await.status, 200);
}

#[tokio::test]
async fn a_client_is_counted_over_all_numbers_by_its_network() {
    let spec = Spec {
        limits: vec![limit(2, Duration::from_hours(1), Per::Ip)],
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    let send = |number: &str, ip: &str| {
        let ask = Ask::post("/send-otp", &json!({ "mobile_number": number }));
        stage.ask(ask.client_at(ip))
    };
    assert_eq!(send("+16502530000", "2001:db8::1").await.status, 200);
    assert_eq!(send("+16502530001", "2001:db8::2").await.status, 200);
    let refused = send("+16502530002", "2001:db8::ffff").await;
    assert_eq!(refused.json()["violated-policies"], json!(["ip"]));
    assert_eq!(send("+16502530002", "2001:db8:0:1::1").await.status, 200);
}

#[tokio::test]
async fn a_send_that_one_limit_refuses_takes_nothing_from_the_others() {
    let spec = Spec {
        limits: vec![
            limit(3, Duration::from_hours(1), Per::All),
            limit(1, Duration::from_mins(10), Per::Phone),
        ],
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    assert_eq!(stage.send("+16502530000").await.status, 200);
    for _ in 0..5 {
        let refused = stage.send("+16502530000").await;
        assert_eq!(refused.json()["violated-policies"], json!(["phone"]));
    }
    assert_eq!(stage.send("+16502530001").await.status, 200);
    assert_eq!(stage.send("+16502530002").await.status, 200);
    let refused = stage.send("+16502530003").await;
    assert_eq!(refused.json()["violated-policies"], json!(["all"]));
}

#[tokio::test]
async fn the_limits_of_a_country_are_its_own() {
    let spec = Spec {
        limits: vec![limit(1, Duration::from_hours(1), Per::Country)],
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    assert_eq!(stage.send("+16502530000").await.status, 200);
    let refused = stage.send("+16502530001").await;
    assert_eq!(refused.json()["violated-policies"], json!(["country"]));
    assert_eq!(stage.send("+442070313000").await.status, 200);
}

#[tokio::test]
async fn a_full_house_is_told_before_anything_is_counted_or_stored() {
    let spec = Spec {
        limits: vec![limit(1, Duration::from_hours(1), Per::Phone)],
        ..stage::spec()
    };
    let stage = Stage::with(spec, 1).await;
    let held = stage.courier.reserve().unwrap();
    let answer = stage.send(NUMBER).await;
    assert_eq!(answer.refusal(), (503, "overloaded".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    // A test number tells no other tale.
    let answer = stage.send(stage::TEST_NUMBER).await;
    assert_eq!(answer.refusal(), (503, "overloaded".to_owned()));
    drop(held);
    assert_eq!(stage.send(NUMBER).await.status, 200);
    assert_eq!(stage.metric("otp_sends_total{result=\"overloaded\"}"), 2);
}
