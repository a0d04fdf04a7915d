//! `Idempotency-Key`: the same request once more is answered as before, and changes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{self, Answer, Ask, NUMBER, Stage, TEST_NUMBER};
use crate::{auth::Spec, domain::quota::Per, sms::Channel};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const SECOND: Duration = Duration::from_secs(1);

/// One message per number and minute.
fn strict() -> Spec {
    Spec {
        limits: vec![stage::limit(1, Duration::from_mins(1), Per::Phone)],
        channels: vec![Channel::Sms, Channel::Voice],
        ..stage::spec()
    }
}

fn named(body: &Value, key: &str) -> Ask {
    Ask::post("/send-otp", body).header("idempotency-key", key)
}

fn wish(number: &str) -> Value {
    json!({ "mobile_number": number })
}

#[tokio::test]
async fn the_same_request_again_is_answered_as_before_and_changes_nothing() {
    let stage = Stage::with(strict(), 64).await;
    let first = stage.ask(named(&wish(NUMBER), KEY)).await.json();
    stage.clock.advance(SECOND * 7);
    let quoted = format!("\"{KEY}\"");
    for (key, spelling) in [
        (KEY, NUMBER),
        (&quoted, "(650) 253-0000"),
        (KEY, "650.253.0000"),
    ] {
        let again = stage.ask(named(&wish(spelling), key)).await;
        assert_eq!(again.status, 200, "{again:?}");
        let mut expected = first.clone();
        expected["expires_in"] = json!(293);
        assert_eq!(again.json(), expected);
    }
    assert_eq!(stage.messages().await.len(), 1);
    assert_eq!(stage.metric("otp_sends_total{result=\"sent\"}"), 1);
    assert_eq!(stage.metric("otp_sends_total{result=\"repeated\"}"), 3);
    // The code is still good, and the pause is the one that began with the first request.
    stage.clock.advance(SECOND * 53);
    assert_eq!(stage.send(NUMBER).await.status, 200);
    let code = stage.code().await;
    assert_eq!(stage.verify(NUMBER, &code).await.status, 200);
}

#[tokio::test]
async fn another_key_or_none_is_another_request() {
    let stage = Stage::with(strict(), 64).await;
    assert_eq!(stage.ask(named(&wish(NUMBER), KEY)).await.status, 200);
    let limited = (429, "rate_limited".to_owned());
    assert_eq!(stage.send(NUMBER).await.refusal(), limited);
    for key in ["8E03978E-40d5-43dd-bc93-6894a57f9324", "8e03978e", "x"] {
        let other = stage.ask(named(&wish(NUMBER), key)).await;
        assert_eq!(other.refusal(), limited, "{key}");
    }
}

#[tokio::test]
async fn nobody_elses_key_and_no_other_numbers_is_the_same() {
    let stage = Stage::with(strict(), 64).await;
    let mine = stage.ask(named(&wish(NUMBER), KEY)).await.json();
    let theirs = named(&wish(NUMBER), KEY).client_at("198.51.100.7");
    assert_eq!(
        stage.ask(theirs).await.refusal(),
        (429, "rate_limited".to_owned())
    );
    let other = stage.ask(named(&wish("+16502530001"), KEY)).await;
    assert_eq!(other.status, 200);
    assert_ne!(other.json()["challenge_id"], mine["challenge_id"]);
    assert_eq!(stage.messages().await.len(), 2);
}

