//! The life of a code: sent, sent again, answered once, and burnt.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value, json};

use super::stage::{self, Answer, Ask, NUMBER, Stage, TEST_CODE, TEST_NUMBER};
use crate::{auth::Spec, domain::otp};

fn answer(number: &str, code: &str) -> Value {
    json!({ "mobile_number": number, "otp": code })
}

fn wrong(code: &str) -> String {
    let digits = code.parse::<u32>().unwrap();
    format!("{:06}", (digits + 1) % 1_000_000)
}

fn is_wrong(answer: &Answer) -> bool {
    answer.refusal() == (400, "invalid_otp".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_right_answers_at_once_exactly_one_opens_a_session() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let code = stage.code().await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let service = stage.service.clone();
            let request = Ask::post("/verify-otp", &answer(NUMBER, &code)).build();
            tokio::spawn(tower::ServiceExt::oneshot(service, request))
        })
        .collect();
    let mut opened = Vec::new();
    for task in tasks {
        let answer = Answer::read(task.await.unwrap().unwrap()).await;
        if answer.status == 200 {
            opened.push(answer.json());
        } else {
            assert!(is_wrong(&answer));
        }
    }
    assert_eq!(opened.len(), 1);
    let list = stage
        .ask(Ask::get("/sessions").bearer(&opened[0]["access_token"]))
        .await;
    assert_eq!(list.json()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(stage.metric("otp_answers_total{result=\"right\"}"), 1);
    assert_eq!(stage.metric("otp_answers_total{result=\"wrong\"}"), 99);
}

#[tokio::test]
async fn a_resend_sends_the_same_code_and_keeps_the_challenge() {
    let stage = Stage::new().await;
    let first = stage.send(NUMBER).await.json();
    stage.clock.advance(Duration::from_mins(4));
    let second = stage.send(NUMBER).await.json();
    assert_eq!(first["challenge_id"], second["challenge_id"]);
    let messages = stage.messages().await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], messages[1]);
    // Five minutes from the last send: the first one would be dead by now.
    stage.clock.advance(Duration::from_mins(4));
    assert_eq!(stage.verify(NUMBER, &messages[0].1).await.status, 200);
}

#[tokio::test]
async fn a_used_code_is_worthless_and_the_next_one_is_another() {
    let stage = Stage::with(
        Spec {
            limits: vec![],
            ..stage::spec()
        },
        64,
    )
    .await;
    let mut codes = HashSet::new();
    for _ in 0..10 {
        stage.login(NUMBER).await;
        let code = stage.code().await;
        assert!(is_wrong(&stage.verify(NUMBER, &code).await));
        codes.insert(code);
    }
    assert!(codes.len() > 5, "{codes:?}");
}

#[tokio::test]
async fn a_code_dies_five_minutes_after_it_was_sent() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let code = stage.code().await;
    stage.clock.advance(Duration::from_mins(5));
    assert!(is_wrong(&stage.verify(NUMBER, &code).await));
}

