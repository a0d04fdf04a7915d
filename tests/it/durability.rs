//! A gateway that is stopped and started again has forgotten nothing.

use std::time::Duration;

use crate::stage::{PHONE, Stage, Tokens, inbox::wrong_for, jwt};

/// The store of a single machine, a file in the data directory.
const ON_DISK: &str = "store.url = \"embedded:\"";

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_restart_keeps_the_code_that_is_on_its_way_and_the_attempts_it_has_left() {
    let stage = Stage::with(&[ON_DISK]).await;
    let challenge = stage.ask_for_code(PHONE).await.challenge();
    let code = stage.inbox.code_for(PHONE).await;
    for left in [4, 3] {
        let answer = stage.answer(PHONE, &wrong_for(&code)).await;
        answer.is_wrong_code(Some(left));
    }
    let stage = stage.restart().await;
    // A resend is one of the same code, also by a process that never saw it.
    assert_eq!(stage.ask_for_code(PHONE).await.challenge(), challenge);
    assert_eq!(stage.inbox.code_for(PHONE).await, code);
    let answer = stage.answer(PHONE, &wrong_for(&code)).await;
    answer.is_wrong_code(Some(2));
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    let stage = stage.restart().await;
    stage.answer(PHONE, &code).await.is_wrong_code(None);
}

#[tokio::test]
async fn a_restart_keeps_the_limits() {
    let mut stage = Stage::with(&[ON_DISK]).await;
    for _ in 0..3 {
        assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
        stage.pass(MINUTE);
        stage = stage.restart().await;
    }
    let refused = stage.ask_for_code(PHONE).await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), (27 * 60).to_string());
    stage.pass(MINUTE * 27);
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
}

#[tokio::test]
async fn a_restart_keeps_sessions_and_who_somebody_is() {
    let stage = Stage::with(&[ON_DISK]).await;
    let before = stage.log_in(PHONE).await;
    let stage = stage.restart().await;
    let passed = stage.get("/orders").bearer(&before.access).send().await;
    assert_eq!(passed.status, 200);
    let after = stage.log_in(PHONE).await;
    assert_eq!(
        jwt::claims(&before.access)["sub"],
        jwt::claims(&after.access)["sub"]
    );
    let listed = stage.get("/api/auth/sessions").bearer(&after.access);
    let listed = listed.send().await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(2));
    let refreshed = stage.refresh(&before.refresh).await;
    assert_eq!(refreshed.json()["session_id"], before.session);
}

#[tokio::test]
async fn a_restart_keeps_which_refresh_tokens_were_replaced() {
    let stage = Stage::with(&[ON_DISK]).await;
    let old = stage.log_in(PHONE).await;
    let new = Tokens::of(&stage.refresh(&old.refresh).await.json());
    let stage = stage.restart().await;
    let again = Tokens::of(&stage.refresh(&old.refresh).await.json());
    assert_eq!(again.refresh, new.refresh);
    stage.pass(MINUTE);
    let stage = stage.restart().await;
    let replayed = stage.refresh(&old.refresh).await;
    replayed.is_refused(400, "invalid_grant");
    let refused = stage.get("/orders").bearer(&new.access).send().await;
    refused.is_refused(401, "session_revoked");
}

#[tokio::test]
async fn a_restart_brings_no_session_back_to_life() {
    let stage = Stage::with(&[ON_DISK]).await;
    let (gone, kept) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    let logout = stage.post("/api/auth/logout").bearer(&gone.access).send();
    assert_eq!(logout.await.status, 204);
    let stage = stage.restart().await;
    for path in ["/orders", "/api/auth/me", "/api/auth/check"] {
        let refused = stage.get(path).bearer(&gone.access).send().await;
        refused.is_refused(401, "session_revoked");
    }
    let refused = stage.refresh(&gone.refresh).await;
    refused.is_refused(400, "invalid_grant");
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

#[tokio::test]
async fn what_is_in_memory_alone_is_gone_with_it() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let stage = stage.restart().await;
    let refused = stage.refresh(&tokens.refresh).await;
    refused.is_refused(400, "invalid_grant");
}
