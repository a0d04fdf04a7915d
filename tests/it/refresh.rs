//! Refreshing: new tokens for a refresh token, once for each, and what happens to one that comes back.

use std::time::Duration;

use serde_json::json;

use crate::stage::{PHONE, Stage, Tokens, client::Answer, just_before, jwt};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_word_for_word() {
    let stage = Stage::new().await;
    let old = stage.log_in(PHONE).await;
    stage.pass(SECOND * 1000);
    let answer = stage.refresh(&old.refresh).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.headers.contains_key("set-cookie"));
    let new = Tokens::of(&answer.json());
    assert_eq!(
        answer.json(),
        json!({
            "access_token": new.access,
            "refresh_token": new.refresh,
            "token_type": "bearer",
            "expires_in": 15 * 60,
            "refresh_expires_in": 30 * 24 * 60 * 60,
            "session_id": old.session,
        })
    );
    assert_ne!(new.refresh, old.refresh);
    let (before, after) = (jwt::claims(&old.access), jwt::claims(&new.access));
    for kept in [
        "sub",
        "sid",
        "auth_time",
        "phone_number",
        "amr",
        "iss",
        "aud",
    ] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
    assert_eq!(after["exp"], stage.clock.now().as_secs() + 15 * 60);
    assert_ne!(before["jti"], after["jti"]);

    // The old access token is dead of age, the new one is not.
    reaches_the_app(&stage, &new.access).await;
    let expired = stage.get("/").bearer(&old.access).send().await;
    expired.is_refused(401, "token_expired");
}

#[tokio::test]
async fn within_the_grace_the_same_token_has_the_same_successor_byte_for_byte() {
    let stage = Stage::new().await;
    let old = stage.log_in(PHONE).await;
    let first = Tokens::of(&stage.refresh(&old.refresh).await.json());
    stage.pass(just_before(SECOND * 30));
    let again = stage.refresh(&old.refresh).await;
    let second = Tokens::of(&again.json());
    assert_eq!(second.refresh, first.refresh);
    // What is left of the successor's life is told as it is.
    assert_eq!(again.json()["refresh_expires_in"], 30 * 86_400 - 30);
    for tokens in [&first, &second] {
        reaches_the_app(&stage, &tokens.access).await;
    }
    // The grace is that of the first use: repeating it gains no time.
    stage.pass(MILLISECOND);
    is_useless(&stage.refresh(&old.refresh).await);
}

#[tokio::test]
async fn a_token_that_comes_back_after_the_grace_ends_its_session() {
    let stage = Stage::new().await;
    let (old, other) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    let new = Tokens::of(&stage.refresh(&old.refresh).await.json());
    stage.pass(SECOND * 30);
    is_useless(&stage.refresh(&old.refresh).await);

    is_useless(&stage.refresh(&new.refresh).await);
    for access in [&old.access, &new.access] {
        for path in ["/orders", "/api/auth/me"] {
            let answer = stage.get(path).bearer(access).send().await;
            answer.is_refused(401, "session_revoked");
        }
    }
    assert_eq!(
        stage.metric("refreshes_total{result=\"replayed\"}").await,
        1
    );
    // The person's other session is another one.
    reaches_the_app(&stage, &other.access).await;
    assert_eq!(stage.refresh(&other.refresh).await.status, 200);
}

#[tokio::test]
async fn a_token_two_generations_old_ends_its_session_even_within_the_grace_of_its_successor() {
    let stage = Stage::new().await;
    let first = stage.log_in(PHONE).await;
    let second = Tokens::of(&stage.refresh(&first.refresh).await.json());
    stage.pass(SECOND * 29);
    let third = Tokens::of(&stage.refresh(&second.refresh).await.json());
    stage.pass(SECOND);
    is_useless(&stage.refresh(&first.refresh).await);
    is_useless(&stage.refresh(&third.refresh).await);
}

#[tokio::test]
async fn a_token_of_a_session_that_was_logged_out_harms_nobody() {
    let stage = Stage::new().await;
    let (old, other) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    stage.refresh(&old.refresh).await;
    let logout = stage.post("/api/auth/logout").bearer(&old.access).send();
    assert_eq!(logout.await.status, 204);
    stage.pass(SECOND * 31);
    is_useless(&stage.refresh(&old.refresh).await);
    assert_eq!(
        stage.metric("refreshes_total{result=\"replayed\"}").await,
        0
    );
    assert_eq!(stage.metric("refreshes_total{result=\"ended\"}").await, 1);
    assert_eq!(stage.refresh(&other.refresh).await.status, 200);
}

