//! Refreshing, replaying, listing and ending sessions.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Answer, Ask, NUMBER, START, Stage};

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

async fn refresh(stage: &Stage, token: &Value) -> Answer {
    stage
        .ask(Ask::post("/refresh", &json!({ "refresh_token": token })))
        .await
}

async fn me(stage: &Stage, login: &Value) -> Answer {
    stage
        .ask(Ask::get("/me").bearer(&login["access_token"]))
        .await
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_for_the_same_session() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.clock.advance(Duration::from_hours(24));
    let answer = refresh(&stage, &login["refresh_token"]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.cookies().is_empty());
    let next = answer.json();
    assert_eq!(next["session_id"], login["session_id"]);
    assert_eq!(next["expires_in"], 900);
    assert_eq!(next["refresh_expires_in"], 30 * 86_400);
    assert_ne!(next["refresh_token"], login["refresh_token"]);
    let me = me(&stage, &next).await.json();
    assert_eq!(me["phone_number"], NUMBER);
    assert_eq!(me["auth_time"], START.as_secs(), "a refresh is no login");
}

#[tokio::test]
async fn the_same_old_token_gives_the_same_successor_for_a_while() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.clock.advance(Duration::from_mins(1));
    let first = refresh(&stage, &login["refresh_token"]).await.json();
    stage.clock.advance(Duration::from_secs(29));
    let again = refresh(&stage, &login["refresh_token"]).await.json();
    assert_eq!(first["refresh_token"], again["refresh_token"]);
    assert_eq!(first["session_id"], again["session_id"]);
    // The successor is good whichever answer it came with, and so are both access tokens.
    assert_eq!(me(&stage, &first).await.status, 200);
    assert_eq!(me(&stage, &again).await.status, 200);
    assert_eq!(refresh(&stage, &again["refresh_token"]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_refreshes_at_once_give_one_successor() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let body = json!({ "refresh_token": login["refresh_token"] });
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let service = stage.service.clone();
            let request = Ask::post("/refresh", &body).build();
            tokio::spawn(tower::ServiceExt::oneshot(service, request))
        })
        .collect();
    let mut successors = Vec::new();
    for task in tasks {
        let answer = Answer::read(task.await.unwrap().unwrap()).await;
        successors.push(answer.json()["refresh_token"].as_str().unwrap().to_owned());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn a_replayed_token_ends_the_session_at_once() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let next = refresh(&stage, &login["refresh_token"]).await.json();
    stage.clock.advance(Duration::from_secs(30));
    let replay = refresh(&stage, &login["refresh_token"]).await;
    assert_eq!(replay.refusal(), invalid_grant());
    let after = me(&stage, &next).await;
    assert_eq!(after.refusal(), (401, "session_revoked".to_owned()));
    let successor = refresh(&stage, &next["refresh_token"]).await;
    assert_eq!(successor.refusal(), invalid_grant());
    assert_eq!(successor.body, replay.body);
    assert_eq!(stage.metric("refreshes_total{result=\"replayed\"}"), 1);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_when_it_is_old() {
    let day = Duration::from_hours(24);
    let stage = Stage::new().await;
    let unused = stage.login(NUMBER).await;
    stage.clock.advance(30 * day);
    let late = refresh(&stage, &unused["refresh_token"]).await;
    assert_eq!(late.refusal(), invalid_grant());

    let mut used = stage.login(NUMBER).await;
    for _ in 0..4 {
        stage.clock.advance(20 * day);
        used = refresh(&stage, &used["refresh_token"]).await.json();
    }
    assert_eq!(used["refresh_expires_in"], 10 * 86_400, "90 days in all");
    stage.clock.advance(10 * day);
    let old = refresh(&stage, &used["refresh_token"]).await;
    assert_eq!(old.refusal(), invalid_grant());
}

#[tokio::test]
async fn whatever_is_no_refresh_token_of_ours_is_one_answer_and_never_reaches_the_store() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let other = Stage::new().await.login(NUMBER).await;
    let genuine = login["refresh_token"].as_str().unwrap();
    let (signed, signature) = genuine.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    stage.store.close().await;
    // With the store closed, an answer other than 503 was given without it.
    for token in [
        "",
        "x",
        "a.b.c",
        &forged,
        login["access_token"].as_str().unwrap(),
    ] {
        let answer = refresh(&stage, &json!(token)).await;
        assert_eq!(answer.refusal(), invalid_grant(), "{token}");
    }
    assert_eq!(stage.metric("refreshes_total{result=\"invalid\"}"), 5);
    let answer = refresh(&stage, &login["refresh_token"]).await;
    assert_eq!(answer.refusal(), (503, "store_unavailable".to_owned()));
    assert_ne!(other["refresh_token"], login["refresh_token"]);
}

