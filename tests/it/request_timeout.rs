//! The time that a request may take from its head to the last byte of its answer: who is told what when it is over, and whom it leaves alone.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt;
use tokio::time::{interval, timeout};

use crate::stage::{
    PATIENCE, Stage,
    grpc::Caller,
    h2::{H2, get},
    h2_app::{H2Puppet, is_given_up},
    wire::{Puppet, Wire},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                      Transfer-Encoding: chunked\r\n\r\n";
const EVENT: &str = "3\r\n: \n\r\n";

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const LIMIT: &str = "server.limits.request_timeout = \"1s\"";

/// A stage over an app that a test speaks for, in which a request may take a second.
async fn stage(app: &Puppet, routes: &str) -> Stage {
    Stage::with(&["server.workers = 1", LIMIT, &app.setting(), routes]).await
}

/// A request on its way.
async fn asked(stage: &Stage, request: &str) -> Wire {
    let mut client = Wire::to(stage.address).await;
    client.send(request).await;
    client
}

/// Events for ever, or until nobody listens.
async fn speaks(server: &mut Wire) {
    let mut ticks = interval(Duration::from_millis(50));
    let speech = async {
        while server.try_send(EVENT).await.is_ok() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, speech).await.expect("an end");
}

#[tokio::test]
async fn an_app_that_does_not_begin_in_time_is_let_off() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut client = asked(&stage, GET).await;
    let mut server = app.accept().await;
    server.request().await;
    client.answer().await.is_refused(504, "upstream_timeout");
    assert_eq!(server.rest().await, "");
    // The connection is none the worse for it.
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn an_upload_that_keeps_coming_is_refused_when_it_takes_too_long() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut client = asked(&stage, UPLOAD).await;
    let mut server = app.accept().await;
    server.head().await;
    let mut ticks = interval(Duration::from_millis(50));
    let drip = async {
        while client.try_send("1\r\nx\r\n").await.is_ok() {
            ticks.tick().await;
        }
    };
    let (_, rest) = tokio::join!(timeout(PATIENCE, drip), server.rest());
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    let line = stage.access_log.line(|line| line.contains(" POST ")).await;
    assert!(line.contains(" 408 "), "{line}");
    assert!(line.contains("code=request_timeout"), "{line}");
    let mut client = asked(&stage, UPLOAD).await;
    client.answer().await.is_refused(408, "request_timeout");
}

#[tokio::test]
async fn an_app_that_does_not_take_what_is_uploaded_is_who_took_too_long() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut client = asked(&stage, UPLOAD).await;
    let mut server = app.accept().await;
    server.head().await;
    client.send("4\r\nbody\r\n0\r\n\r\n").await;
    client.answer().await.is_refused(504, "upstream_timeout");
    assert_eq!(server.rest().await, "4\r\nbody\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_app_that_cannot_be_reached_does_not_prolong_it() {
    // It takes connections, and never begins with HTTP/2.
    let app = Puppet::new().await;
    let patient = [
        "upstreams.app.protocol = \"h2\"",
        "upstreams.app.connect_timeout = \"1m\"",
    ];
    let setting = app.setting();
    let stage = Stage::with(&[&patient[..], &[LIMIT, &setting, OPEN]].concat()).await;
    let answer = stage.get("/").send().await;
    answer.is_refused(504, "upstream_timeout");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_broken_off() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut client = asked(&stage, GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(EVENTS).await;
    let ((), rest) = tokio::join!(speaks(&mut server), client.rest());
    assert!(rest.contains(EVENT), "{rest}");
    assert!(!rest.contains("0\r\n\r\n"), "{rest}");
    let line = stage.access_log.line(|line| line.contains(" GET ")).await;
    assert!(line.contains(" 200 "), "{line}");
    assert!(line.contains("code=request_timeout"), "{line}");
    assert_eq!(stage.ended("request_timeout").await, 1);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_broken_off() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut client = asked(&stage, GET).await;
    let mut server = app.accept().await;
    server.request().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
    server.send(head).await;
    client.head().await;
    let block = vec![b'x'; 1 << 16];
    let flood = async { while server.try_send(&block).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("an end");
    assert_eq!(stage.ended("request_timeout").await, 1);
}

#[tokio::test]
async fn of_a_connection_of_http_2_only_the_stream_ends() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let (client, _connection) = H2::to(stage.address).await;
    let asking = client.clone();
    let asked = tokio::spawn(async move { asking.begin(get("http://h/")).await });
    let mut server = app.accept().await;
    server.request().await;
    server.send(EVENTS).await;
    let mut body = asked.await.unwrap().expect("a head").into_body();
    let broken = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return,
                None => panic!("an end in order"),
            }
        }
    };
    tokio::join!(speaks(&mut server), async {
        timeout(PATIENCE, broken).await.expect("an end");
    });
    let line = stage.access_log.line(|line| line.contains(" GET ")).await;
    assert!(line.contains("code=request_timeout"), "{line}");
    let asked = tokio::spawn(async move { client.send(get("http://h/")).await });
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    assert_eq!(asked.await.unwrap().body, "ok");
}