#[tokio::test]
async fn a_key_is_for_one_wish() {
    let stage = Stage::with(strict(), 64).await;
    let spoken = json!({ "mobile_number": NUMBER, "channel": "voice", "locale": "de" });
    assert_eq!(stage.ask(named(&spoken, KEY)).await.status, 200);
    let reused = (422, "idempotency_key_reused".to_owned());
    for other in [
        json!({ "mobile_number": NUMBER, "channel": "sms", "locale": "de" }),
        json!({ "mobile_number": NUMBER, "channel": "voice", "locale": "en" }),
        json!({ "mobile_number": NUMBER, "channel": "voice" }),
        wish(NUMBER),
    ] {
        let answer = stage.ask(named(&other, KEY)).await;
        assert_eq!(answer.refusal(), reused, "{other}");
    }
    assert_eq!(stage.ask(named(&spoken, KEY)).await.status, 200);
    assert_eq!(stage.messages().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let stage = Stage::with(strict(), 64).await;
    assert_eq!(stage.send(NUMBER).await.status, 200);
    let limited = stage.ask(named(&wish(NUMBER), KEY)).await;
    assert_eq!(limited.refusal(), (429, "rate_limited".to_owned()));
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!(stage.ask(named(&wish(NUMBER), KEY)).await.status, 200);
    assert_eq!(stage.ask(named(&wish(NUMBER), KEY)).await.status, 200);
    assert_eq!(stage.messages().await.len(), 2);
}

#[tokio::test]
async fn a_key_lives_as_long_as_the_code_that_it_asked_for() {
    let stage = Stage::with(strict(), 64).await;
    let first = stage.ask(named(&wish(NUMBER), KEY)).await.json();
    stage.clock.advance(SECOND * 299);
    let last = stage.ask(named(&wish(NUMBER), KEY)).await.json();
    assert_eq!(last["expires_in"], 1);
    assert_eq!(last["challenge_id"], first["challenge_id"]);
    stage.clock.advance(SECOND);
    let anew = stage.ask(named(&wish(NUMBER), KEY)).await.json();
    assert_eq!(anew["expires_in"], 300);
    assert_ne!(anew["challenge_id"], first["challenge_id"]);
}

#[tokio::test]
async fn a_test_number_is_asked_for_again_like_any_other() {
    let stage = Stage::with(strict(), 64).await;
    let first = stage.ask(named(&wish(TEST_NUMBER), KEY)).await.json();
    let again = stage.ask(named(&wish(TEST_NUMBER), KEY)).await.json();
    assert_eq!(first, again);
    assert_eq!(stage.metric("otp_sends_total{result=\"test_number\"}"), 1);
    assert_eq!(stage.metric("otp_sends_total{result=\"repeated\"}"), 1);
}

#[tokio::test]
async fn what_is_no_key_is_refused_before_anything_happens() {
    let stage = Stage::with(strict(), 64).await;
    let long = "x".repeat(129);
    for key in ["", "\"\"", "a b", "\"a", "gr\u{fc}n", &long] {
        let answer = stage.ask(named(&wish(NUMBER), key)).await;
        let expected = (400, "invalid_idempotency_key".to_owned());
        assert_eq!(answer.refusal(), expected, "{key}");
    }
    let twice = named(&wish(NUMBER), "a").header("idempotency-key", "a");
    assert_eq!(stage.ask(twice).await.status, 400);
    assert_eq!(stage.send(NUMBER).await.status, 200);
}

/// The values of a hidden field of this name, in the order of the page's forms.
fn hidden(page: &Answer, name: &str) -> Vec<String> {
    let begin = format!("name=\"{name}\" value=\"");
    let values = page.text().split(&begin).skip(1);
    values
        .map(|rest| rest[..rest.find('"').unwrap()].to_owned())
        .collect()
}

#[tokio::test]
async fn a_double_tap_on_the_login_page_is_one_message_and_sending_again_is_another() {
    let stage = Stage::new().await;
    let form = stage.ask(Ask::get("/login")).await;
    let [key] = &hidden(&form, "request_key")[..] else {
        panic!("one form: {}", form.text());
    };
    let fields = [
        ("mobile_number", NUMBER),
        ("step", "send"),
        ("request_key", key),
    ];
    let first = stage.ask(Ask::form("/login", &fields)).await;
    let second = stage.ask(Ask::form("/login", &fields)).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    let challenge = hidden(&first, "challenge_id");
    assert_eq!(challenge, hidden(&second, "challenge_id"));
    assert_eq!(stage.messages().await.len(), 1);

    let [again] = &hidden(&second, "request_key")[..] else {
        panic!("one form that sends: {}", second.text());
    };
    assert_ne!(again, key);
    let fields = [
        ("mobile_number", NUMBER),
        ("challenge_id", &challenge[0]),
        ("step", "send"),
        ("request_key", again),
    ];
    for _ in 0..2 {
        let sent = stage.ask(Ask::form("/login", &fields)).await;
        assert_eq!(sent.status, 200);
    }
    assert_eq!(stage.messages().await.len(), 2);
}

#[tokio::test]
async fn a_form_whose_key_was_tampered_with_asks_without_one() {
    let stage = Stage::new().await;
    for key in ["", "a b", "\"", &"x".repeat(200)] {
        let fields = [
            ("mobile_number", NUMBER),
            ("step", "send"),
            ("request_key", key),
        ];
        let sent = stage.ask(Ask::form("/login", &fields)).await;
        assert!(sent.status == 200 || sent.status == 429, "{sent:?}");
    }
    assert_eq!(stage.messages().await.len(), 3);
}
