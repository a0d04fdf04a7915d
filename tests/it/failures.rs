//! What a client is told when an app fails, and how it tells the gateway's word from the app's.

use std::time::Duration;

use tokio::net::TcpSocket;

use crate::stage::{
    Stage,
    upstream::{Upstream, reply},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const HASTY: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"\nresponse_timeout = \"300ms\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client whose request has reached the app, and the app's end of it.
async fn underway(settings: &[&str], request: &str) -> (Stage, Wire, Wire) {
    let app = Puppet::new().await;
    let setting = app.setting();
    let mut all = vec![setting.as_str()];
    all.extend(settings);
    let stage = Stage::with(&all).await;
    let mut client = Wire::to(stage.address).await;
    client.send(request).await;
    let mut server = app.accept().await;
    server.request().await;
    (stage, client, server)
}

#[tokio::test]
async fn an_app_that_does_not_listen_is_unreachable() {
    let closed = Puppet::new().await;
    let setting = closed.setting();
    drop(closed);
    let stage = Stage::with(&[OPEN, &setting]).await;
    let answer = stage.get("/").send().await;
    answer.is_refused(502, "upstream_unreachable");
    let status = answer.header("proxy-status");
    assert_eq!(status, "otp-gateway; error=destination_unavailable");
}

#[tokio::test]
async fn an_app_that_accepts_nobody_in_time_is_late_not_gone() {
    // Its queue holds one connection, and nobody takes that one.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().unwrap()).expect("a port");
    let full = socket.listen(0).expect("a listener");
    let address = full.local_addr().expect("an address");
    let _waiting = Wire::to(address).await;
    let stage = Stage::with(&[
        OPEN,
        &format!("upstreams.app.servers = \"http://{address}\""),
        "upstreams.app.connect_timeout = \"100ms\"",
    ])
    .await;
    let answer = stage.get("/").send().await;
    answer.is_refused(504, "upstream_timeout");
}

#[tokio::test]
async fn an_app_whose_name_is_not_known_is_unreachable() {
    let nowhere = "upstreams.app.servers = \"http://app.invalid:80\"";
    let stage = Stage::with(&[OPEN, nowhere]).await;
    let answer = stage.get("/").send().await;
    assert!(answer.status == 502 || answer.status == 504, "{answer:?}");
    assert!(answer.headers.contains_key("proxy-status"));
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_told_from_one_that_is_gone() {
    let (_stage, mut client, mut server) = underway(&[HASTY], GET).await;
    let answer = client.answer().await;
    answer.is_refused(504, "upstream_timeout");
    let status = answer.header("proxy-status");
    assert_eq!(status, "otp-gateway; error=http_response_timeout");
    // Nobody waits for it any more, and it can see that.
    assert_eq!(server.rest().await, "");
}

#[tokio::test]
async fn an_app_that_begins_an_answer_and_stops_in_its_head_is_too_late_as_well() {
    let (_stage, mut client, mut server) = underway(&[HASTY], GET).await;
    server.send("HTTP/1.1 200 OK\r\nX-Half").await;
    let answer = client.answer().await;
    answer.is_refused(504, "upstream_timeout");
}

#[tokio::test]
async fn an_app_that_hangs_up_without_an_answer_is_unreachable() {
    let (_stage, mut client, server) = underway(&[OPEN], GET).await;
    drop(server);
    let answer = client.answer().await;
    answer.is_refused(502, "upstream_unreachable");
}

#[tokio::test]
async fn an_app_that_hangs_up_on_everybody_is_not_asked_again_and_again() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let hanging_up = tokio::spawn(async move {
        loop {
            drop(app.accept().await);
        }
    });
    for _ in 0..20 {
        let answer = stage.get("/").send().await;
        answer.is_refused(502, "upstream_unreachable");
    }
    hanging_up.abort();
}

#[tokio::test]
async fn an_app_that_does_not_speak_http_is_unreachable() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\u{0}b\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let (_stage, mut client, mut server) = underway(&[OPEN], GET).await;
        server.send(nonsense).await;
        let answer = client.answer().await;
        answer.is_refused(502, "upstream_unreachable");
    }
}