#[tokio::test]
async fn a_refresh_without_a_token_and_with_one_of_the_wrong_type() {
    let stage = Stage::new().await;
    let none = stage.ask(Ask::new("POST", "/refresh")).await;
    assert_eq!(none.wrong_fields(), ["refresh_token"]);
    let none = stage.ask(Ask::post("/refresh", &json!({}))).await;
    assert_eq!(none.wrong_fields(), ["refresh_token"]);
    let number = refresh(&stage, &json!(7)).await;
    assert_eq!(number.wrong_fields(), ["refresh_token"]);
}

#[tokio::test]
async fn people_see_where_they_are_logged_in() {
    let stage = Stage::new().await;
    let first = stage.login(NUMBER).await;
    stage.clock.advance(Duration::from_mins(1));
    let second = stage.login(NUMBER).await;
    stage.login("+16502530001").await;
    stage.clock.advance(Duration::from_mins(1));
    let refreshed = Ask::post(
        "/refresh",
        &json!({ "refresh_token": first["refresh_token"] }),
    );
    let refreshed = stage.ask(refreshed.client_at("198.51.100.7")).await;
    assert_eq!(refreshed.status, 200);
    let list = stage
        .ask(Ask::get("/sessions").bearer(&second["access_token"]))
        .await;
    let start = START.as_secs();
    assert_eq!(
        list.json(),
        json!({ "sessions": [
            {
                "session_id": first["session_id"],
                "current": false,
                "device_info": "test",
                "ip": "198.51.100.7",
                "created_at": start,
                "last_seen_at": start + 120,
            },
            {
                "session_id": second["session_id"],
                "current": true,
                "device_info": "test",
                "ip": "192.0.2.1",
                "created_at": start + 60,
                "last_seen_at": start + 60,
            },
        ] })
    );
}

#[tokio::test]
async fn a_session_that_is_ended_is_over_with_the_next_request() {
    let stage = Stage::new().await;
    let first = stage.login(NUMBER).await;
    let second = stage.login(NUMBER).await;
    let path = format!("/sessions/{}", second["session_id"].as_str().unwrap());
    let delete = || Ask::new("DELETE", &path).bearer(&first["access_token"]);
    let ended = stage.ask(delete()).await;
    assert_eq!(ended.status, 204);
    assert!(ended.body.is_empty());
    let after = me(&stage, &second).await;
    assert_eq!(after.refusal(), (401, "session_revoked".to_owned()));
    assert_eq!(
        refresh(&stage, &second["refresh_token"]).await.refusal(),
        invalid_grant()
    );
    assert_eq!(me(&stage, &first).await.status, 200);
    assert_eq!(
        stage.ask(delete()).await.refusal(),
        (404, "not_found".to_owned())
    );
    assert_eq!(stage.metric("sessions_revoked_total"), 1);
}

#[tokio::test]
async fn somebody_elses_session_is_as_unknown_as_none() {
    let stage = Stage::new().await;
    let mine = stage.login(NUMBER).await;
    let theirs = stage.login("+16502530001").await;
    let mut answers = Vec::new();
    for id in [
        theirs["session_id"].as_str().unwrap(),
        &"f".repeat(32),
        "x",
        "%00",
    ] {
        let delete = Ask::new("DELETE", &format!("/sessions/{id}"));
        let answer = stage.ask(delete.bearer(&mine["access_token"])).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{id}");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(me(&stage, &theirs).await.status, 200);
}

#[tokio::test]
async fn one_login_too_many_ends_the_session_unused_for_longest() {
    let stage = Stage::with(
        crate::auth::Spec {
            limits: vec![],
            ..super::stage::spec()
        },
        64,
    )
    .await;
    let mut logins = Vec::new();
    for _ in 0..=20 {
        stage.clock.advance(Duration::from_secs(1));
        logins.push(stage.login(NUMBER).await);
    }
    let after = me(&stage, &logins[0]).await;
    assert_eq!(after.refusal(), (401, "session_revoked".to_owned()));
    assert_eq!(me(&stage, &logins[1]).await.status, 200);
    assert_eq!(me(&stage, &logins[20]).await.status, 200);
}