#[tokio::test]
async fn five_wrong_answers_burn_the_challenge_and_say_how_many_are_left() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let code = stage.code().await;
    for left in (0..5).rev() {
        let answer = stage.verify(NUMBER, &wrong(&code)).await;
        assert!(is_wrong(&answer));
        assert_eq!(answer.json()["attempts_left"], left);
    }
    assert!(is_wrong(&stage.verify(NUMBER, &code).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_wrong_answers_at_once_leave_no_more_than_five_judged() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let code = stage.code().await;
    let wrong = wrong(&code);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let service = stage.service.clone();
            let request = Ask::post("/verify-otp", &answer(NUMBER, &wrong)).build();
            tokio::spawn(tower::ServiceExt::oneshot(service, request))
        })
        .collect();
    let mut left = Vec::new();
    for task in tasks {
        let answer = Answer::read(task.await.unwrap().unwrap()).await;
        left.push(answer.json()["attempts_left"].as_u64().unwrap());
    }
    left.sort_unstable();
    assert_eq!(left[..96], [0; 96]);
    assert_eq!(left[96..], [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_stranger_with_another_challenge_or_none_cannot_burn_the_owners() {
    let stage = Stage::new().await;
    let sent = stage.send(NUMBER).await.json();
    let code = stage.code().await;
    let mut guess = answer(NUMBER, &wrong(&code));
    for challenge in [
        Value::Null,
        json!("f".repeat(32)),
        json!("nonsense"),
        json!(""),
    ] {
        guess["challenge_id"] = challenge;
        for _ in 0..5 {
            let ask = Ask::post("/verify-otp", &guess).client_at("198.51.100.7");
            let answer = stage.ask(ask).await;
            assert!(is_wrong(&answer));
            assert!(answer.json().get("attempts_left").is_none());
        }
    }
    let mut right = answer(NUMBER, &code);
    right["challenge_id"] = sent["challenge_id"].clone();
    let opened = stage.ask(Ask::post("/verify-otp", &right)).await;
    assert_eq!(opened.status, 200);
}

#[tokio::test]
async fn a_challenge_can_be_answered_from_another_network() {
    let stage = Stage::new().await;
    let sent = stage.send(NUMBER).await.json();
    let mut body = answer(NUMBER, &stage.code().await);
    body["challenge_id"] = sent["challenge_id"].clone();
    let ask = Ask::post("/verify-otp", &body).client_at("198.51.100.7");
    assert_eq!(stage.ask(ask).await.status, 200);
}

#[tokio::test]
async fn a_challenge_that_is_none_of_the_number_is_as_good_as_wrong() {
    let spec = stage::spec();
    let spec = Spec {
        otp: otp::Policy {
            require_challenge: true,
            ..spec.otp
        },
        ..spec
    };
    let stage = Stage::with(spec, 64).await;
    let sent = stage.send(NUMBER).await.json();
    let code = stage.code().await;
    let mut body = answer(NUMBER, &code);
    for challenge in [Value::Null, json!("nonsense"), json!("0".repeat(32))] {
        body["challenge_id"] = challenge;
        assert!(is_wrong(&stage.ask(Ask::post("/verify-otp", &body)).await));
    }
    body["challenge_id"] = sent["challenge_id"].clone();
    assert_eq!(stage.ask(Ask::post("/verify-otp", &body)).await.status, 200);
}

#[tokio::test]
async fn the_code_of_one_phone_opens_no_other() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let code = stage.code().await;
    stage.send("+16502530001").await;
    assert!(is_wrong(&stage.verify("+16502530001", &code).await));
}

#[tokio::test]
async fn wrong_expired_used_and_never_sent_are_one_answer() {
    let stage = Stage::new().await;
    // Known by no challenge of this client: asked for elsewhere, or never.
    let ask = Ask::post("/send-otp", &json!({ "mobile_number": NUMBER })).client_at("198.51.100.7");
    assert_eq!(stage.ask(ask).await.status, 200);
    let sent = stage.verify(NUMBER, "000000").await;
    let never = stage.verify("+16502530001", "000000").await;
    let unserved = stage.verify("+37410123456", "000000").await;
    assert!(is_wrong(&sent));
    for answer in [never, unserved] {
        assert_eq!(answer.body, sent.body);
        assert_eq!(answer.headers, sent.headers);
    }
}

#[tokio::test]
async fn a_test_number_is_answered_like_any_other_and_nothing_is_sent() {
    let stage = Stage::new().await;
    let known = stage.send(NUMBER).await;
    let test = stage.send(TEST_NUMBER).await;
    assert_eq!(test.status, known.status);
    let shape = |answer: &Answer| -> Vec<String> {
        answer.json().as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(shape(&test), shape(&known));
    assert_eq!(stage.messages().await.len(), 1);
    assert!(is_wrong(
        &stage.verify(TEST_NUMBER, &wrong(TEST_CODE)).await
    ));
    assert_eq!(stage.verify(TEST_NUMBER, TEST_CODE).await.status, 200);
    // It is used up like any code.
    assert!(is_wrong(&stage.verify(TEST_NUMBER, TEST_CODE).await));
    assert_eq!(stage.metric("otp_sends_total{result=\"test_number\"}"), 1);
}

#[tokio::test]
async fn a_test_number_is_limited_like_any_other() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        assert_eq!(stage.send(TEST_NUMBER).await.status, 200);
    }
    assert_eq!(stage.send(TEST_NUMBER).await.refusal().0, 429);
}

#[tokio::test]
async fn an_expired_test_number_is_a_number_like_any_other() {
    let stage = Stage::new().await;
    stage.clock.advance(Duration::from_hours(24));
    assert_eq!(stage.send(TEST_NUMBER).await.status, 200);
    let messages = stage.messages().await;
    assert_eq!(messages[0].0, TEST_NUMBER);
    let right = messages[0].1.clone();
    assert!(is_wrong(&stage.verify(TEST_NUMBER, TEST_CODE).await));
    assert_eq!(stage.verify(TEST_NUMBER, &right).await.status, 200);
}

#[tokio::test]
async fn each_step_to_another_master_secret_leaves_codes_in_flight_right() {
    let mut stage = Stage::new().await;
    for (before, after) in [([1, 2], [2, 1]), ([2, 1], [1, 2])] {
        stage.restart(&before);
        let sent = stage.send(NUMBER).await.json();
        let code = stage.code().await;
        stage.restart(&after);
        let again = stage.send(NUMBER).await.json();
        assert_eq!(sent["challenge_id"], again["challenge_id"]);
        assert_eq!(stage.code().await, code);
        assert_eq!(stage.verify(NUMBER, &code).await.status, 200);
        stage.clock.advance(Duration::from_mins(30));
    }
}

#[tokio::test]
async fn in_place_of_a_code_whose_secret_is_gone_another_one_is_sent() {
    let mut stage = Stage::new().await;
    let first = stage.send(NUMBER).await.json();
    let lost = stage.code().await;
    stage.restart(&[2]);
    assert!(is_wrong(&stage.verify(NUMBER, &lost).await));
    let second = stage.send(NUMBER).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.json()["challenge_id"], first["challenge_id"]);
    let code = stage.code().await;
    assert_ne!(code, lost);
    assert!(is_wrong(&stage.verify(NUMBER, &lost).await));
    assert_eq!(stage.verify(NUMBER, &code).await.status, 200);
}