#[tokio::test]
async fn when_every_connection_to_the_app_is_busy_the_next_request_is_turned_away_at_once() {
    let settings = [
        "server.workers = 1",
        "upstreams.app.max_connections = 1",
        OPEN,
    ];
    let (stage, mut client, mut server) = underway(&settings, GET).await;
    let answer = stage.get("/").send().await;
    answer.is_refused(503, "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    // The place is free again, and so is the connection.
    client.send(GET).await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_that_ends_badly_gives_its_place_back() {
    let settings = [
        "server.workers = 1",
        "upstreams.app.max_connections = 1",
        HASTY,
    ];
    let app = Puppet::new().await;
    let mut all = vec![app.setting()];
    all.extend(settings.map(str::to_owned));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let stage = Stage::with(&all).await;
    for _ in 0..3 {
        let mut client = Wire::to(stage.address).await;
        client.send(GET).await;
        let mut server = app.accept().await;
        server.request().await;
        client.answer().await.is_refused(504, "upstream_timeout");
        server.rest().await;
    }
}

#[tokio::test]
async fn what_the_app_answers_passes_untouched_whatever_it_is() {
    for (status, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (299, "Odd"),
        (599, "Odder"),
    ] {
        let (_stage, mut client, mut server) = underway(&[OPEN], GET).await;
        server
            .send(format!(
                "HTTP/1.1 {status} {reason}\r\nWWW-Authenticate: Basic realm=\"app\"\r\n\
                 Content-Type: text/plain\r\nContent-Length: 7\r\n\r\nthe app"
            ))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, "the app");
        assert_eq!(answer.header("content-type"), "text/plain");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"app\"");
        for ours in ["proxy-status", "cache-control", "retry-after"] {
            assert!(!answer.headers.contains_key(ours), "{ours}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_upload_does_not_count_against_the_app() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[HASTY, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
        .await;
    let mut server = app.accept().await;
    server.until("abc").await;
    // Longer than the app may take; it is the client that takes it.
    client.stays_quiet(Duration::from_millis(700)).await;
    client.send("def").await;
    server.until("def").await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn every_answer_of_the_gateway_says_that_it_is_one() {
    let app = Upstream::doing(|_| Box::pin(async { reply("the app") })).await;
    let stage = Stage::over(
        app,
        &[
            "[[routes]]\npath = \"/\"",
            "[[routes]]\npath = \"/get\"\nmethods = [\"GET\"]\nauth = \"none\"",
            "[[routes]]\nhost = \"x.test\"\npath = \"/x\"",
        ],
    )
    .await;
    let page = |path: &str| stage.get(path).header("accept", "text/html");
    for call in [
        stage.get("/"),
        stage.get("/").bearer("nonsense"),
        stage.get("//"),
        stage.post("/get"),
        stage.get("/api/auth/nothing"),
        stage.get("/api/auth/me"),
        stage.get("/api/auth/send-otp"),
        page("/"),
    ] {
        let answer = call.send().await;
        let status = answer.header("proxy-status");
        assert!(status.starts_with("otp-gateway"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let passed = stage.get("/get").send().await;
    assert!(!passed.headers.contains_key("proxy-status"), "{passed:?}");
}

#[tokio::test]
async fn an_app_whose_head_does_not_end_is_given_up() {
    for (bytes, status) in [(48 << 10, "200 OK"), (200 << 10, "502 Bad Gateway")] {
        let (_stage, mut client, mut server) = underway(&[OPEN], GET).await;
        let long = "x".repeat(bytes);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: {long}\r\n\r\n");
        // Whoever has heard enough does not wait for the rest.
        let _heard = server.try_send(head).await;
        let (line, _headers) = client.head().await;
        assert_eq!(line, format!("HTTP/1.1 {status}"), "{bytes}");
    }
}
