//! Logging out: which sessions end, with the very next request, and which tokens may end them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{
    PHONE, Stage, Tokens,
    client::{Answer, Call, Connection},
    jwt,
};

#[tokio::test]
async fn a_session_ends_with_the_next_request_on_every_connection() {
    let stage = Stage::new().await;
    let (gone, stays) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    // Enough connections for both workers, each of which has seen the tokens and trusts them.
    let mut connections = Vec::new();
    for _ in 0..12 {
        let mut connection = Connection::open(stage.address).await;
        for tokens in [&gone, &stays] {
            let call = stage.get("/orders").bearer(&tokens.access);
            assert_eq!(connection.send(call).await.status, 200);
        }
        connections.push(connection);
    }

    let answer = log_out(&stage, &gone, &json!({})).await;
    assert_eq!(answer.status, 204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), "no-store");
    for connection in &mut connections {
        let refused = connection.send(stage.get("/orders").bearer(&gone.access));
        refused.await.is_refused(401, "session_revoked");
        let passed = connection.send(stage.get("/orders").bearer(&stays.access));
        assert_eq!(passed.await.status, 200);
    }
    let refreshed = stage.refresh(&gone.refresh).await;
    refreshed.is_refused(400, "invalid_grant");
}

#[tokio::test]
async fn logging_out_twice_is_as_good_as_once() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    for _ in 0..2 {
        let answer = log_out(&stage, &tokens, &json!({ "scope": "this" })).await;
        assert_eq!(answer.status, 204);
        let by_refresh = json!({ "refresh_token": tokens.refresh });
        let answer = stage
            .post("/api/auth/logout")
            .json(&by_refresh)
            .send()
            .await;
        assert_eq!(answer.status, 204);
    }
    assert_eq!(stage.metric("sessions_revoked_total").await, 1);
}

#[tokio::test]
async fn the_others_end_and_this_one_stays() {
    let stage = Stage::new().await;
    let sessions = three_sessions(&stage).await;
    let bystander = stage.log_in("+14155550199").await;
    let answer = log_out(&stage, &sessions[1], &json!({ "scope": "others" })).await;
    assert_eq!(answer.status, 204);
    assert_eq!(alive(&stage, &sessions).await, [false, true, false]);
    assert_eq!(alive(&stage, &[bystander]).await, [true]);
}

#[tokio::test]
async fn all_end_and_nobody_elses() {
    let stage = Stage::new().await;
    let sessions = three_sessions(&stage).await;
    let bystander = stage.log_in("+14155550199").await;
    let answer = log_out(&stage, &sessions[1], &json!({ "scope": "all" })).await;
    assert_eq!(answer.status, 204);
    assert_eq!(alive(&stage, &sessions).await, [false, false, false]);
    assert_eq!(alive(&stage, &[bystander]).await, [true]);
    // It ends what is, not what will be.
    let next = stage.log_in("+14155550199").await;
    assert_eq!(alive(&stage, &[next]).await, [true]);
}

#[tokio::test]
async fn an_expired_access_token_still_logs_out() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    stage.pass(Duration::from_hours(3 * 24));
    let me = stage
        .get("/api/auth/me")
        .bearer(&tokens.access)
        .send()
        .await;
    me.is_refused(401, "token_expired");
    assert_eq!(log_out(&stage, &tokens, &json!({})).await.status, 204);
    let refreshed = stage.refresh(&tokens.refresh).await;
    refreshed.is_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_logs_out_too_and_so_does_one_that_was_replaced() {
    let stage = Stage::new().await;
    for replaced in [false, true] {
        let tokens = stage.log_in(PHONE).await;
        if replaced {
            assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
        }
        let body = json!({ "refresh_token": tokens.refresh });
        let answer = stage.post("/api/auth/logout").json(&body).send().await;
        assert_eq!(answer.status, 204);
        let refused = stage.get("/orders").bearer(&tokens.access).send().await;
        refused.is_refused(401, "session_revoked");
    }
}

#[tokio::test]
async fn an_ended_session_cannot_end_others() {
    let stage = Stage::new().await;
    let sessions = three_sessions(&stage).await;
    log_out(&stage, &sessions[0], &json!({})).await;
    for scope in ["others", "all"] {
        let answer = log_out(&stage, &sessions[0], &json!({ "scope": scope })).await;
        assert_eq!(answer.status, 204);
        assert_eq!(alive(&stage, &sessions).await, [false, true, true]);
    }
}

#[tokio::test]
async fn a_token_that_is_not_ours_ends_nothing() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let logout = || stage.post("/api/auth/logout");
    logout().send().await.is_refused(401, "missing_token");
    for bent in [0, 1, 2].map(|part| jwt::bent(&tokens.access, part)) {
        let answer = logout().bearer(&bent).send().await;
        answer.is_refused(401, "invalid_token");
    }
    let as_access = logout().bearer(&tokens.refresh).send().await;
    as_access.is_refused(401, "invalid_token");
    let twice = logout().bearer(&tokens.access).bearer(&tokens.access);
    twice.send().await.is_refused(401, "invalid_token");
    for forged in [jwt::bent(&tokens.refresh, 1), tokens.access.clone()] {
        let body = json!({ "refresh_token": forged });
        let answer = logout().json(&body).send().await;
        answer.is_refused(400, "invalid_grant");
    }
    assert_eq!(alive(&stage, &[tokens]).await, [true]);
}

#[tokio::test]
async fn a_scope_that_is_none_ends_nothing() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    for scope in [json!("everything"), json!(""), json!(true), json!(["all"])] {
        let answer = log_out(&stage, &tokens, &json!({ "scope": scope })).await;
        assert_eq!(answer.wrong_fields(), ["scope"], "{scope}");
    }
    assert_eq!(alive(&stage, &[tokens]).await, [true]);
}

async fn three_sessions(stage: &Stage) -> [Tokens; 3] {
    [
        stage.log_in(PHONE).await,
        stage.log_in(PHONE).await,
        stage.log_in(PHONE).await,
    ]
}

async fn log_out(stage: &Stage, tokens: &Tokens, body: &Value) -> Answer {
    let call: Call = stage.post("/api/auth/logout").bearer(&tokens.access);
    call.json(body).send().await
}

/// Whether each session's access token still passes.
async fn alive<const N: usize>(stage: &Stage, sessions: &[Tokens; N]) -> [bool; N] {
    let mut alive = [false; N];
    for (tokens, alive) in sessions.iter().zip(&mut alive) {
        let answer = stage.get("/orders").bearer(&tokens.access).send().await;
        *alive = answer.status == 200;
        if !*alive {
            answer.is_refused(401, "session_revoked");
        }
    }
    alive
}
