//! How many requests may come, of whom, and what who comes too fast is told.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use serde_json::json;

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage,
    client::{Answer, Connection},
    grpc::Caller,
    h2::H2,
    upstream::{Upstream, reply},
    wire::Wire,
};

const SECOND: Duration = Duration::from_secs(1);

/// A route that needs no token, and how many may take it.
fn open(limits: &str) -> String {
    format!("[[routes]]\npath = \"/\"\nauth = \"none\"\nlimits = {limits}")
}

#[tokio::test]
async fn who_comes_too_fast_is_told_until_when_and_everybody_else_how_much_is_left() {
    let stage = Stage::with(&[&open("[\"3/30s per ip\"]")]).await;
    for left in [2, 1, 0] {
        let answer = stage.get("/").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"ip\";q=3;w=30");
        let full_in = (3 - left) * 10;
        assert_eq!(answer.header("ratelimit"), format!("\"ip\";r={left};t={full_in}"));
    }
    stage.pass(Duration::from_millis(1500));
    let refused = stage.get("/").send().await;
    is_limited(&refused, "ip");
    // Rounded up: who comes back then must not be sent away again.
    assert_eq!(refused.header("retry-after"), "9");
    assert_eq!(refused.header("ratelimit-policy"), "\"ip\";q=3;w=30");
    assert_eq!(refused.header("ratelimit"), "\"ip\";r=0;t=9");
    assert_eq!(refused.json()["retry_after"], 9);
    stage.pass(SECOND * 9);
    assert_eq!(stage.get("/").send().await.status, 200);
    is_limited(&stage.get("/").send().await, "ip");

    assert_eq!(stage.upstream.seen().len(), 4);
    let counted = "rate_limited_total{route=\"/\",limit=\"3/30s per ip\"}";
    assert_eq!(stage.metric(counted).await, 2);
    let is_told = |line: &str| line.contains("code=rate_limited");
    stage.access_log.line(is_told).await;
}

#[tokio::test]
async fn one_connection_has_the_whole_rate_and_many_have_no_more() {
    let stage = Stage::with(&["server.workers = 4", &open("[\"8/m per ip\"]")]).await;
    let mut one = Connection::open(stage.address).await;
    for _ in 0..4 {
        assert_eq!(one.send(stage.get("/")).await.status, 200);
    }
    let mut passed = 0;
    for _ in 0..16 {
        passed += usize::from(stage.get("/").send().await.status == 200);
    }
    assert_eq!(passed, 4);
    is_limited(&one.send(stage.get("/")).await, "ip");
}

#[tokio::test]
async fn many_at_the_same_time_are_no_more_than_one_after_the_other() {
    let stage = Stage::with(&[&open("[\"10/m per ip\", \"12/m per all\"]")]).await;
    let calls = (0..40).map(|_| tokio::spawn(stage.get("/").send()));
    let mut passed = 0;
    for call in calls.collect::<Vec<_>>() {
        passed += usize::from(call.await.expect("no panic").status == 200);
    }
    assert_eq!(passed, 10);
}

#[tokio::test]
async fn guessing_tokens_is_throttled_before_a_token_is_looked_at() {
    let stage = Stage::with(&[BEHIND_A_PROXY, "server.limits.requests = [\"5/m per ip\"]"]).await;
    let token = stage.log_in(PHONE).await.access;
    for _ in 0..5 {
        let guess = stage.get("/").bearer("e30.e30.e30").sent_from("203.0.113.7");
        guess.send().await.is_refused(401, "invalid_token");
    }
    let right = || stage.get("/").bearer(&token);
    is_limited(&right().sent_from("203.0.113.7").send().await, "ip");
    assert_eq!(right().sent_from("203.0.113.8").send().await.status, 200);
}

#[tokio::test]
async fn a_person_is_one_from_wherever_and_however_often_they_are_logged_in() {
    let stage = Stage::with(&[
        BEHIND_A_PROXY,
        "[[routes]]\npath = \"/\"\nlimits = [\"3/m per subject\", \"2/m per session\"]",
    ])
    .await;
    let phone = stage.log_in(PHONE).await.access;
    let laptop = stage.log_in(PHONE).await.access;
    let call = |token: &str, ip| stage.get("/").bearer(token).sent_from(ip).send();
    assert_eq!(call(&phone, "192.0.2.1").await.status, 200);
    assert_eq!(call(&phone, "192.0.2.2").await.status, 200);
    is_limited(&call(&phone, "192.0.2.3").await, "session");
    // What the session's limit refused was not taken from the person's.
    assert_eq!(call(&laptop, "192.0.2.1").await.header("ratelimit"), "\"subject\";r=0;t=60");
    is_limited(&call(&laptop, "192.0.2.1").await, "subject");
    let other = stage.log_in("+14155550101").await.access;
    assert_eq!(call(&other, "192.0.2.1").await.status, 200);
}

