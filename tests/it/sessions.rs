//! The list of sessions: where somebody is logged in, and how one of the places is ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{BEHIND_A_PROXY, PHONE, Stage, Tokens, client::Answer};

const MINUTE: Duration = Duration::from_mins(1);
const STRANGER: &str = "+14155550199";

#[tokio::test]
async fn people_see_where_they_are_logged_in_the_latest_first() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let begin = stage.clock.now().as_secs();
    let laptop = log_in(&stage, "laptop", "203.0.113.1").await;
    stage.pass(MINUTE);
    let phone = log_in(&stage, "phone", "2001:db8::7").await;
    stage.log_in(STRANGER).await;
    let listed = list(&stage, &laptop).await;
    assert_eq!(listed.header("cache-control"), "no-store");
    assert_eq!(
        listed.json(),
        json!({ "sessions": [
            {
                "session_id": phone.session,
                "current": false,
                "device_info": "phone",
                "ip": "2001:db8::7",
                "created_at": begin + 60,
                "last_seen_at": begin + 60,
            },
            {
                "session_id": laptop.session,
                "current": true,
                "device_info": "laptop",
                "ip": "203.0.113.1",
                "created_at": begin,
                "last_seen_at": begin,
            },
        ] })
    );

    // A refresh is a sign of life, from wherever it comes.
    stage.pass(MINUTE);
    let refresh = stage.post("/api/auth/refresh");
    let refresh = refresh.json(&json!({ "refresh_token": laptop.refresh }));
    let laptop = Tokens::of(&refresh.sent_from("198.51.100.9").send().await.json());
    let first = list(&stage, &laptop).await.json()["sessions"][0].clone();
    assert_eq!(first["session_id"], laptop.session);
    assert_eq!(first["ip"], "198.51.100.9");
    assert_eq!(first["created_at"], begin);
    assert_eq!(first["last_seen_at"], begin + 120);
}

#[tokio::test]
async fn one_of_several_places_is_ended_at_once_and_stays_off_the_list() {
    let stage = Stage::new().await;
    let (kept, lost) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    let ended = end(&stage, &kept, &lost.session).await;
    assert_eq!(ended.status, 204);
    assert!(ended.body.is_empty());
    let refused = stage.get("/orders").bearer(&lost.access).send().await;
    refused.is_refused(401, "session_revoked");
    let refused = stage.refresh(&lost.refresh).await;
    refused.is_refused(400, "invalid_grant");
    assert_eq!(ids(&list(&stage, &kept).await), [kept.session.as_str()]);
    // It cannot be ended a second time.
    let again = end(&stage, &kept, &lost.session).await;
    again.is_refused(404, "not_found");
}

#[tokio::test]
async fn the_very_session_one_is_in_can_be_ended_too() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    assert_eq!(end(&stage, &tokens, &tokens.session).await.status, 204);
    let answer = list(&stage, &tokens).await;
    answer.is_refused(401, "session_revoked");
}

#[tokio::test]
async fn somebody_elses_session_is_as_unknown_as_one_that_never_was() {
    let stage = Stage::new().await;
    let (own, foreign) = (stage.log_in(PHONE).await, stage.log_in(STRANGER).await);
    let never = "0123456789abcdef0123456789abcdef";
    let mut answers = Vec::new();
    for id in [&foreign.session, never, "x", &own.session.to_uppercase()] {
        let answer = end(&stage, &own, id).await;
        answer.is_refused(404, "not_found");
        answers.push(answer.json());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    for tokens in [&own, &foreign] {
        let answer = stage.get("/orders").bearer(&tokens.access).send().await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_listed_or_ended() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let answer = stage.get("/api/auth/sessions").send().await;
    answer.is_refused(401, "missing_token");
    let path = format!("/api/auth/sessions/{}", tokens.session);
    let answer = stage.call("DELETE", &path).send().await;
    answer.is_refused(401, "missing_token");
    stage.pass(MINUTE * 16);
    for answer in [
        list(&stage, &tokens).await,
        end(&stage, &tokens, &tokens.session).await,
    ] {
        answer.is_refused(401, "token_expired");
    }
    assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_login_too_many_ends_the_session_unused_for_longest() {
    let stage = Stage::with(&["session.max_per_subject = 2", "otp.limits = []"]).await;
    let oldest = stage.log_in(PHONE).await;
    stage.pass(MINUTE);
    let idle = stage.log_in(PHONE).await;
    let bystander = stage.log_in(STRANGER).await;
    stage.pass(MINUTE);
    let used = Tokens::of(&stage.refresh(&oldest.refresh).await.json());
    stage.pass(MINUTE);
    let newest = stage.log_in(PHONE).await;

    assert_eq!(
        ids(&list(&stage, &newest).await),
        [newest.session.as_str(), used.session.as_str()]
    );
    let refused = stage.get("/orders").bearer(&idle.access).send().await;
    refused.is_refused(401, "session_revoked");
    let refused = stage.refresh(&idle.refresh).await;
    refused.is_refused(400, "invalid_grant");
    for tokens in [&used, &newest, &bystander] {
        let answer = stage.get("/orders").bearer(&tokens.access).send().await;
        assert_eq!(answer.status, 200);
    }
}

async fn log_in(stage: &Stage, device: &str, ip: &str) -> Tokens {
    let before = stage.inbox.messages_to(PHONE).len();
    stage.send_otp(PHONE).sent_from(ip).send().await;
    let code = stage.inbox.nth_code_for(PHONE, before + 1).await;
    let body = json!({ "mobile_number": PHONE, "otp": code, "device_info": device });
    let answer = stage.post("/api/auth/verify-otp").json(&body).sent_from(ip);
    Tokens::of(&answer.send().await.json())
}

async fn list(stage: &Stage, tokens: &Tokens) -> Answer {
    let call = stage.get("/api/auth/sessions").bearer(&tokens.access);
    call.send().await
}

async fn end(stage: &Stage, tokens: &Tokens, id: &str) -> Answer {
    let path = format!("/api/auth/sessions/{id}");
    stage
        .call("DELETE", &path)
        .bearer(&tokens.access)
        .send()
        .await
}

fn ids(listed: &Answer) -> Vec<String> {
    let listed = listed.json();
    let sessions = listed["sessions"].as_array().expect("sessions");
    let id = |session: &Value| session["session_id"].as_str().expect("an id").to_owned();
    sessions.iter().map(id).collect()
}
