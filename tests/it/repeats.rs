//! The same request for a code, once more: by clients that heard no answer, and by people who tap twice.

use std::collections::HashSet;

use serde_json::json;

use crate::{
    races::at_once,
    stage::{
        BEHIND_A_PROXY, PHONE, Stage,
        browser::{Browser, Form},
        client::Call,
    },
};

const KEY: &str = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

fn named(stage: &Stage, phone: &str) -> Call {
    stage.send_otp(phone).header("idempotency-key", KEY)
}

#[tokio::test]
async fn of_a_hundred_equal_requests_one_is_sent_and_all_are_answered_alike() {
    let stage = Stage::with(&["otp.limits = [\"1/30m per phone\"]"]).await;
    let answers = at_once(&stage, |_| named(&stage, PHONE)).await;
    let mut challenges = HashSet::new();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        challenges.insert(answer.challenge());
    }
    assert_eq!(challenges.len(), 1);
    let others = answers.len() as u64 - 1;
    let repeated = "otp_sends_total{result=\"repeated\"}";
    assert_eq!(stage.metric(repeated).await, others);
    stage.inbox.code_for(PHONE).await;
    stage.settle().await;
    assert_eq!(stage.inbox.messages_to(PHONE).len(), 1);
    // It counted once, too: one more is one too many.
    let next = stage.ask_for_code(PHONE).await;
    next.is_refused(429, "rate_limited");
    // And the code is as good as any.
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn whoever_knows_somebody_elses_key_learns_nothing_by_it() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let mine = named(&stage, PHONE).sent_from("203.0.113.7").send().await;
    let theirs = named(&stage, PHONE).sent_from("198.51.100.9").send().await;
    assert_ne!(mine.challenge(), theirs.challenge());
    // It is no repetition, whatever the answers look like.
    let repeated = "otp_sends_total{result=\"repeated\"}";
    assert_eq!(stage.metric(repeated).await, 0);
    let again = named(&stage, PHONE).sent_from("203.0.113.7").send().await;
    assert_eq!(again.challenge(), mine.challenge());
    assert_eq!(stage.metric(repeated).await, 1);
}

#[tokio::test]
async fn a_key_for_another_wish_is_a_mistake_that_is_told() {
    let stage = Stage::new().await;
    assert_eq!(named(&stage, PHONE).send().await.status, 200);
    let other = json!({ "mobile_number": PHONE, "locale": "de" });
    let other = stage.post("/api/auth/send-otp").json(&other);
    let answer = other.header("idempotency-key", KEY).send().await;
    answer.is_refused(422, "idempotency_key_reused");
    let none = stage.send_otp(PHONE).header("idempotency-key", "\"\"");
    none.send().await.is_refused(400, "invalid_idempotency_key");
}

#[tokio::test]
async fn whoever_taps_twice_gets_one_message_and_whoever_asks_again_another() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let page = browser.open("/api/auth/login").await;
    let typed = [("mobile_number", PHONE)];
    let first = browser.press(&page, "send", &typed).await;
    let second = browser.press(&page, "send", &typed).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(challenge_in(&first.text()), challenge_in(&second.text()));
    // A message that still waits is replaced by the next one.
    stage.inbox.nth_code_for(PHONE, 1).await;
    // Back to the first page, which the browser still has, and on with another number.
    let other = "+14155550101";
    let elsewhere = browser
        .press(&page, "send", &[("mobile_number", other)])
        .await;
    assert_ne!(challenge_in(&elsewhere.text()), challenge_in(&first.text()));
    stage.inbox.code_for(other).await;
    browser.press(&second, "send", &[]).await;
    browser.press(&second, "send", &[]).await;
    stage.inbox.nth_code_for(PHONE, 2).await;
    stage.settle().await;
    assert_eq!(stage.inbox.messages_to(PHONE).len(), 2);
    assert_eq!(stage.inbox.messages_to(other).len(), 1);
}

fn challenge_in(page: &str) -> String {
    let form = Form::with_button(page, "verify");
    let mut hidden = form.hidden.into_iter();
    let field = hidden.find(|(name, _)| name == "challenge_id");
    field.expect("a challenge").1
}
