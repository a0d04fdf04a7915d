//! A good Redis behind a bad line: slow, silent, or cut around a command; and how often it is asked at all.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{DEADLINE, gateway, is_back, is_out, is_refused, open, passes, phone, sessions, until};
use crate::{
    sms::twilio_at,
    stage::{
        PHONE, Stage, Tokens,
        carrier::{Carrier, Manner, saying},
        client::Answer,
        redis::{Cut, Cutter, RedisServer, Weather},
    },
};

/// What a verb is.
const STEP: &str = "EVALSHA";

/// What the courier does in the meantime.
const OF_MESSAGES: &str = "EVALSHA OF MESSAGES";

const CUTS: [Cut; 3] = [Cut::BeforeCommand, Cut::BeforeReply, Cut::InReply];

#[tokio::test]
async fn a_slow_redis_is_waited_for_until_the_deadline() {
    let (_redis, line, stage) = behind_a_line().await;
    let [kept, leaving] = [stage.log_in(PHONE).await, stage.log_in(&phone()).await];
    let delay = Duration::from_millis(100);
    line.set(Weather::Slow(delay));
    let asked = Instant::now();
    let tokens = stage.log_in(&phone()).await;
    assert!(asked.elapsed() >= 2 * delay);
    passes(&stage, &tokens).await;
    line.set(Weather::Slow(Duration::from_secs(5)));
    is_out(&stage, &kept, &leaving).await;
    line.set(Weather::Clear);
    is_back(&stage, Instant::now()).await;
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

#[tokio::test]
async fn a_line_that_goes_silent_is_given_up_in_time_and_found_again() {
    let (_redis, line, stage) = behind_a_line().await;
    let [kept, leaving] = [stage.log_in(PHONE).await, stage.log_in(&phone()).await];
    line.set(Weather::Silent);
    is_out(&stage, &kept, &leaving).await;
    line.set(Weather::Clear);
    is_back(&stage, Instant::now()).await;
    assert_eq!(stage.refresh(&kept.refresh).await.status, 200);
}

#[tokio::test]
async fn a_login_that_breaks_off_opens_one_session_at_most() {
    let (_redis, line, stage) = behind_a_line().await;
    for cut in CUTS {
        let phone = phone();
        let before = stage.log_in(&phone).await;
        stage.ask_for_code(&phone).await;
        let code = stage.inbox.nth_code_for(&phone, 2).await;
        let given = line.count(STEP);
        line.cut_next(STEP, cut);
        is_refused(stage.verify_otp(&phone, &code)).await;
        // It may have happened, so it is not tried again by itself.
        assert_eq!(line.count(STEP), given + 1, "{cut:?}");
        let again = stage.answer(&phone, &code).await;
        match cut {
            Cut::BeforeCommand => assert_eq!(again.status, 200),
            Cut::BeforeReply | Cut::InReply => again.is_wrong_code(None),
        }
        // Whoever was told of it.
        assert_eq!(sessions(&stage, &before).await, 2, "{cut:?}");
    }
}

#[tokio::test]
async fn a_request_for_a_code_that_breaks_off_takes_one_place_at_most() {
    let (_redis, line, stage) = behind_a_line().await;
    for cut in CUTS {
        let phone = phone();
        line.cut_next(STEP, cut);
        is_refused(stage.send_otp(&phone)).await;
        let left = if cut == Cut::BeforeCommand { 3 } else { 2 };
        for _ in 0..left {
            assert_eq!(stage.ask_for_code(&phone).await.status, 200, "{cut:?}");
        }
        let refused = stage.ask_for_code(&phone).await;
        refused.is_refused(429, "rate_limited");
    }
}

#[tokio::test]
async fn a_refresh_that_breaks_off_can_be_asked_for_again() {
    let (_redis, line, stage) = behind_a_line().await;
    for cut in CUTS {
        let tokens = stage.log_in(&phone()).await;
        let refresh = json!({ "refresh_token": tokens.refresh });
        line.cut_next(STEP, cut);
        is_refused(stage.post("/api/auth/refresh").json(&refresh)).await;
        let next = Tokens::of(&stage.refresh(&tokens.refresh).await.json());
        let same = Tokens::of(&stage.refresh(&tokens.refresh).await.json());
        assert_eq!(next.refresh, same.refresh, "{cut:?}");
        assert_eq!(stage.refresh(&next.refresh).await.status, 200, "{cut:?}");
    }
}

#[tokio::test]
async fn a_logout_that_breaks_off_is_done_when_it_is_asked_for_again() {
    let (_redis, line, stage) = behind_a_line().await;
    for cut in CUTS {
        let tokens = stage.log_in(&phone()).await;
        let logout = stage.post("/api/auth/logout").bearer(&tokens.access);
        line.cut_next(STEP, cut);
        is_refused(logout.clone()).await;
        let again = logout.send().await;
        assert_eq!(again.status, 204, "{cut:?}");
        // The first time may have ended it unheard: then this comes as news from Redis.
        until(|| async { orders(&stage, &tokens).await.status == 401 }).await;
        orders(&stage, &tokens)
            .await
            .is_refused(401, "session_revoked");
        let gone = stage.refresh(&tokens.refresh).await;
        gone.is_refused(400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_step_is_one_round_trip_and_a_protected_request_none() {
    let (_redis, line, stage) = behind_a_line().await;
    // Connections and scripts are there afterwards.
    let tokens = stage.log_in(&phone()).await;
    stage.refresh(&tokens.refresh).await;
    let phone = phone();
    let mut given = line.count(STEP);
    let mut steps = |line: &Cutter| {
        let before = std::mem::replace(&mut given, line.count(STEP));
        line.count(STEP) - before
    };
    stage.ask_for_code(&phone).await;
    let code = stage.inbox.code_for(&phone).await;
    assert_eq!(steps(&line), 1, "send-otp");
    let tokens = Tokens::of(&stage.answer(&phone, &code).await.json());
    assert_eq!(steps(&line), 1, "verify-otp");
    let tokens = Tokens::of(&stage.refresh(&tokens.refresh).await.json());
    assert_eq!(steps(&line), 1, "refresh");
    let others = |line: &Cutter| line.total() - line.count(OF_MESSAGES);
    let asked = others(&line);
    for _ in 0..20 {
        passes(&stage, &tokens).await;
    }
    // What listens for news asks now and then whether the line still stands.
    assert!(others(&line) - asked < 20, "protected requests");
    assert_eq!(steps(&line), 0, "protected requests");
}

async fn orders(stage: &Stage, tokens: &Tokens) -> Answer {
    stage.get("/orders").bearer(&tokens.access).send().await
}

#[tokio::test]
async fn what_went_out_while_redis_was_away_is_written_down_later_and_not_sent_again() {
    let carrier = Carrier::start(Manner::Silent).await;
    let redis = RedisServer::start();
    let line = Cutter::before(redis.address());
    let mut settings = twilio_at(carrier.address);
    settings.push("sms.providers = \"twilio\"".to_owned());
    settings.push("sms.timeout = \"1s\"".to_owned());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let store = format!("redis://{}", line.address());
    let stage = open(&store, DEADLINE, &settings).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    carrier.asked(1).await;
    line.set(Weather::Silent);
    let counted = |name: &'static str| {
        let stage = &stage;
        until(move || async move { stage.metric(name).await == 1 })
    };
    counted("sms_messages_total{provider=\"twilio\",result=\"unknown\"}").await;
    line.set(Weather::Clear);
    counted("sms_outcomes_total{outcome=\"unsure\"}").await;
    carrier.treat(saying("201 Created", "", "{\"sid\": \"SM1\"}"));
    let other = phone();
    assert_eq!(stage.ask_for_code(&other).await.status, 200);
    counted("sms_outcomes_total{outcome=\"taken\"}").await;
    assert_eq!(carrier.requests().len(), 2);
}

async fn behind_a_line() -> (RedisServer, Cutter, Stage) {
    let redis = RedisServer::start();
    let line = Cutter::before(redis.address());
    let stage = gateway(&format!("redis://{}", line.address())).await;
    (redis, line, stage)
}
