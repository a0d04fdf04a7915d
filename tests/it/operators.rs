//! What operators see: health, readiness, metrics and the access log, and what nobody else sees.

use serde_json::Value;

use crate::stage::{
    PHONE, Stage,
    client::Call,
    wire::{Puppet, Wire},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Waits until a metric has this value; what is counted follows the answer by a moment.
async fn reaches(stage: &Stage, metric: &str, value: u64) {
    let counted = async {
        while stage.metric(metric).await != value {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(crate::stage::PATIENCE, counted).await;
    if in_time.is_err() {
        let all = stage.operators("/metrics").await.text();
        panic!("{metric} is not {value} in {all}");
    }
}

#[tokio::test]
async fn health_and_readiness_are_told_to_operators() {
    let stage = Stage::new().await;
    let health = stage.operators("/health").await;
    assert_eq!((health.status.as_u16(), &*health.text()), (200, "ok\n"));
    let ready = stage.operators("/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["ready"], true);
    assert_eq!(ready.json()["store"], "ok");
    assert_eq!(stage.operators("/").await.status, 404);
    assert_eq!(stage.operators("/health/").await.status, 404);
    assert_eq!(stage.operators("/api/auth/me").await.status, 404);
}

#[tokio::test]
async fn operators_only_look() {
    let stage = Stage::new().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        for path in ["/health", "/ready", "/metrics", "/"] {
            let answer = Call::new(stage.admin, method, path).send().await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
    let head = Call::new(stage.admin, "HEAD", "/metrics").send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn clients_cannot_see_what_operators_see() {
    let stage = Stage::with(&["[[routes]]\npath = \"/app\"\nauth = \"none\""]).await;
    for path in ["/metrics", "/health", "/ready"] {
        stage.get(path).send().await.is_refused(404, "not_found");
        let host = stage.admin.to_string();
        let disguised = stage.get(path).header("host", &host).send().await;
        disguised.is_refused(404, "not_found");
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_kind_of_answer() {
    let stage = Stage::with(&[
        "[[routes]]\npath = \"/\"\nauth = \"none\"\nname = \"open\"",
        "[[routes]]\npath = \"/in\"\nname = \"closed\"",
    ])
    .await;
    for _ in 0..3 {
        stage.get("/").send().await;
    }
    stage.get("/in").send().await;
    stage.get("//").send().await;
    stage.get("/api/auth/me").send().await;
    for (route, status, count) in [
        ("open", "2xx", 3),
        ("open", "4xx", 0),
        ("closed", "4xx", 1),
        ("closed", "2xx", 0),
        ("none", "4xx", 1),
        ("auth", "4xx", 1),
    ] {
        let metric = format!("http_requests_total{{route=\"{route}\",status=\"{status}\"}}");
        reaches(&stage, &metric, count).await;
    }
    let count = "http_request_duration_seconds_count{route=\"open\"}";
    reaches(&stage, count, 3).await;
    reaches(&stage, "http_requests_in_flight", 0).await;
}

#[tokio::test]
async fn requests_in_flight_are_counted_until_the_end_of_their_answers() {
    let app = Puppet::new().await;
    let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let stage = Stage::with(&[open, &app.setting()]).await;
    let mut first = Wire::to(stage.address).await;
    let mut second = Wire::to(stage.address).await;
    let mut servers = Vec::new();
    for client in [&mut first, &mut second] {
        client.send(GET).await;
        let mut server = app.accept().await;
        server.request().await;
        servers.push(server);
    }
    reaches(&stage, "http_requests_in_flight", 2).await;
    // Half of an answer is not all of it.
    servers[0]
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        .await;
    first.until("\r\n\r\no").await;
    assert_eq!(stage.metric("http_requests_in_flight").await, 2);
    servers[0].send("k").await;
    reaches(&stage, "http_requests_in_flight", 1).await;
    // A client that leaves is no longer waited for.
    drop(second);
    reaches(&stage, "http_requests_in_flight", 0).await;
    let gone = "http_requests_total{route=\"/\",status=\"4xx\"}";
    reaches(&stage, gone, 1).await;
}

#[tokio::test]
async fn what_happens_to_codes_and_sessions_is_counted() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    stage.answer(PHONE, "000000").await;
    stage.refresh(&tokens.refresh).await;
    stage.refresh("nonsense").await;
    for _ in 0..4 {
        stage.ask_for_code(PHONE).await;
    }
    for (metric, count) in [
        ("otp_sends_total{result=\"sent\"}", 3),
        ("otp_sends_total{result=\"limited\"}", 2),
        ("otp_answers_total{result=\"right\"}", 1),
        ("otp_answers_total{result=\"wrong\"}", 1),
        ("refreshes_total{result=\"rotated\"}", 1),
        ("refreshes_total{result=\"invalid\"}", 1),
    ] {
        reaches(&stage, metric, count).await;
    }
    let metrics = stage.operators("/metrics").await;
    assert!(metrics.header("content-type").contains("openmetrics-text"));
    assert!(metrics.text().ends_with("# EOF\n"));
    // Numbers about people, but no numbers of people.
    assert!(!metrics.text().contains(&PHONE[1..]));
}

#[tokio::test]
async fn the_access_log_has_a_line_for_every_request_and_no_secret_in_it() {
    let stage = Stage::with(&[
        "[[routes]]\npath = \"/\"\nauth = \"none\"\nname = \"open\"",
        "[[routes]]\npath = \"/in\"",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    let passed = stage
        .get("/%61?secret=1")
        .bearer(&tokens.access)
        .header("cookie", "secret=2")
        .send()
        .await;
    let id = passed.header("x-request-id");
    let line = stage.access_log.line(|line| line.ends_with(id)).await;
    let bytes = format!(" {}B ", passed.body.len());
    for part in [" 200 GET /a ", &bytes, " route=open ", " client=127.0.0.1 "] {
        assert!(line.contains(part), "{part} in {line}");
    }
    for (path, status, code, route) in [
        ("/in?secret=3", 401, "missing_token", "/in"),
        ("/a//b?secret=4", 400, "invalid_request_target", "none"),
        ("/api/auth/secrets", 404, "not_found", "auth"),
    ] {
        let refused = stage.get(path).send().await;
        let id = refused.header("x-request-id");
        let line = stage.access_log.line(|line| line.ends_with(id)).await;
        let begin = format!(" {status} GET {} ", path.split('?').next().unwrap());
        assert!(line.contains(&begin), "{line}");
        let facts = format!(" route={route} code={code} ");
        assert!(line.contains(&facts), "{line}");
    }
    for line in stage.access_log.lines() {
        for secret in ["secret=", &tokens.access, &tokens.refresh, &PHONE[1..]] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[tokio::test]
async fn machines_get_the_access_log_as_json() {
    let stage = Stage::with(&["log.format = \"json\""]).await;
    let refused = stage.get("/\"},{\"x\":\"?secret=1").send().await;
    let id = refused.header("x-request-id");
    let line = stage.access_log.line(|line| line.contains(id)).await;
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["status"], 401);
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/\"},{\"x\":\"");
    assert_eq!(line["code"], "missing_token");
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["route"], "/");
    assert_eq!(line["bytes"], refused.body.len());
    assert!(line["duration_us"].is_u64());
    assert!(line["time"].as_str().expect("a time").ends_with('Z'));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_logged_with_what_was_sent_of_it() {
    let app = Puppet::new().await;
    let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let stage = Stage::with(&[open, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        .await;
    client.until("abc").await;
    drop(server);
    let line = stage.access_log.line(|line| line.contains(" GET / ")).await;
    assert!(
        line.contains(" 200 GET / ") && line.contains(" 3B "),
        "{line}"
    );
}

#[tokio::test]
async fn who_wants_no_access_log_gets_none() {
    let stage = Stage::with(&["server.access_log = false"]).await;
    stage.get("/").send().await.is_refused(401, "missing_token");
    let refused = "http_requests_total{route=\"/\",status=\"4xx\"}";
    reaches(&stage, refused, 1).await;
    assert_eq!(stage.access_log.lines(), [] as [String; 0]);
}

#[tokio::test]
async fn an_operator_who_is_slow_or_many_keeps_nobody_from_the_app() {
    let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let app = Puppet::new().await;
    let stage = Stage::with(&[open, &app.setting()]).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Wire::to(stage.admin).await);
    }
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
    drop(idle);
    assert_eq!(stage.operators("/health").await.status, 200);
}