#[tokio::test]
async fn nobody_without_a_token_uses_up_what_is_for_those_with_one() {
    let stage = Stage::with(&["[[routes]]\npath = \"/\"\nlimits = [\"2/m per all\"]"]).await;
    let token = stage.log_in(PHONE).await.access;
    for _ in 0..20 {
        stage.get("/").send().await.is_refused(401, "missing_token");
    }
    for _ in 0..2 {
        assert_eq!(stage.get("/").bearer(&token).send().await.status, 200);
    }
    is_limited(&stage.get("/").bearer(&token).send().await, "all");
}

#[tokio::test]
async fn where_a_token_is_optional_a_person_is_counted_and_a_stranger_is_not() {
    let route = "[[routes]]\npath = \"/\"\nauth = \"optional\"\nlimits = [\"1/m per subject\"]";
    let stage = Stage::with(&[route]).await;
    let token = stage.log_in(PHONE).await.access;
    assert_eq!(stage.get("/").bearer(&token).send().await.status, 200);
    is_limited(&stage.get("/").bearer(&token).send().await, "subject");
    for _ in 0..3 {
        let answer = stage.get("/").send().await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("ratelimit"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_gateways_own_endpoints_and_ways_to_nowhere_count_like_all_others() {
    let route = "[[routes]]\npath = \"/app\"\nauth = \"none\"";
    let settings = ["server.limits.requests = [\"4/m per ip\"]", route];
    let stage = Stage::with(&settings).await;
    assert_eq!(stage.get("/app").send().await.status, 200);
    stage.get("/nowhere").send().await.is_refused(404, "not_found");
    stage.get("/app/../x").send().await.is_refused(400, "invalid_request_target");
    let keys = stage.get("/api/auth/.well-known/jwks.json").send().await;
    assert_eq!(keys.header("ratelimit"), "\"ip\";r=0;t=60");
    for path in ["/app", "/nowhere", "/app/../x", "/api/auth/login"] {
        is_limited(&stage.get(path).send().await, "ip");
    }
}

#[tokio::test]
async fn at_the_gateways_own_endpoints_a_person_is_a_person_too() {
    let limits = "server.limits.requests = [\"3/m per subject\"]";
    let stage = Stage::with(&[limits]).await;
    let (mine, other) = (stage.log_in(PHONE).await, stage.log_in("+14155550101").await);
    let me = |token: &str| stage.get("/api/auth/me").bearer(token).send();
    assert_eq!(me(&mine.access).await.status, 200);
    assert_eq!(stage.get("/").bearer(&mine.access).send().await.status, 200);
    let sessions = stage.get("/api/auth/sessions").bearer(&mine.access);
    assert_eq!(sessions.send().await.status, 200);
    is_limited(&me(&mine.access).await, "subject");
    let logout = stage.post("/api/auth/logout").bearer(&mine.access);
    is_limited(&logout.send().await, "subject");
    // Neither somebody else, nor who is nobody: their refusals are those of the endpoint.
    assert_eq!(me(&other.access).await.status, 200);
    for _ in 0..4 {
        me("nonsense").await.is_refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn who_calls_by_grpc_is_told_in_its_words() {
    let stage = Stage::with(&[&open("[\"1/30s per ip\"]")]).await;
    assert_eq!(stage.get("/").send().await.status, 200);
    let caller = Caller::to(stage.address).await;
    let ended = caller.ask(&[], b"hello").await;
    ended.is_refused("8", "rate_limited");
    assert_eq!(ended.head["grpc-retry-pushback-ms"], "30000");
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_handshake_counts_like_any_other_request() {
    let stage = Stage::with(&[&open("[\"1/30s per ip\"]")]).await;
    assert_eq!(stage.get("/").send().await.status, 200);
    let handshake = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let call = stage.get("/");
    let call = handshake.iter().fold(call, |call, (name, value)| call.header(name, value));
    let refused = call.send().await;
    is_limited(&refused, "ip");
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_subscriber_of_ipv6_is_one_address_however_many_it_has() {
    let stage = Stage::with(&[BEHIND_A_PROXY, &open("[\"1/m per ip\"]")]).await;
    let from = |ip| stage.get("/").sent_from(ip).send();
    assert_eq!(from("2001:db8:1:2::1").await.status, 200);
    is_limited(&from("2001:db8:1:2:ffff:ffff:ffff:ffff").await, "ip");
    assert_eq!(from("2001:db8:1:3::1").await.status, 200);
    assert_eq!(from("203.0.113.7").await.status, 200);
    is_limited(&from("::ffff:203.0.113.7").await, "ip");
}

#[tokio::test]
async fn routes_have_limits_of_their_own_and_those_without_say_nothing_of_limits() {
    let limited = "[[routes]]\npath = \"/a\"\nauth = \"none\"\nlimits = [\"1/m per ip\"]";
    let other = limited.replace("/a", "/b");
    let free = "[[routes]]\npath = \"/c\"\nauth = \"none\"";
    let stage = Stage::with(&[limited, &other, free]).await;
    assert_eq!(stage.get("/a/x").send().await.status, 200);
    is_limited(&stage.get("/a/y").send().await, "ip");
    assert_eq!(stage.get("/b").send().await.status, 200);
    for _ in 0..3 {
        let answer = stage.get("/c").send().await;
        assert_eq!(answer.status, 200);
        for header in ["ratelimit", "ratelimit-policy"] {
            assert!(!answer.headers.contains_key(header), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_burst_may_be_smaller_or_larger_than_the_rate() {
    let stage = Stage::with(&[&open("[\"10/s burst 2 per ip\"]")]).await;
    for _ in 0..2 {
        assert_eq!(stage.get("/").send().await.status, 200);
    }
    is_limited(&stage.get("/").send().await, "ip");
    stage.pass(Duration::from_millis(100));
    assert_eq!(stage.get("/").send().await.status, 200);
    is_limited(&stage.get("/").send().await, "ip");
    // However long nobody comes, no more is saved up.
    stage.pass(SECOND * 3600);
    for _ in 0..2 {
        assert_eq!(stage.get("/").send().await.status, 200);
    }
    is_limited(&stage.get("/").send().await, "ip");
}

#[tokio::test]
async fn an_app_that_speaks_of_limits_itself_is_right() {
    let upstream = Upstream::doing(|_| {
        Box::pin(async {
            let mut reply = reply("ok");
            let own = "\"app\";r=7;t=8".parse().expect("a value");
            reply.headers_mut().insert("ratelimit", own);
            reply
        })
    })
    .await;
    let stage = Stage::over(upstream, &[&open("[\"3/m per ip\"]")]).await;
    let answer = stage.get("/").send().await;
    assert_eq!(answer.header("ratelimit"), "\"app\";r=7;t=8");
    assert!(!answer.headers.contains_key("ratelimit-policy"));
}

#[tokio::test]
async fn a_body_is_not_asked_for_when_its_request_comes_too_early() {
    let stage = Stage::with(&[&open("[\"1/m per ip\"]")]).await;
    assert_eq!(stage.get("/").send().await.status, 200);
    let mut wire = Wire::to(stage.address).await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    is_limited(&wire.answer().await, "ip");
}

#[tokio::test]
async fn every_stream_of_a_connection_counts() {
    let stage = Stage::with(&[&open("[\"5/m per ip\"]")]).await;
    let (h2, _connection) = H2::to(stage.address).await;
    let mut passed = 0;
    for _ in 0..20 {
        let request = Request::get(format!("http://{}/", stage.address));
        let request = request.body(Empty::new().boxed()).expect("a request");
        passed += usize::from(h2.send(request).await.status == 200);
    }
    assert_eq!(passed, 5);
}

#[tokio::test]
async fn a_shared_limit_is_exact_in_any_window() {
    let stage = Stage::with(&[&open("[\"3/30s per ip shared\"]")]).await;
    let mut passed_at: Vec<u64> = Vec::new();
    // Bursts that the generic cell rate would let through.
    for wait in [0, 1, 9_999, 0, 10_000, 9_999, 1, 0, 10_000, 30_000, 0, 0, 0, 1] {
        stage.pass(Duration::from_millis(wait));
        let now = stage.clock.now().as_millis();
        let inside: Vec<_> = passed_at.iter().filter(|at| now - **at < 30_000).collect();
        let answer = stage.get("/").send().await;
        assert_eq!(answer.status == 200, inside.len() < 3, "at {now} after {passed_at:?}");
        if answer.status == 200 {
            passed_at.push(now);
            continue;
        }
        is_limited(&answer, "ip");
        let wait = (*inside[0] + 30_000 - now).div_ceil(1000);
        assert_eq!(answer.header("ratelimit"), format!("\"ip\";r=0;t={wait}"));
    }
    assert!(passed_at.len() > 6, "the scenario tries little: {passed_at:?}");
}

#[tokio::test]
async fn what_a_shared_limit_refuses_is_not_taken_from_the_others() {
    let limits = "[\"4/m per all\", \"2/m per session shared\", \"9/m per subject shared\"]";
    let stage = Stage::with(&[&format!("[[routes]]\npath = \"/\"\nlimits = {limits}")]).await;
    let greedy = stage.log_in(PHONE).await.access;
    let other = stage.log_in(PHONE).await.access;
    let call = |token: &str| stage.get("/").bearer(token).send();
    assert_eq!(call(&greedy).await.header("ratelimit"), "\"all\";r=3;t=15");
    assert_eq!(call(&greedy).await.status, 200);
    for _ in 0..20 {
        is_limited(&call(&greedy).await, "session");
    }
    for _ in 0..2 {
        assert_eq!(call(&other).await.status, 200);
    }
    is_limited(&call(&other).await, "all");
    let counted = "rate_limited_total{route=\"/\",limit=\"2/60s per session shared\"}";
    assert_eq!(stage.metric(counted).await, 20);
}

#[track_caller]
fn is_limited(answer: &Answer, policy: &str) {
    answer.is_refused(429, "rate_limited");
    assert_eq!(answer.json()["violated-policies"], json!([policy]));
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(!answer.header(header).is_empty());
    }
}
