//! A hundred requests at once: what may happen once happens once, and no limit gives way.

use std::collections::HashSet;

use serde_json::json;
use tokio::task::JoinSet;

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage, Tokens,
    client::{Answer, Call, Connection},
    inbox::wrong_for,
};

const MANY: usize = 100;

#[tokio::test]
async fn of_a_hundred_right_answers_one_opens_a_session() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let answers = at_once(&stage, |_| stage.verify_otp(PHONE, &code)).await;
    let (right, wrong): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!(right.len(), 1);
    for answer in wrong {
        answer.is_wrong_code(None);
    }
    let tokens = Tokens::of(&right[0].json());
    assert_eq!(sessions(&stage, &tokens).await, 1);
}

#[tokio::test]
async fn of_a_hundred_requests_for_a_code_three_are_answered_with_one() {
    let stage = Stage::with(&["otp.limits = [\"3/30m per phone\"]"]).await;
    let answers = at_once(&stage, |_| stage.send_otp(PHONE)).await;
    assert_eq!(passed(&answers), 3);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.is_refused(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), "1800");
    }
    stage.settle().await;
    let messages = stage.inbox.messages_to(PHONE);
    // One that is not on its way yet gives way to the next one.
    assert!((1..=3).contains(&messages.len()), "{messages:?}");
    assert_eq!(messages.iter().collect::<HashSet<_>>().len(), 1, "one code");
}

#[tokio::test]
async fn of_a_hundred_numbers_twenty_get_a_code_from_one_address() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let answers = at_once(&stage, |number| {
        let call = stage.send_otp(&format!("+141555501{number:02}"));
        call.sent_from("203.0.113.7")
    });
    assert_eq!(passed(&answers.await), 20);
    stage.settle().await;
    assert_eq!(stage.inbox.lines().len(), 21);
}

#[tokio::test]
async fn a_hundred_refreshes_with_one_token_have_one_successor() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let body = json!({ "refresh_token": tokens.refresh });
    let answers = at_once(&stage, |_| stage.post("/api/auth/refresh").json(&body)).await;
    assert_eq!(passed(&answers), MANY);
    let successors: HashSet<String> = answers
        .iter()
        .map(|answer| Tokens::of(&answer.json()).refresh)
        .collect();
    assert_eq!(successors.len(), 1);
    for successor in successors {
        assert_ne!(successor, tokens.refresh);
        assert_eq!(stage.refresh(&successor).await.status, 200);
    }
}

#[tokio::test]
async fn of_a_hundred_wrong_answers_five_are_judged() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let wrong = wrong_for(&code);
    let answers = at_once(&stage, |_| stage.verify_otp(PHONE, &wrong)).await;
    let mut left: Vec<u64> = answers
        .iter()
        .map(|answer| answer.json()["attempts_left"].as_u64().expect("a number"))
        .collect();
    left.sort_unstable();
    let judged: Vec<u64> = left.split_off(MANY - 5 + 1);
    assert_eq!(judged, [1, 2, 3, 4]);
    assert!(left.iter().all(|left| *left == 0));
    stage.answer(PHONE, &code).await.is_wrong_code(Some(0));
}

#[tokio::test]
async fn guessing_from_a_hundred_addresses_at_once_gives_no_more_guesses() {
    let stage = Stage::with(&[BEHIND_A_PROXY, "otp.max_failures = 20"]).await;
    stage.send_otp(PHONE).sent_from("203.0.113.1").send().await;
    let code = stage.inbox.code_for(PHONE).await;
    let wrong = wrong_for(&code);
    let answers = at_once(&stage, |guesser| {
        let call = stage.verify_otp(PHONE, &wrong);
        call.sent_from(&format!("198.51.100.{guesser}"))
    });
    for answer in answers.await {
        answer.is_wrong_code(None);
    }
    // The right code comes too late for strangers, and in time for the owner.
    let stranger = stage.verify_otp(PHONE, &code).sent_from("198.51.100.200");
    stranger.send().await.is_wrong_code(None);
    let owner = stage.verify_otp(PHONE, &code).sent_from("203.0.113.1");
    assert_eq!(owner.send().await.status, 200);
}

#[tokio::test]
async fn a_logout_among_refreshes_has_the_last_word() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let body = json!({ "refresh_token": tokens.refresh });
    let answers = at_once(&stage, |at| match at {
        50 => stage.post("/api/auth/logout").bearer(&tokens.access),
        _ => stage.post("/api/auth/refresh").json(&body),
    });
    let mut all: Vec<String> = Vec::new();
    for answer in answers.await {
        match answer.status.as_u16() {
            200 => all.push(Tokens::of(&answer.json()).access),
            204 => {}
            _ => answer.is_refused(400, "invalid_grant"),
        }
    }
    all.push(tokens.access);
    for access in all {
        let answer = stage.get("/orders").bearer(&access).send().await;
        answer.is_refused(401, "session_revoked");
    }
}

/// Sends a hundred requests, each on a connection that stands already.
pub async fn at_once(stage: &Stage, call: impl Fn(usize) -> Call) -> Vec<Answer> {
    let mut connections = Vec::new();
    for _ in 0..MANY {
        connections.push(Connection::open(stage.address).await);
    }
    let mut answers = JoinSet::new();
    for (at, mut connection) in connections.into_iter().enumerate() {
        let call = call(at);
        answers.spawn(async move { connection.send(call).await });
    }
    answers.join_all().await
}

fn passed(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

async fn sessions(stage: &Stage, tokens: &Tokens) -> usize {
    let listed = stage.get("/api/auth/sessions").bearer(&tokens.access);
    let listed = listed.send().await.json();
    listed["sessions"].as_array().map_or(0, Vec::len)
}
