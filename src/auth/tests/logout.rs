//! Logging out: with which tokens, how far, and what it leaves alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Ask, NUMBER, Stage};

/// Three sessions of one person, and one of another.
async fn four_logins(stage: &Stage) -> [Value; 4] {
    [
        stage.login(NUMBER).await,
        stage.login(NUMBER).await,
        stage.login(NUMBER).await,
        stage.login("+16502530001").await,
    ]
}

/// Whose access tokens still work, and whose refresh tokens do: both must agree.
async fn alive<const N: usize>(stage: &Stage, logins: &[Value; N]) -> [bool; N] {
    let mut alive = [false; N];
    for (alive, login) in alive.iter_mut().zip(logins) {
        let me = stage
            .ask(Ask::get("/me").bearer(&login["access_token"]))
            .await;
        let token = json!({ "refresh_token": login["refresh_token"] });
        let refresh = stage.ask(Ask::post("/refresh", &token)).await;
        *alive = me.status == 200;
        assert_eq!(*alive, refresh.status == 200);
        if !*alive {
            assert_eq!(me.refusal(), (401, "session_revoked".to_owned()));
        }
    }
    alive
}

#[tokio::test]
async fn a_logout_ends_this_the_others_or_all_of_ones_sessions_and_nobody_elses() {
    for (scope, left) in [
        (json!({}), [false, true, true, true]),
        (json!({ "scope": "this" }), [false, true, true, true]),
        (json!({ "scope": "others" }), [true, false, false, true]),
        (json!({ "scope": "all" }), [false, false, false, true]),
    ] {
        for by_refresh in [false, true] {
            let stage = Stage::new().await;
            let logins = four_logins(&stage).await;
            let mut body = scope.clone();
            let ask = if by_refresh {
                body["refresh_token"] = logins[0]["refresh_token"].clone();
                Ask::post("/logout", &body)
            } else {
                Ask::post("/logout", &body).bearer(&logins[0]["access_token"])
            };
            // Twice: what is over is over.
            for _ in 0..2 {
                let answer = stage.ask(ask.clone()).await;
                assert_eq!(answer.status, 204, "{scope}");
                assert!(answer.body.is_empty());
            }
            assert_eq!(alive(&stage, &logins).await, left, "{scope}");
        }
    }
}

#[tokio::test]
async fn a_token_is_enough_and_no_body_is_needed() {
    let stage = Stage::new().await;
    let logins = [stage.login(NUMBER).await];
    let ask = Ask::new("POST", "/logout").bearer(&logins[0]["access_token"]);
    assert_eq!(stage.ask(ask).await.status, 204);
    assert_eq!(alive(&stage, &logins).await, [false]);
}

#[tokio::test]
async fn an_expired_access_token_still_logs_its_session_out() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.clock.advance(Duration::from_hours(2));
    let ask = Ask::new("POST", "/logout").bearer(&login["access_token"]);
    assert_eq!(stage.ask(ask).await.status, 204);
    let token = json!({ "refresh_token": login["refresh_token"] });
    let refresh = stage.ask(Ask::post("/refresh", &token)).await;
    assert_eq!(refresh.refusal(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn the_token_of_an_ended_session_ends_no_other() {
    let stage = Stage::new().await;
    let old = stage.login(NUMBER).await;
    let ask = Ask::post("/logout", &json!({})).bearer(&old["access_token"]);
    assert_eq!(stage.ask(ask).await.status, 204);
    let logins = [stage.login(NUMBER).await];
    for scope in ["others", "all"] {
        let access = Ask::post("/logout", &json!({ "scope": scope })).bearer(&old["access_token"]);
        assert_eq!(stage.ask(access).await.status, 204);
        let refresh = json!({ "scope": scope, "refresh_token": old["refresh_token"] });
        assert_eq!(stage.ask(Ask::post("/logout", &refresh)).await.status, 204);
    }
    assert_eq!(alive(&stage, &logins).await, [true]);
}

#[tokio::test]
async fn an_expired_refresh_token_has_nothing_left_to_end() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.clock.advance(Duration::from_hours(31 * 24));
    let body = json!({ "refresh_token": login["refresh_token"] });
    assert_eq!(stage.ask(Ask::post("/logout", &body)).await.status, 204);
}

#[tokio::test]
async fn what_is_no_token_logs_nobody_out() {
    let stage = Stage::new().await;
    let logins = [stage.login(NUMBER).await];
    let none = stage.ask(Ask::new("POST", "/logout")).await;
    assert_eq!(none.refusal(), (401, "missing_token".to_owned()));
    let access = stage
        .ask(Ask::new("POST", "/logout").bearer(&json!("a.b.c")))
        .await;
    assert_eq!(access.refusal(), (401, "invalid_token".to_owned()));
    let mistaken = Ask::new("POST", "/logout").bearer(&logins[0]["refresh_token"]);
    assert_eq!(stage.ask(mistaken).await.refusal().1, "invalid_token");
    for token in [json!("a.b.c"), logins[0]["access_token"].clone()] {
        let body = json!({ "refresh_token": token });
        let refresh = stage.ask(Ask::post("/logout", &body)).await;
        assert_eq!(refresh.refusal(), (400, "invalid_grant".to_owned()));
    }
    let scope = Ask::post("/logout", &json!({ "scope": "everything" }));
    let scope = stage.ask(scope.bearer(&logins[0]["access_token"])).await;
    assert_eq!(scope.wrong_fields(), ["scope"]);
    assert_eq!(alive(&stage, &logins).await, [true]);
}
