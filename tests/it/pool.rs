//! Connections to the apps: used again where that is safe, replaced where they are gone, and no request is ever sent twice.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::stage::{
    Stage,
    client::{Answer, Call, Connection},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A gateway with one worker, so that it has one pool, over an app that a test speaks for.
async fn stage(settings: &[&str]) -> (Stage, Puppet, Wire) {
    let app = Puppet::new().await;
    let setting = app.setting();
    let mut all = vec!["server.workers = 1", OPEN, &setting];
    all.extend(settings);
    let stage = Stage::with(&all).await;
    let client = Wire::to(stage.address).await;
    (stage, app, client)
}

/// A request and its answer on an app's connection.
async fn exchange(client: &mut Wire, server: &mut Wire) -> Answer {
    client.send(GET).await;
    server.request().await;
    server.send(OK).await;
    client.answer().await
}

#[tokio::test]
async fn a_connection_is_used_again_whoever_asks() {
    let stage = Stage::with(&["server.workers = 1", OPEN]).await;
    for _ in 0..20 {
        assert_eq!(stage.get("/").send().await.status, 200);
        let sent = stage.post("/").body("abc").send().await;
        assert_eq!(sent.json()["body"], "abc");
    }
    assert_eq!(stage.upstream.connections(), 1);
}

#[tokio::test]
async fn as_many_connections_are_opened_as_requests_run_at_once_and_kept() {
    let (stage, app, mut first) = stage(&[]).await;
    let mut second = Wire::to(stage.address).await;
    for client in [&mut first, &mut second] {
        client.send(GET).await;
    }
    let mut servers = [app.accept().await, app.accept().await];
    for server in &mut servers {
        server.request().await;
    }
    for server in &mut servers {
        server.send(OK).await;
    }
    for client in [&mut first, &mut second] {
        assert_eq!(client.answer().await.status, 200);
        client.send(GET).await;
    }
    for server in &mut servers {
        server.request().await;
        server.send(OK).await;
    }
    assert!(!app.is_wanted());
}

#[tokio::test]
async fn of_many_clients_at_once_each_gets_its_own_answer() {
    let stage = Stage::with(&[OPEN]).await;
    let clients: Vec<_> = (0..12)
        .map(|n| tokio::spawn(ask_politely_and_rudely(stage.address, n)))
        .collect();
    for client in clients {
        client.await.expect("its own answers");
    }
}

