//! A gateway that would rather refuse everybody than accept somebody who has logged out: `session.on_store_outage = "refuse"`.

use std::time::Instant;

use super::{DEADLINE, RECOVERY, SLACK, gateway, open, passes, until};
use crate::stage::{
    PHONE, Stage,
    client::Call,
    redis::{Cutter, RedisServer, Weather},
};

const ROUTES: &str = r#"
[[routes]]
path = "/"
[[routes]]
path = "/half"
auth = "optional"
[[routes]]
path = "/open"
auth = "none"
"#;

#[tokio::test]
async fn it_accepts_no_token_while_its_redis_is_silent_and_lets_everybody_in_who_needs_none() {
    let redis = RedisServer::start();
    let (_, b) = both(&redis, &url(&redis)).await;
    let tokens = b.log_in(PHONE).await;
    let with_token = |path: &str| b.get(path).bearer(&tokens.access);
    for path in [
        "/orders",
        "/half",
        "/open",
        "/api/auth/me",
        "/api/auth/check",
    ] {
        assert_eq!(with_token(path).send().await.status, 200, "{path}");
    }
    assert_eq!(b.metric("revocations_fresh").await, 1);

    redis.freeze();
    is(&b, "stale").await;
    for path in [
        "/orders",
        "/half",
        "/api/auth/me",
        "/api/auth/check",
        "/api/auth/sessions",
    ] {
        is_unknown(with_token(path)).await;
    }
    let end = format!("/api/auth/sessions/{}", tokens.session);
    is_unknown(b.call("DELETE", &end).bearer(&tokens.access)).await;
    assert_eq!(with_token("/open").send().await.status, 200);
    for path in ["/half", "/open"] {
        assert_eq!(b.get(path).send().await.status, 200, "{path}");
    }
    b.get("/orders")
        .send()
        .await
        .is_refused(401, "missing_token");
    let nonsense = b.get("/orders").bearer("a.b.c").send().await;
    nonsense.is_refused(401, "invalid_token");
    assert_eq!(b.operators("/ready").await.status, 503);
    assert_eq!(b.metric("revocations_fresh").await, 0);
    assert_eq!(b.metric("revocations_unsure_total").await, 6);

    redis.thaw();
    let since = Instant::now();
    until(|| async { with_token("/orders").send().await.status == 200 }).await;
    assert!(since.elapsed() < RECOVERY + SLACK, "{:?}", since.elapsed());
}

#[tokio::test]
async fn it_never_accepts_a_token_that_was_logged_out_while_it_heard_nothing() {
    let redis = RedisServer::start();
    let line = Cutter::before(redis.address());
    let (a, b) = both(&redis, &format!("redis://{}", line.address())).await;
    for _ in 0..3 {
        // One logout may be known before it is known that nothing else was missed.
        is(&b, "fresh").await;
        let gone = a.log_in(PHONE).await;
        let orders = || b.get("/orders").bearer(&gone.access);
        assert_eq!(orders().send().await.status, 200);
        line.set(Weather::Silent);
        is(&b, "stale").await;
        let logout = a.post("/api/auth/logout").bearer(&gone.access);
        assert_eq!(logout.send().await.status, 204);
        is_unknown(orders()).await;
        line.set(Weather::Clear);
        // From "who knows" to "it has ended", and never back to "come in".
        until(|| async {
            let answer = orders().send().await;
            assert_ne!(answer.status, 200);
            answer.status == 401
        })
        .await;
        orders().send().await.is_refused(401, "session_revoked");
    }
}

#[tokio::test]
async fn beside_it_a_gateway_that_serves_goes_by_what_it_knows() {
    let redis = RedisServer::start();
    let (a, b) = both(&redis, &url(&redis)).await;
    let [gone, kept] = [a.log_in(PHONE).await, a.log_in(PHONE).await];
    let logout = a.post("/api/auth/logout").bearer(&gone.access);
    assert_eq!(logout.send().await.status, 204);
    redis.freeze();
    is(&a, "stale").await;
    is(&b, "stale").await;
    passes(&a, &kept).await;
    is_unknown(b.get("/orders").bearer(&kept.access)).await;
    // What is known is no matter of trust.
    for gateway in [&a, &b] {
        let refused = gateway.get("/orders").bearer(&gone.access).send().await;
        refused.is_refused(401, "session_revoked");
    }
    assert!(a.metric("revocations_unsure_total").await > 0);
}

/// One that serves, and one beside it that refuses and whose way to Redis is `url_of_b`.
async fn both(redis: &RedisServer, url_of_b: &str) -> (Stage, Stage) {
    let a = gateway(&url(redis)).await;
    let keys = format!("tokens.keys = \"{}\"", a.dir.path().join("keys").display());
    let refuse = "session.on_store_outage = \"refuse\"";
    let b = open(url_of_b, DEADLINE, &[&keys, refuse, ROUTES]).await;
    (a, b)
}

fn url(redis: &RedisServer) -> String {
    format!("redis://{}", redis.address())
}

async fn is(gateway: &Stage, revocations: &str) {
    until(|| async { gateway.operators("/ready").await.json()["revocations"] == revocations })
        .await;
}

/// Asserts that it is not known whether the token is good, which costs no time to find out.
async fn is_unknown(call: Call) {
    let asked = Instant::now();
    let answer = call.send().await;
    answer.is_refused(503, "store_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(asked.elapsed() < DEADLINE, "it waited for the store");
}
