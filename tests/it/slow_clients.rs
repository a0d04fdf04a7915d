//! Clients that take their time: however they go about it, none keeps a place for ever, and operators learn why it lost it.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::stage::{
    PATIENCE, Stage,
    h2::{H2, get},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A stage over an app that a test speaks for.
async fn stage(app: &Puppet, settings: &[&str]) -> Stage {
    let setting = app.setting();
    let own = [OPEN, &setting, "server.workers = 1"];
    Stage::with(&[&own, settings].concat()).await
}

/// The two ends of an upload that has begun, in which nobody may pause for longer than a second.
async fn uploading() -> (Stage, Wire, Wire) {
    let app = Puppet::new().await;
    let stage = stage(&app, &["server.limits.body_idle = \"1s\""]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(UPLOAD).await;
    let mut server = app.accept().await;
    server.head().await;
    (stage, client, server)
}

/// Waits until so many connections have been old enough.
async fn until_old(stage: &Stage, count: u64) {
    let waiting = async {
        while stage.ended("max_age").await < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("in time");
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_keep_an_upload_alive() {
    let (_stage, mut client, mut server) = uploading().await;
    let mut drops = interval(Duration::from_millis(100));
    let drip = async {
        while client.try_send("1\r\nx\r\n").await.is_ok() {
            drops.tick().await;
        }
    };
    // Not one of its pauses is too long, all of them together are.
    timeout(PATIENCE, drip).await.expect("an end");
    let rest = server.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn an_upload_that_is_as_fast_as_it_must_be_takes_as_long_as_it_takes() {
    let (_stage, mut client, mut server) = uploading().await;
    let piece = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let mut drops = interval(Duration::from_millis(100));
    for _ in 0..25 {
        drops.tick().await;
        client.send(&piece).await;
        server.until("x\r\n").await;
    }
    client.send("0\r\n\r\n").await;
    server.until("0\r\n\r\n").await;
    server.send(OK).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn who_talks_with_an_app_need_not_say_much() {
    let (_stage, mut client, mut server) = uploading().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.head().await;
    let mut drops = interval(Duration::from_millis(300));
    for _ in 0..10 {
        drops.tick().await;
        client.send("1\r\nx\r\n").await;
        server.until("x\r\n").await;
        server.send("1\r\ny\r\n").await;
        client.until("y\r\n").await;
    }
}

#[tokio::test]
async fn who_reads_an_answer_drop_by_drop_is_hung_up_on() {
    let app = Puppet::new().await;
    let settings = [
        "server.limits.body_idle = \"1s\"",
        "server.limits.min_rate = \"1mb\"",
    ];
    let stage = stage(&app, &settings).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    let mut drops = interval(Duration::from_millis(100));
    let drip = async {
        loop {
            drops.tick().await;
            client.sip(20_000).await;
        }
    };
    let block = vec![b'x'; 1 << 16];
    let flood = async { while server.try_send(&block).await.is_ok() {} };
    tokio::select! {
        () = drip => {}
        flooded = timeout(PATIENCE, flood) => flooded.expect("an end"),
    }
    assert_eq!(stage.ended("stalled").await, 1);
}

#[tokio::test]
async fn who_has_said_all_gets_its_answer_and_then_the_end() {
    let app = Puppet::new().await;
    let stage = stage(&app, &[]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    client.hush().await;
    let mut server = app.accept().await;
    server.request().await;
    client.stays_quiet(Duration::from_millis(200)).await;
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
    assert_eq!(client.rest().await, "");
    // A body of a known length was said to its end, too.
    let mut client = Wire::to(stage.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
        .await;
    client.hush().await;
    assert_eq!(server.request().await.body, "body");
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn who_is_gone_for_good_does_not_keep_an_app_busy() {
    let app = Puppet::new().await;
    let stage = stage(&app, &["server.limits.half_closed = \"1s\""]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    drop(client);
    assert_eq!(server.rest().await, "");
    let line = stage.access_log.line(|line| line.contains(" 499 ")).await;
    assert!(line.contains(" GET / "), "{line}");
    assert_eq!(stage.ended("half_closed").await, 1);
}

#[tokio::test]
async fn an_old_connection_is_told_to_end_after_its_answer() {
    let app = Puppet::new().await;
    let stage = stage(&app, &["server.limits.max_age = \"3s\""]).await;
    let mut idle = Wire::to(stage.address).await;
    idle.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut busy = Wire::to(stage.address).await;
    busy.send(GET).await;
    server.request().await;
    // Between two requests there is nothing to be said.
    assert_eq!(idle.rest().await, "");
    until_old(&stage, 2).await;
    server.send(OK).await;
    let answer = busy.answer().await;
    assert_eq!(answer.header("connection"), "close");
    assert_eq!((&*answer.text(), &*busy.rest().await), ("ok", ""));
    assert_eq!(stage.ended("max_age").await, 2);
}

#[tokio::test]
async fn an_old_http_2_connection_ends_when_all_is_answered() {
    let app = Puppet::new().await;
    let stage = stage(&app, &["server.limits.max_age = \"1s\""]).await;
    let (client, connection) = H2::to(stage.address).await;
    let waiting = tokio::spawn(async move { client.send(get("http://h/")).await });
    let mut server = app.accept().await;
    server.request().await;
    until_old(&stage, 1).await;
    server.send(OK).await;
    assert_eq!(waiting.await.expect("no panic").body, "ok");
    let ending = timeout(PATIENCE, connection).await.expect("an end");
    ending.expect("no panic").expect("in order");
}

#[tokio::test]
async fn every_limit_that_ends_a_connection_says_so() {
    let hasty = ["first_byte", "headers", "idle"];
    let hasty = hasty.map(|what| format!("server.limits.{what} = \"1s\""));
    let [first_byte, headers, idle] = &hasty;
    let stage = Stage::with(&[OPEN, first_byte, headers, idle]).await;
    for (said, reason) in [
        ("", "first_byte"),
        ("GET / HTTP/1.1\r\nHo", "headers"),
        (GET, "idle"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "idle"),
    ] {
        let before = stage.ended(reason).await;
        let mut wire = Wire::to(stage.address).await;
        wire.send(said).await;
        wire.rest().await;
        assert_eq!(stage.ended(reason).await, before + 1, "{said:?}");
    }
}
