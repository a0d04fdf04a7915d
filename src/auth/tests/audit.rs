//! What is logged of all that happens: every event, and nothing that would let a reader log in.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

use super::stage::{self, Ask, NUMBER, Stage, TEST_CODE, TEST_NUMBER};
use crate::{
    auth::{Guard, Mode, Spec},
    domain::{budget::Budget, prices::Prices, quota::Per},
};

/// Everything logged in this thread, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .without_time()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The events of the audit log.
    fn events(&self) -> Vec<Value> {
        let lines = self.text();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let audit = lines.filter(|line: &Value| line["target"] == "audit");
        audit.map(|line| line["fields"].clone()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_step_is_told_with_its_phone_masked_and_its_session_named() {
    let stage = Stage::new().await;
    let (log, _guard) = Log::begin();
    let login = stage.login(NUMBER).await;
    stage.verify(NUMBER, "000000").await;
    for _ in 0..3 {
        stage.send(NUMBER).await;
    }
    let token = json!({ "refresh_token": login["refresh_token"] });
    stage.ask(Ask::post("/refresh", &token)).await;
    stage.clock.advance(Duration::from_mins(1));
    stage.ask(Ask::post("/refresh", &token)).await;
    stage.send(TEST_NUMBER).await;
    let tested = stage.verify(TEST_NUMBER, TEST_CODE).await.json();
    let logout = Ask::new("POST", "/logout").header("x-request-id", "r-7");
    stage.ask(logout.bearer(&tested["access_token"])).await;

    let (mine, theirs) = (login["session_id"].clone(), tested["session_id"].clone());
    let told: Vec<_> = log
        .events()
        .into_iter()
        .map(|event| {
            assert_eq!(event["ip"], "192.0.2.1");
            [&event["event"], &event["phone"], &event["session"]].map(Clone::clone)
        })
        .collect();
    let (phone, test) = (json!("+1********00"), json!("+1********99"));
    let none = Value::Null;
    let expected = [
        ("otp.sent", &phone, &none),
        ("otp.verified", &phone, &mine),
        ("otp.wrong", &phone, &none),
        ("otp.sent", &phone, &none),
        ("otp.sent", &phone, &none),
        ("otp.limited", &phone, &none),
        ("session.refreshed", &none, &mine),
        ("session.replayed", &none, &mine),
        ("otp.test_number", &test, &none),
        ("otp.verified", &test, &theirs),
        ("otp.test_number", &test, &theirs),
        ("session.revoked", &none, &theirs),
    ];
    let expected =
        expected.map(|(event, phone, session)| [json!(event), phone.clone(), session.clone()]);
    assert_eq!(told, expected);
    assert_eq!(log.events()[5]["policy"], "phone");
    assert_eq!(log.events()[11]["request_id"], "r-7");
}

#[tokio::test]
async fn no_log_line_holds_a_code_a_token_or_a_whole_number() {
    let stage = Stage::new().await;
    let (log, _guard) = Log::begin();
    let login = stage.login(NUMBER).await;
    let code = stage.code().await;
    stage.verify(NUMBER, "424242").await;
    let token = json!({ "refresh_token": login["refresh_token"] });
    let next = stage.ask(Ask::post("/refresh", &token)).await.json();
    stage
        .ask(Ask::get("/me").bearer(&json!("forged.forged.forged")))
        .await;
    stage.clock.advance(Duration::from_mins(1));
    stage.ask(Ask::post("/refresh", &token)).await;
    stage
        .ask(Ask::form("/login", &[("mobile_number", NUMBER)]))
        .await;
    stage.store.close().await;
    stage.send(NUMBER).await;
    let text = log.text();
    assert!(text.contains("otp.sent"));
    let signature = |token: &Value| {
        let token = token.as_str().unwrap();
        token.rsplit('.').next().unwrap().to_owned()
    };
    for secret in [
        code,
        "424242".to_owned(),
        NUMBER.to_owned(),
        NUMBER[2..].to_owned(),
        signature(&login["access_token"]),
        signature(&login["refresh_token"]),
        signature(&next["refresh_token"]),
        "forged".to_owned(),
    ] {
        assert!(!text.contains(&secret), "{secret} is in the log:\n{text}");
    }
}

#[tokio::test]
async fn a_suspicion_is_told_with_the_place_what_it_deserves_and_what_became_of_it() {
    let guard = Guard {
        mode: Mode::Enforce,
        exempt: Vec::new(),
    };
    let limits = Vec::new();
    let spec = Spec {
        limits,
        guard,
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    let (log, _guard) = Log::begin();
    for _ in 0..7 {
        stage.send(NUMBER).await;
    }
    let events = log.events();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "otp.suspected");
    assert_eq!(last["level"], "network");
    assert_eq!(last["rule"], "debt");
    assert_eq!(last["deserves"], "proof of 16 bits");
    assert_eq!(last["verdict"], "proof_required");
    assert!(
        events
            .iter()
            .rev()
            .skip(1)
            .all(|event| event["event"] == "otp.sent")
    );
}

#[tokio::test]
async fn a_number_that_is_not_written_to_is_told_with_the_rule_that_says_so() {
    let stage = Stage::new().await;
    let (log, _guard) = Log::begin();
    stage.send("+37410123456").await;
    stage.send("+1 900 234 5678").await;
    let [country, kind] = &log.events()[..] else {
        panic!("two events");
    };
    assert_eq!(country["event"], "otp.refused");
    assert_eq!(country["rule"], "country");
    assert!(country["type"].is_null());
    assert_eq!(kind["event"], "otp.refused");
    assert_eq!(kind["rule"], "type");
    assert_eq!(kind["type"], "premium_rate");
    assert_eq!(stage.metric("otp_sends_total{result=\"refused\"}"), 2);
}

#[tokio::test]
async fn a_spent_budget_is_told_by_its_name_and_once_before_it_is_spent() {
    let budget = Budget {
        max: "5.00".parse().unwrap(),
        window: Duration::from_hours(24),
        per: Per::Country,
    };
    let spec = Spec {
        limits: Vec::new(),
        budgets: vec![budget],
        prices: Prices::new(Vec::new(), Some("1.00".parse().unwrap())),
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    let (log, _guard) = Log::begin();
    for _ in 0..6 {
        stage.send(NUMBER).await;
    }
    let events = log.events();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "otp.limited");
    assert_eq!(last["policy"], "budget");
    assert_eq!(last["budget"], "5.00/1d per country");
    let text = log.text();
    let warned = "four fifths of a budget for messages are spent";
    assert_eq!(text.matches(warned).count(), 1, "{text}");
}
