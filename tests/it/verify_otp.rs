//! Answering a code: what a right one gives, what a wrong one costs, and when a code is dead.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{PHONE, Stage, Tokens, client::Call, inbox::wrong_for, just_before, jwt};

const MINUTE: Duration = Duration::from_mins(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// No limit stands in the way of these scenarios.
const UNLIMITED: &str = "otp.limits = []";

#[tokio::test]
async fn the_right_code_is_answered_with_tokens_word_for_word() {
    let stage = Stage::with(&["tokens.issuer = \"https://id.example.com\""]).await;
    stage.ask_for_code(PHONE).await;
    stage.pass(Duration::from_secs(7));
    let code = stage.inbox.code_for(PHONE).await;
    let answer = stage.answer(PHONE, &code).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.headers.contains_key("set-cookie"));
    let (body, tokens) = (answer.json(), Tokens::of(&answer.json()));
    assert_eq!(
        body,
        json!({
            "access_token": tokens.access,
            "refresh_token": tokens.refresh,
            "token_type": "bearer",
            "expires_in": 15 * 60,
            "refresh_expires_in": 30 * 24 * 60 * 60,
            "session_id": tokens.session,
        })
    );

    let (header, claims) = (jwt::header(&tokens.access), jwt::claims(&tokens.access));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    assert!(header["kid"].is_string());
    let now = stage.clock.now().as_secs();
    assert_eq!(
        claims,
        json!({
            "iss": "https://id.example.com",
            "aud": "https://id.example.com",
            "sub": claims["sub"],
            "iat": now,
            "nbf": now,
            "exp": now + 15 * 60,
            "jti": claims["jti"],
            "sid": tokens.session,
            "phone_number": PHONE,
            "auth_time": now,
            "amr": ["otp", "sms"],
        })
    );
    assert!(!claims["sub"].to_string().contains("4155550100"));
    assert_eq!(jwt::header(&tokens.refresh)["typ"], "rt+jwt");
}

#[tokio::test]
async fn a_person_is_the_same_subject_at_every_login_and_nobody_else_is() {
    let stage = Stage::new().await;
    let mut logins = Vec::new();
    for phone in [PHONE, PHONE, "+14155550101"] {
        logins.push(jwt::claims(&stage.log_in(phone).await.access));
    }
    assert_eq!(logins[0]["sub"], logins[1]["sub"]);
    assert_ne!(logins[0]["sub"], logins[2]["sub"]);
    for unique in ["sid", "jti"] {
        assert_ne!(logins[0][unique], logins[1][unique]);
    }
}

#[tokio::test]
async fn the_subject_may_be_the_number_itself() {
    let stage = Stage::with(&["tokens.subject = \"phone\""]).await;
    let tokens = stage.log_in(PHONE).await;
    assert_eq!(jwt::claims(&tokens.access)["sub"], PHONE);
}

#[tokio::test]
async fn a_code_lives_exactly_as_long_as_it_says() {
    let stage = Stage::with(&[UNLIMITED]).await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    stage.pass(MINUTE * 5);
    stage.answer(PHONE, &code).await.is_wrong_code(None);

    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.nth_code_for(PHONE, 2).await;
    stage.pass(just_before(MINUTE * 5));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn no_resend_lets_a_code_live_longer_than_its_greatest_age() {
    let stage = Stage::with(&[UNLIMITED]).await;
    for (last_wait, lives) in [(MINUTE * 5 / 2, false), (just_before(MINUTE * 5 / 2), true)] {
        stage.receive_code(PHONE).await;
        stage.pass(MINUTE * 4);
        stage.receive_code(PHONE).await;
        stage.pass(MINUTE * 7 / 2);
        let code = stage.receive_code(PHONE).await;
        stage.pass(last_wait);
        let answer = stage.answer(PHONE, &code).await;
        assert_eq!(answer.status == 200, lives, "{answer:?}");
    }
}

#[tokio::test]
async fn a_code_is_good_once() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    stage.answer(PHONE, &code).await.is_wrong_code(None);
}

