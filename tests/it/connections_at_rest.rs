//! Connections at rest: who has not asked for anything in a while is a bare socket here, and must not notice.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{HTTPS, Stage, papers::Papers, tls::TlsClient, wire::Wire};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// After so long a connection is at rest.
const WHILE: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn a_connection_at_rest_serves_the_next_request_like_the_first() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    for _ in 0..3 {
        wire.send(GET).await;
        assert_eq!(wire.answer().await.status, 200);
        wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
            .await;
        assert_eq!(wire.answer().await.json()["body"], "body");
        wire.stays_quiet(WHILE).await;
    }
}

#[tokio::test]
async fn so_does_one_through_tls() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:localhost");
    let stage = Stage::with(&[OPEN, HTTPS, &paper.setting()]).await;
    let client = TlsClient::of(&papers);
    let mut stream = client
        .connect(stage.https(), "localhost")
        .await
        .expect("TLS");
    let mut quiet = Wire::to(stage.address).await;
    for _ in 0..3 {
        stream
            .write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .expect("open");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 200 "));
        quiet.stays_quiet(WHILE).await;
    }
}

#[tokio::test]
async fn half_a_request_wakes_it_under_the_deadline_of_every_request() {
    let stage = Stage::with(&[OPEN, "server.limits.headers = \"1s\""]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.stays_quiet(WHILE).await;
    wire.send("GET / HTTP/1.1\r\nHo").await;
    assert_eq!(wire.rest().await, "");
    let ended = "connections_ended_total{reason=\"headers\"}";
    assert_eq!(stage.metric(ended).await, 1);
}

#[tokio::test]
async fn garbage_wakes_it_and_is_refused() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.stays_quiet(WHILE).await;
    wire.send("what?\r\n\r\n").await;
    wire.answer().await.is_refused(400, "malformed_request");
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn its_rest_does_not_last_longer_than_it_may_be_idle() {
    let stage = Stage::with(&[OPEN, "server.limits.idle = \"2s\""]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.rest().await, "");
    let ended = "connections_ended_total{reason=\"idle\"}";
    assert_eq!(stage.metric(ended).await, 1);
}

#[tokio::test]
async fn a_gateway_that_stops_does_not_wait_for_it() {
    let mut stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.stays_quiet(WHILE).await;
    let app = stage.take_app();
    app.stop();
    assert_eq!(wire.rest().await, "");
    tokio::task::spawn_blocking(|| app.wait())
        .await
        .expect("no panic");
}
