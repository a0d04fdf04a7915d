//! Client connections: kept, shared and bounded, and ended when their client is too slow.

use std::time::{Duration, Instant};

use tokio::time::{interval, timeout};

use crate::stage::{
    Stage,
    h2::{H2, get},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The shortest deadline that can be configured, for one thing.
fn hasty(what: &str) -> String {
    format!("server.limits.{what} = \"1s\"")
}

/// Waits for the gateway to hang up; says what it said before, and how long it took.
async fn hang_up(wire: &mut Wire) -> (String, Duration) {
    let began = Instant::now();
    let said = wire.rest().await;
    (said, began.elapsed())
}

/// One second as the gateway measures it, on a machine that is busy with other things.
fn about_a_second(took: Duration) -> bool {
    took > Duration::from_millis(900) && took < Duration::from_secs(8)
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    for path in ["/a", "/b", "//", "/c"] {
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await;
        let answer = wire.answer().await;
        if path == "//" {
            answer.is_refused(400, "invalid_request_target");
        } else {
            assert_eq!(answer.json()["target"], path);
        }
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    let post = |n| format!("POST /{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    let all: String = (0..20).map(post).collect();
    wire.send(all).await;
    for n in 0..20 {
        let seen = wire.answer().await.json();
        assert_eq!(seen["target"], format!("/{n}"));
        assert_eq!(seen["body"], "body");
    }
}

#[tokio::test]
async fn an_old_client_gets_its_answer_and_the_end_of_the_connection() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.rest().await, "");
    let mut wire = Wire::to(stage.address).await;
    for _ in 0..2 {
        wire.send("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
            .await;
        assert_eq!(wire.answer().await.status, 200);
    }
    let mut wire = Wire::to(stage.address).await;
    wire.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_old_client_gets_a_body_of_unknown_length_up_to_the_end_of_the_connection() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        .await;
    let (_, headers) = client.head().await;
    assert!(!headers.contains_key("transfer-encoding"));
    assert_eq!(client.rest().await, "ok");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_hung_up_on() {
    let stage = Stage::with(&[OPEN, &hasty("first_byte")]).await;
    let mut wire = Wire::to(stage.address).await;
    let (said, took) = hang_up(&mut wire).await;
    assert_eq!(said, "");
    assert!(about_a_second(took), "{took:?}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_does_not_get_more_time() {
    let stage = Stage::with(&[OPEN, &hasty("headers")]).await;
    for opening in ["G", "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: "] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(opening).await;
        let began = Instant::now();
        let mut drops = interval(Duration::from_millis(50));
        let drip = async {
            while wire.try_send("a").await.is_ok() {
                drops.tick().await;
            }
        };
        timeout(Duration::from_secs(10), drip)
            .await
            .expect("an end");
        assert!(about_a_second(began.elapsed()));
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn half_an_http_2_preface_is_no_way_to_stay() {
    let stage = Stage::with(&[OPEN, &hasty("first_byte"), &hasty("idle")]).await;
    for opening in ["PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(opening).await;
        let (_, took) = hang_up(&mut wire).await;
        assert!(about_a_second(took), "{took:?}");
    }
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let stage = Stage::with(&[OPEN, &hasty("idle")]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.status, 200);
    let (said, took) = hang_up(&mut wire).await;
    assert_eq!(said, "");
    assert!(about_a_second(took), "{took:?}");

    let (client, connection) = H2::to(stage.address).await;
    assert_eq!(client.send(get("http://h/")).await.status, 200);
    let began = Instant::now();
    drop(
        timeout(Duration::from_secs(10), connection)
            .await
            .expect("an end"),
    );
    assert!(about_a_second(began.elapsed()));
}

#[tokio::test]
async fn an_app_that_takes_its_time_is_not_taken_for_an_idle_client() {
    let app = Puppet::new().await;
    let short = ["first_byte", "headers", "idle", "body_idle"].map(hasty);
    let mut settings = vec![OPEN.to_owned(), app.setting()];
    settings.extend(short);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let stage = Stage::with(&settings).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    client.stays_quiet(Duration::from_millis(1300)).await;
    server.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_hung_up_on() {
    let app = Puppet::new().await;
    let settings = [OPEN, &app.setting(), &hasty("body_idle")];
    let stage = Stage::with(&settings).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    let block = vec![b'x'; 1 << 16];
    let flood = async { while server.try_send(&block).await.is_ok() {} };
    // The app learns of it, and the connection is gone with all that was in flight.
    timeout(Duration::from_secs(15), flood)
        .await
        .expect("an end");
    let line = stage.access_log.line(|line| line.contains(" GET / ")).await;
    assert!(line.contains(" 200 "), "{line}");
    drop(client);
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    let settings = [
        "server.workers = 1",
        "server.limits.max_connections = 2",
        OPEN,
    ];
    let stage = Stage::with(&settings).await;
    let mut first = Wire::to(stage.address).await;
    let mut second = Wire::to(stage.address).await;
    for wire in [&mut first, &mut second] {
        wire.send(GET).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    let mut third = Wire::to(stage.address).await;
    third.send(GET).await;
    let early = timeout(Duration::from_millis(300), third.answer()).await;
    assert!(early.is_err(), "three at once: {early:?}");
    assert_eq!(stage.upstream.seen().len(), 2);
    drop(first);
    assert_eq!(third.answer().await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let stage = Stage::with(&[OPEN, "server.limits.max_header = \"8kb\""]).await;
    let fits = "x".repeat(7000);
    let answer = stage.get("/").header("x-large", &fits).send().await;
    assert_eq!(answer.status, 200);
    for head in [
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n",
            "x".repeat(20_000)
        ),
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(20_000)),
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "A: b\r\n".repeat(500)
        ),
    ] {
        let mut wire = Wire::to(stage.address).await;
        drop(wire.try_send(head).await);
        let said = wire.rest().await;
        let status = said.split(' ').nth(1).unwrap_or_default();
        assert!(["431", "414", ""].contains(&status), "{said}");
    }
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn garbage_is_refused_and_hung_up_on() {
    let stage = Stage::with(&[OPEN]).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"\x00\x00\x00\x00\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"G\xc3\x89T / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(garbage).await;
        let said = wire.rest().await;
        let refused = said.is_empty() || said.starts_with("HTTP/1.1 400 ");
        assert!(refused, "{said}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    assert_eq!(stage.get("/").send().await.status, 200);
}
