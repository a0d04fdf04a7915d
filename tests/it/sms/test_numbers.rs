//! Test numbers that are for some networks only: the others learn nothing, get nothing, and get nowhere.

use serde_json::json;

use crate::stage::{BEHIND_A_PROXY, Stage, client::Answer};

const TESTED: &str = "+15550001111";
const INSIDE: &str = "17.1.2.3";
const OUTSIDE: &str = "192.0.2.7";

async fn stage() -> Stage {
    Stage::with(&[
        BEHIND_A_PROXY,
        "[[otp.test_numbers]]\nnumber = \"+15550001111\"\ncode = \"123456\"\nuntil = 2030-03-18\n\
         networks = [\"17.0.0.0/8\", \"2001:db8::/32\"]",
    ])
    .await
}

async fn asks(stage: &Stage, ip: &str) -> Answer {
    stage.send_otp(TESTED).sent_from(ip).send().await
}

async fn answers(stage: &Stage, ip: &str, code: &str) -> Answer {
    stage.verify_otp(TESTED, code).sent_from(ip).send().await
}

#[tokio::test]
async fn the_code_of_a_test_number_is_accepted_from_its_networks_alone() {
    let stage = stage().await;
    for ip in [INSIDE, "2001:db8::7"] {
        assert_eq!(asks(&stage, ip).await.status, 200);
        assert_eq!(answers(&stage, ip, "123456").await.status, 200, "{ip}");
    }
    assert_eq!(asks(&stage, OUTSIDE).await.status, 200);
    let refused = answers(&stage, OUTSIDE, "123456").await;
    refused.is_refused(400, "invalid_otp");
}

#[tokio::test]
async fn from_elsewhere_a_test_number_looks_like_any_other_and_gets_nothing() {
    let stage = stage().await;
    let plain = |answer: &Answer| {
        let mut body = answer.json();
        body["challenge_id"] = json!("");
        (answer.status, body)
    };
    let inside = asks(&stage, INSIDE).await;
    let outside = asks(&stage, OUTSIDE).await;
    assert_eq!(plain(&inside), plain(&outside));
    // The right code and a wrong one are the same there.
    let right = answers(&stage, OUTSIDE, "123456").await;
    let wrong = answers(&stage, OUTSIDE, "654321").await;
    assert_eq!(right.json()["attempts_left"], 4);
    assert_eq!(wrong.json()["attempts_left"], 3);
    stage.settle().await;
    assert!(stage.inbox.messages_to(TESTED).is_empty());
}

#[tokio::test]
async fn whoever_asks_from_elsewhere_does_not_keep_the_reviewer_out() {
    let stage = stage().await;
    assert_eq!(asks(&stage, OUTSIDE).await.status, 200);
    for _ in 0..6 {
        answers(&stage, OUTSIDE, "123456").await;
    }
    assert_eq!(asks(&stage, INSIDE).await.status, 200);
    assert_eq!(answers(&stage, INSIDE, "123456").await.status, 200);
}
