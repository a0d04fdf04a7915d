//! What never becomes a request: it is answered like any refusal, logged like any refusal, and is the last thing on its connection.

use crate::stage::{
    Stage,
    h2::{H2, get},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn what_is_no_http_is_refused_in_so_many_words() {
    let stage = Stage::with(&[OPEN]).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET / HTTP/3.0\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(garbage).await;
        let answer = wire.answer().await;
        answer.is_refused(400, "malformed_request");
        assert_eq!(answer.header("connection"), "close");
        assert!(answer.headers.contains_key("date"));
        assert_eq!(wire.rest().await, "");
        let id = answer.header("x-request-id");
        let line = stage.access_log.line(|line| line.contains(id)).await;
        assert!(
            line.contains("code=malformed_request client=127.0.0.1"),
            "{line}"
        );
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    let counted = "http_requests_total{route=\"none\",status=\"4xx\"}";
    assert_eq!(stage.metric(counted).await, 9);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_to_somebody_who_is_still_sending_it() {
    let stage = Stage::with(&[OPEN, "server.limits.max_header = \"8kb\""]).await;
    for head in [
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(60_000)),
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
            "x".repeat(100_000)
        ),
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(head).await;
        wire.answer().await.is_refused(431, "headers_too_large");
    }
}

#[tokio::test]
async fn a_head_of_http_2_that_is_too_large_is_refused_and_its_connection_goes_on() {
    let stage = Stage::with(&[OPEN, "server.limits.max_header = \"8kb\""]).await;
    let (client, _connection) = H2::to(stage.address).await;
    for size in [8_000, 12_000, 8_000, 30_000, 8_000] {
        let mut request = get("http://h/");
        let value = "x".repeat(size).parse().expect("a value");
        request.headers_mut().insert("x-large", value);
        let answer = client.send(request).await;
        match size {
            8_000 => assert_eq!(answer.status, 200),
            12_000 => answer.is_refused(431, "headers_too_large"),
            // Nobody but the parser has seen it.
            _ => assert_eq!(answer.status, 431),
        }
    }
}

#[tokio::test]
async fn so_is_one_of_too_many_fields_in_either_version() {
    let stage = Stage::with(&[OPEN, "server.limits.max_headers = 10"]).await;
    let (client, _connection) = H2::to(stage.address).await;
    for (count, fits) in [(9_usize, true), (10, false)] {
        let fields = "x: 1\r\n".repeat(count);
        let mut wire = Wire::to(stage.address).await;
        wire.send(format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"))
            .await;
        let mut request = get("http://h/");
        for n in 0..=count {
            let name = format!("x-{n}").parse().expect("a name");
            let one = http::HeaderValue::from_static("1");
            request.headers_mut().insert::<http::HeaderName>(name, one);
        }
        for answer in [wire.answer().await, client.send(request).await] {
            if fits {
                assert_eq!(answer.status, 200);
            } else {
                answer.is_refused(431, "headers_too_large");
                assert!(answer.headers.contains_key("x-request-id"));
            }
        }
    }
}

#[tokio::test]
async fn what_comes_before_it_is_answered_first() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    wire.send(format!("{GET}{GET}what?\r\n\r\n")).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.answer().await.status, 200);
    wire.answer().await.is_refused(400, "malformed_request");
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_app_may_say_what_a_parser_would() {
    const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.head().await;
    let piece = format!("{:X}\r\n{BARE}\r\n", BARE.len());
    for _ in 0..3 {
        server.send(&piece).await;
        assert_eq!(client.until("0\r\n\r\n\r\n").await, piece);
    }
    server.send("0\r\n\r\n").await;
    assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
    let length = BARE.len();
    client.send(GET).await;
    server.request().await;
    server
        .send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{BARE}"
        ))
        .await;
    assert_eq!(client.answer().await.body, BARE);
    client.send(GET).await;
    server.request().await;
}

#[tokio::test]
async fn somebody_who_hangs_up_in_the_middle_of_a_head_gets_no_answer() {
    let stage = Stage::with(&[OPEN]).await;
    for said in ["", "\r\n"] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(said).await;
        wire.hush().await;
        assert_eq!(wire.rest().await, "");
    }
}

#[tokio::test]
async fn a_head_that_two_readers_could_read_differently_is_refused() {
    const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let stage = Stage::with(&[OPEN]).await;
    for odd in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
        "Content-Length: 4\n\r\nbody",
        "X: 1\r\n\n",
    ] {
        for ahead in [String::new(), GET.to_owned(), format!("{GET}{GET}")] {
            let before = stage.upstream.seen().len();
            let mut wire = Wire::to(stage.address).await;
            wire.send(format!(
                "{ahead}POST / HTTP/1.1\r\nHost: h\r\n{odd}{HIDDEN}"
            ))
            .await;
            let firsts = ahead.matches("GET").count();
            for _ in 0..firsts {
                assert_eq!(wire.answer().await.status, 200, "{odd:?}");
            }
            let answer = wire.answer().await;
            answer.is_refused(400, "malformed_request");
            assert!(answer.headers.contains_key("x-request-id"));
            assert_eq!(wire.rest().await, "", "{odd:?}");
            assert_eq!(stage.upstream.seen().len(), before + firsts, "{odd:?}");
        }
    }
}