#[tokio::test]
async fn a_session_that_is_not_refreshed_for_a_month_has_ended() {
    let stage = Stage::new().await;
    let mut tokens = stage.log_in(PHONE).await;
    stage.pass(just_before(DAY * 30));
    tokens = Tokens::of(&stage.refresh(&tokens.refresh).await.json());
    stage.pass(DAY * 30);
    is_useless(&stage.refresh(&tokens.refresh).await);
}

#[tokio::test]
async fn no_refreshing_makes_a_session_older_than_ninety_days() {
    let stage = Stage::new().await;
    let mut tokens = stage.log_in(PHONE).await;
    for day in [29, 58, 87] {
        stage.pass(DAY * 29);
        let answer = stage.refresh(&tokens.refresh).await;
        let left = answer.json()["refresh_expires_in"].as_u64();
        assert_eq!(left, Some((90 - day).min(30) * 86_400), "on day {day}");
        tokens = Tokens::of(&answer.json());
    }
    stage.pass((DAY * 3).saturating_sub(SECOND));
    let answer = stage.refresh(&tokens.refresh).await;
    assert_eq!(answer.json()["refresh_expires_in"], 1);
    tokens = Tokens::of(&answer.json());
    stage.pass(SECOND);
    is_useless(&stage.refresh(&tokens.refresh).await);
    // Ninety days after the first login there is nothing left to list either.
    let fresh = stage.log_in(PHONE).await;
    let sessions = stage.get("/api/auth/sessions").bearer(&fresh.access).send();
    let sessions = sessions.await.json()["sessions"].as_array().map(Vec::len);
    assert_eq!(sessions, Some(1));
}

#[tokio::test]
async fn a_forged_refresh_token_is_of_no_use_and_does_no_harm() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let (header, claims) = (jwt::header(&tokens.refresh), jwt::claims(&tokens.refresh));
    let none = {
        let mut header = header.clone();
        header["alg"] = json!("none");
        jwt::seal(&header, &claims, |_| Vec::new())
    };
    let next = {
        let mut claims = claims.clone();
        claims["gen"] = json!(1);
        jwt::seal(
            &header,
            &claims,
            jwt::hs256(b"0123456789abcdef0123456789abcdef"),
        )
    };
    let forged = [
        jwt::bent(&tokens.refresh, 0),
        jwt::bent(&tokens.refresh, 1),
        jwt::bent(&tokens.refresh, 2),
        format!("{}.", tokens.refresh.rsplit_once('.').expect("dots").0),
        jwt::seal(&header, &claims, jwt::hs256(b"")),
        jwt::seal(&header, &claims, jwt::hs256(&[0; 32])),
        none,
        next,
        tokens.access.clone(),
        "x".repeat(10_000),
        "a.b.c".to_owned(),
        String::new(),
    ];
    for forged in &forged {
        is_useless(&stage.refresh(forged).await);
    }
    let invalid = stage.metric("refreshes_total{result=\"invalid\"}").await;
    assert_eq!(invalid, forged.len() as u64);
    reaches_the_app(&stage, &tokens.access).await;
    assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_of_another_gateway_is_of_no_use() {
    let (here, there) = (Stage::new().await, Stage::new().await);
    let foreign = there.log_in(PHONE).await;
    is_useless(&here.refresh(&foreign.refresh).await);
    assert_eq!(there.refresh(&foreign.refresh).await.status, 200);
}

#[tokio::test]
async fn without_a_token_the_missing_field_is_named() {
    let stage = Stage::new().await;
    let bare = stage.post("/api/auth/refresh").send().await;
    assert_eq!(bare.wrong_fields(), ["refresh_token"]);
    for body in [
        json!({}),
        json!({ "refresh_token": null }),
        json!({ "refresh_token": 1 }),
    ] {
        let answer = stage.post("/api/auth/refresh").json(&body).send().await;
        assert_eq!(answer.wrong_fields(), ["refresh_token"], "{body}");
    }
}

async fn reaches_the_app(stage: &Stage, access: &str) {
    let answer = stage.get("/orders").bearer(access).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[track_caller]
fn is_useless(answer: &Answer) {
    answer.is_refused(400, "invalid_grant");
}
