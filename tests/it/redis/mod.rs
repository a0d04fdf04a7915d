//! Gateways that share a Redis, and what they do when it fails.

mod servers;

mod doors;

mod refusing;

mod secrecy;

mod throttle;

mod together;

mod outages;

mod lines;

mod failover;

mod fire;

mod moving;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tokio::time::{interval, timeout};

use crate::stage::{PATIENCE, Stage, Tokens, client::Call};

/// How long the store may take.
const DEADLINE: Duration = Duration::from_millis(500);

/// How soon everything works again when Redis does.
const RECOVERY: Duration = Duration::from_secs(2);

/// What a machine that has more to do than this test may add.
const SLACK: Duration = Duration::from_secs(3);

/// A gateway whose store is there. Its time is the machine's, so that the time of the store is Redis's.
async fn gateway(store: &str) -> Stage {
    open(store, DEADLINE, &[]).await
}

/// One that waits for the store as long as a test does.
async fn patient_gateway(store: &str) -> Stage {
    open(store, PATIENCE / 2, &[]).await
}

/// One that has the keys of another one.
async fn beside(other: &Stage, store: &str) -> Stage {
    let keys = other.dir.path().join("keys");
    let keys = format!("tokens.keys = \"{}\"", keys.display());
    open(store, DEADLINE, &[&keys]).await
}

async fn open(store: &str, deadline: Duration, more: &[&str]) -> Stage {
    let (store, deadline) = (
        format!("store.url = \"{store}\""),
        format!("store.deadline = \"{}ms\"", deadline.as_millis()),
    );
    let mut settings = vec![
        &*store,
        &*deadline,
        "server.secret = \"a secret that all of the gateways know\"",
        "tokens.issuer = \"https://login.test\"",
        "otp.limits = [\"3/30m per phone\", \"1000/1h per ip\"]",
    ];
    settings.extend(more);
    Stage::at_present(&settings).await
}

/// A number that nobody else in this test has.
fn phone() -> String {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    format!("+1415556{:04}", GIVEN.fetch_add(1, Ordering::Relaxed))
}

/// Asserts that the store is out, that this is said in time, and that nothing else suffers from it.
/// Who is `leaving` tries to log out: nobody knows whether that succeeds.
async fn is_out(stage: &Stage, kept: &Tokens, leaving: &Tokens) {
    let refresh = stage
        .post("/api/auth/refresh")
        .json(&serde_json::json!({ "refresh_token": leaving.refresh }));
    let logout = stage.post("/api/auth/logout").bearer(&leaving.access);
    tokio::join!(
        is_refused(stage.send_otp(&phone())),
        is_refused(stage.verify_otp(&phone(), "000000")),
        is_refused(refresh),
        is_refused(logout),
        is_refused(stage.get("/api/auth/sessions").bearer(&kept.access)),
        async {
            let asked = Instant::now();
            for _ in 0..10 {
                passes(stage, kept).await;
            }
            assert!(asked.elapsed() < 5 * DEADLINE, "they waited for the store");
        },
    );
    let ready = stage.operators("/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["store"], "unavailable");
}

/// Asserts that a token is good at the app, no matter how the store is.
async fn passes(stage: &Stage, tokens: &Tokens) {
    let passed = stage.get("/orders").bearer(&tokens.access).send().await;
    assert_eq!(passed.status, 200, "{passed:?}");
}

/// Asserts that an endpoint gives up in time.
async fn is_refused(call: Call) {
    let asked = Instant::now();
    let answer = call.send().await;
    let took = asked.elapsed();
    answer.is_refused(503, "store_unavailable");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!(wait > 0);
    assert!(took < DEADLINE + SLACK, "{took:?}");
}

/// Asserts that soon after `since` all workers send codes again, and know all that was revoked.
async fn is_back(stage: &Stage, since: Instant) {
    // Who takes a connection is left to chance; that none of these meets one of two workers is not.
    until(|| async {
        for _ in 0..16 {
            if stage.ask_for_code(&phone()).await.status != 200 {
                return false;
            }
        }
        true
    })
    .await;
    until(|| async {
        let ready = stage.operators("/ready").await;
        ready.status == 200 && ready.json()["revocations"] == "fresh"
    })
    .await;
    let took = since.elapsed();
    assert!(took < RECOVERY + SLACK, "{took:?}");
}

/// Asks again until it is so.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    let asking = async {
        let mut pause = interval(Duration::from_millis(20));
        while !is_so().await {
            pause.tick().await;
        }
    };
    timeout(PATIENCE, asking).await.expect("in time");
}

/// How many sessions somebody has.
async fn sessions(stage: &Stage, tokens: &Tokens) -> usize {
    let listed = stage.get("/api/auth/sessions").bearer(&tokens.access);
    let listed = listed.send().await.json();
    listed["sessions"].as_array().map_or(0, Vec::len)
}