async fn ask_politely_and_rudely(gateway: SocketAddr, n: usize) {
    let mut connection = Connection::open(gateway).await;
    for m in 0..20 {
        let path = format!("/{n}/{m}");
        let body = format!("{n}-{m};").repeat(n * m * 50);
        let call = Call::new(gateway, "POST", &path).body(body.clone());
        let seen = connection.send(call).await.json();
        assert_eq!(seen["target"], path);
        assert!(seen["body"] == body, "{path} got another body");

        // Leaves in the middle, so that what was begun on its connections must not go on.
        let mut rude = Wire::to(gateway).await;
        let missing = m % 2;
        let body = "x".repeat((n + m) * 1000);
        let length = body.len() + missing;
        let head = format!("POST /rude HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        drop(rude.try_send(head + &body).await);
    }
}

#[tokio::test]
async fn an_app_that_closes_after_each_answer_costs_no_request() {
    let answered = Arc::new(AtomicUsize::new(0));
    let (_stage, app, mut client) = stage(&[]).await;
    let count = Arc::clone(&answered);
    tokio::spawn(async move {
        loop {
            let mut server = app.accept().await;
            server.request().await;
            count.fetch_add(1, Ordering::SeqCst);
            server.send(OK).await;
        }
    });
    for request in 1..=50 {
        client
            .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            .await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(answered.load(Ordering::SeqCst), request);
    }
}

#[tokio::test]
async fn a_request_that_the_app_may_have_seen_is_not_sent_again() {
    let (_stage, app, mut client) = stage(&[]).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
    // On the pooled connection: read whole, then hung up on.
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    assert_eq!(server.request().await.body, "abc");
    drop(server);
    let answer = client.answer().await;
    answer.is_refused(502, "upstream_unreachable");
    assert!(!app.is_wanted());
    // The next one finds its way again.
    client.send(GET).await;
    let mut server = app.accept().await;
    assert_eq!(server.request().await.line, "GET / HTTP/1.1");
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn an_app_that_announces_its_close_is_believed() {
    let (_stage, app, mut client) = stage(&[]).await;
    for head in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        client.send(GET).await;
        let mut server = app.accept().await;
        server.request().await;
        server.send(head).await;
        assert_eq!(client.answer().await.status, 200);
        // The gateway hangs up rather than wait for the app to.
        assert_eq!(server.rest().await, "");
    }
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_after_a_while() {
    let (_stage, app, mut client) = stage(&["upstreams.app.idle = \"1s\""]).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(server.rest().await, "");
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn no_more_unused_connections_are_kept_than_allowed() {
    let (_stage, app, mut client) = stage(&["upstreams.app.max_idle = 0"]).await;
    for _ in 0..2 {
        client.send(GET).await;
        let mut server = app.accept().await;
        server.request().await;
        server.send(OK).await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(server.rest().await, "");
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_does_not_reach_into_the_next_request() {
    let (stage, app, mut hasty) = stage(&[]).await;
    hasty
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf of it")
        .await;
    let mut server = app.accept().await;
    server.until("half of it").await;
    server
        .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        .await;
    assert_eq!(hasty.answer().await.body, "no");

    // Whatever the first client still sends, the next request is one of its own.
    let mut other = Wire::to(stage.address).await;
    other.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut fresh = app.accept().await;
    drop(
        hasty
            .try_send("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
            .await,
    );
    assert_eq!(fresh.request().await.line, "GET /next HTTP/1.1");
    fresh.send(OK).await;
    assert_eq!(other.answer().await.body, "ok");
}

#[tokio::test]
async fn what_an_app_says_unasked_is_nobodys_answer() {
    let (_stage, app, mut client) = stage(&[]).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send(format!(
            "{OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        ))
        .await;
    assert_eq!(client.answer().await.body, "ok");
    // The connection is given up, and the next answer is the next app's.
    assert_eq!(server.rest().await, "");
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn an_answer_that_its_client_left_does_not_go_to_the_next_one() {
    let (stage, app, mut client) = stage(&[]).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    drop(client);
    server.rest().await;
    drop(server.try_send(OK).await);
    let mut other = Wire::to(stage.address).await;
    other.send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    assert_eq!(server.request().await.line, "GET /other HTTP/1.1");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
        .await;
    assert_eq!(other.answer().await.body, "other");
}

#[tokio::test]
async fn a_body_that_nobody_finished_reading_does_not_become_an_answer() {
    let (stage, app, mut client) = stage(&[]).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        .await;
    client.until("begun").await;
    drop(client);
    assert_eq!(server.rest().await, "");
    let mut other = Wire::to(stage.address).await;
    other.send(GET).await;
    let mut server = app.accept().await;
    let answer = exchange_begun(&mut other, &mut server).await;
    assert_eq!(answer.body, "ok");
    assert_eq!(exchange(&mut other, &mut server).await.body, "ok");
}

async fn exchange_begun(client: &mut Wire, server: &mut Wire) -> Answer {
    server.request().await;
    server.send(OK).await;
    client.answer().await
}

/// A POST that is never finished, and the app's early answer to it.
const ENDLESS: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\nabc";

#[tokio::test]
async fn an_app_that_has_answered_is_not_kept_waiting_for_the_rest_of_the_request() {
    let (_stage, app, mut client) = stage(&["upstreams.app.max_connections = 1"]).await;
    client.send(ENDLESS).await;
    let mut server = app.accept().await;
    server.until("abc").await;
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
    // Neither the client, which stays and sends nothing, nor the app has hung up.
    assert_eq!(server.rest().await, "");
}