#[tokio::test]
async fn wrong_expired_used_and_never_sent_look_the_same() {
    let stage = Stage::with(&[UNLIMITED]).await;
    let mut answers = vec![stage.answer("+14155550109", "123456").await];
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    stage.answer(PHONE, &code).await;
    answers.push(stage.answer(PHONE, &code).await);
    stage.ask_for_code(PHONE).await;
    stage.pass(MINUTE * 5);
    answers.push(stage.answer(PHONE, &code).await);
    for answer in answers {
        answer.is_wrong_code(None);
        assert_eq!(
            answer.json(),
            json!({
                "type": "about:blank",
                "title": "The code is wrong or no longer valid",
                "status": 400,
                "code": "invalid_otp",
                "detail": "The code is wrong, was used or has expired.",
            })
        );
    }
}

#[tokio::test]
async fn five_wrong_answers_burn_a_challenge_and_the_next_one_has_another_code() {
    let stage = Stage::new().await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    let code = stage.inbox.code_for(PHONE).await;
    for left in [4, 3, 2, 1, 0] {
        stage
            .answer(PHONE, &wrong_for(&code))
            .await
            .is_wrong_code(Some(left));
    }
    stage.answer(PHONE, &code).await.is_wrong_code(Some(0));
    let named = with_challenge(&stage, &code, &challenge);
    named.send().await.is_wrong_code(Some(0));

    let next = stage.ask_for_code(PHONE).await.challenge();
    assert_ne!(next, challenge);
    let code = stage.inbox.nth_code_for(PHONE, 2).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn a_burnt_code_is_dead_whatever_challenge_is_named() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    for _ in 0..5 {
        stage.answer(PHONE, &wrong_for(&code)).await;
    }
    for challenge in ["", "no-id", "00000000000000000000000000000001"] {
        let answer = with_challenge(&stage, &code, challenge).send().await;
        answer.is_wrong_code(None);
    }
}

#[tokio::test]
async fn a_resend_gives_no_attempts_back() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    for left in [4, 3, 2] {
        stage
            .answer(PHONE, &wrong_for(&code))
            .await
            .is_wrong_code(Some(left));
    }
    stage.ask_for_code(PHONE).await;
    stage
        .answer(PHONE, &wrong_for(&code))
        .await
        .is_wrong_code(Some(1));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn a_number_stands_so_many_wrong_answers_in_any_day() {
    let stage = Stage::with(&[UNLIMITED, "otp.max_failures = 7"]).await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    for left in [4, 3, 2, 1, 0] {
        stage
            .answer(PHONE, &wrong_for(&code))
            .await
            .is_wrong_code(Some(left));
    }
    stage.pass(MINUTE * 60);
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.nth_code_for(PHONE, 2).await;
    // The next challenge has five attempts, but the number has only two failures left.
    for left in [1, 0] {
        stage
            .answer(PHONE, &wrong_for(&code))
            .await
            .is_wrong_code(Some(left));
    }
    stage.answer(PHONE, &code).await.is_wrong_code(Some(0));

    // A day after the first failures, and not a moment sooner, there is room for others.
    stage.pass(just_before(MINUTE * 60 * 23));
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.nth_code_for(PHONE, 3).await;
    stage.answer(PHONE, &code).await.is_wrong_code(Some(0));
    stage.pass(MILLISECOND);
    stage
        .answer(PHONE, &wrong_for(&code))
        .await
        .is_wrong_code(Some(4));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn what_a_device_says_about_itself_may_be_text_or_an_object_of_some_length() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let answer = |device_info: Value| {
        let body = json!({ "mobile_number": PHONE, "otp": code, "device_info": device_info });
        stage.post("/api/auth/verify-otp").json(&body).send()
    };
    for refused in [json!("x".repeat(513)), json!(7), json!(["phone"])] {
        assert_eq!(answer(refused).await.wrong_fields(), ["device_info"]);
    }
    let tokens = Tokens::of(
        &answer(json!({ "model": "Phone 7", "os": "9" }))
            .await
            .json(),
    );
    let sessions = stage.get("/api/auth/sessions").bearer(&tokens.access);
    assert_eq!(
        sessions.send().await.json()["sessions"][0]["device_info"],
        "{\"model\":\"Phone 7\",\"os\":\"9\"}"
    );
}

fn with_challenge(stage: &Stage, code: &str, challenge: &str) -> Call {
    stage.post("/api/auth/verify-otp").json(&json!({
        "mobile_number": PHONE, "otp": code, "device_info": "test", "challenge_id": challenge,
    }))
}