#[tokio::test]
async fn an_app_that_speaks_http_2_learns_that_nobody_waits_any_more() {
    let app = H2Puppet::new().await;
    let stage = Stage::with(&["server.workers = 1", LIMIT, &app.setting(), OPEN]).await;
    let mut client = asked(&stage, GET).await;
    let mut line = app.accept().await;
    line.next().await.is_given_up().await;
    client.answer().await.is_refused(504, "upstream_timeout");
    client.send(GET).await;
    let mut begun = line.next().await;
    let mut body = begun.begin(Response::new(()));
    is_given_up(&mut body).await;
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 200"), "{rest}");
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn a_caller_of_grpc_reads_that_its_deadline_is_exceeded() {
    let app = H2Puppet::new().await;
    let stage = Stage::with(&[LIMIT, &app.setting(), OPEN]).await;
    let caller = Caller::to(stage.address).await;
    let asked = tokio::spawn(async move { caller.ask(&[], b"hello").await });
    let _line = app.accept().await;
    let ended = asked.await.expect("no panic");
    ended.is_refused("4", "upstream_timeout");
}

#[tokio::test]
async fn each_request_of_a_connection_has_the_whole_time() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let mut slow = asked(&stage, GET).await;
    let _silent = app.accept().await;
    let mut client = asked(&stage, GET).await;
    let mut server = app.accept().await;
    let mut ticks = interval(Duration::from_millis(100));
    let mut over = Box::pin(slow.answer());
    loop {
        server.request().await;
        server.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
        tokio::select! {
            biased;
            // Somebody else has had the whole of it meanwhile.
            _ = &mut over => return,
            _ = ticks.tick() => client.send(GET).await,
        }
    }
}

#[tokio::test]
async fn a_route_may_have_a_time_of_its_own_or_none() {
    let app = Puppet::new().await;
    let routes = [
        OPEN,
        "[[routes]]\npath = \"/events\"\nauth = \"none\"\nrequest_timeout = \"off\"",
    ];
    let stage = stage(&app, &routes.join("\n")).await;
    let mut events = asked(&stage, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut unlimited = app.accept().await;
    unlimited.request().await;
    unlimited.send(EVENTS).await;
    events.head().await;
    let mut client = asked(&stage, GET).await;
    let mut limited = app.accept().await;
    limited.request().await;
    limited.send(EVENTS).await;
    tokio::join!(speaks(&mut limited), client.rest());
    unlimited.send(EVENT).await;
    events.until(EVENT).await;
}

#[tokio::test]
async fn a_websocket_is_no_request_any_more() {
    let app = Puppet::new().await;
    let stage = stage(&app, OPEN).await;
    let handshake = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let mut socket = asked(&stage, handshake).await;
    let mut other = app.accept().await;
    other.request().await;
    other.send(switched).await;
    socket.head().await;
    let mut client = asked(&stage, GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server.send(EVENTS).await;
    tokio::join!(speaks(&mut server), client.rest());
    other.send("still here").await;
    socket.until("still here").await;
    // A handshake that is not answered is a request.
    let mut client = asked(&stage, handshake).await;
    let _silent = app.accept().await;
    client.answer().await.is_refused(504, "upstream_timeout");
}
