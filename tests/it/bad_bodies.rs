//! Bodies that are too long, too slow or never end: what the gateway reads of them is bounded, and so is its patience.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::stage::{PATIENCE, PHONE, Stage, client::raw};

const SEND: &str = "/api/auth/send-otp";

#[tokio::test]
async fn a_body_that_is_announced_as_too_long_is_refused_unread() {
    let stage = Stage::new().await;
    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: 1000000000\r\n\r\n",
        stage.address
    );
    // Not a byte of the body is sent: the answer has to come all the same.
    let answer = raw(stage.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"code\":\"body_too_large\""), "{answer}");
}

#[tokio::test]
async fn nobody_is_asked_for_a_body_that_is_refused() {
    let stage = Stage::new().await;
    for (why, headers, status) in [
        (
            "too long",
            "content-type: application/json\r\ncontent-length: 99999\r\n",
            "413",
        ),
        (
            "of another type",
            "content-type: text/plain\r\ncontent-length: 9\r\n",
            "415",
        ),
    ] {
        let head = format!(
            "POST {SEND} HTTP/1.1\r\nhost: {}\r\n{headers}expect: 100-continue\r\n\r\n",
            stage.address
        );
        let answer = raw(stage.address, head.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{why}: {answer}"
        );
        assert!(!answer.contains("100 Continue"), "{why}: {answer}");
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_greatest_size_is_read() {
    let stage = Stage::with(&["auth.max_body = \"1kb\""]).await;
    let body = |size: usize| {
        let mut body = json!({ "mobile_number": PHONE, "pad": "" }).to_string();
        let pad = " ".repeat(size - body.len());
        body.push_str(&pad);
        stage
            .post(SEND)
            .header("content-type", "application/json")
            .body(body)
    };
    assert_eq!(body(1024).send().await.status, 200);
    body(1025).send().await.is_refused(413, "body_too_large");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    const MUCH: usize = 64 << 20;
    let stage = Stage::new().await;
    let stream = TcpStream::connect(stage.address)
        .await
        .expect("a connection");
    let (mut from, mut to) = stream.into_split();
    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        stage.address
    );
    let writing = tokio::spawn(async move {
        to.write_all(head.as_bytes()).await.expect("to be heard");
        let chunk = format!("2000\r\n{}\r\n", " ".repeat(0x2000));
        let mut written = 0;
        while written < MUCH && to.write_all(chunk.as_bytes()).await.is_ok() {
            written += chunk.len();
        }
        written
    });
    let mut answer = Vec::new();
    // The connection may be reset under the answer, since the client goes on and on.
    drop(
        timeout(PATIENCE, from.read_to_end(&mut answer))
            .await
            .expect("an end"),
    );
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413 "),
        "{answer}"
    );
    let written = timeout(PATIENCE, writing).await.expect("an end");
    assert!(written.expect("no panic") < MUCH, "all was taken");
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_chunked_into_a_little_too_much_is_told_so() {
    let stage = Stage::new().await;
    let body = "x".repeat(0x4001);
    let request = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n4001\r\n{body}\r\n0\r\n\r\n",
        stage.address
    );
    let answer = raw(stage.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_dawdles_is_not_waited_for() {
    let stage = Stage::with(&["auth.body_timeout = \"1s\""]).await;
    let mut stream = TcpStream::connect(stage.address)
        .await
        .expect("a connection");
    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: 40\r\n\r\n{{",
        stage.address
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("to be heard");
    let mut answer = Vec::new();
    // It sends a byte now and then, so that no silence gives it away.
    let mut drops = tokio::time::interval(Duration::from_millis(200));
    let slow = async {
        loop {
            let mut piece = [0; 1024];
            tokio::select! {
                read = stream.read(&mut piece) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(length) => answer.extend_from_slice(&piece[..length]),
                },
                _ = drops.tick() => drop(stream.try_write(b" ")),
            }
        }
    };
    timeout(PATIENCE, slow).await.expect("an end");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_does_nothing() {
    let stage = Stage::new().await;
    let body = json!({ "mobile_number": PHONE }).to_string();
    let request = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        stage.address,
        body.len() + 1
    );
    let mut stream = TcpStream::connect(stage.address)
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("to be heard");
    stream.shutdown().await.expect("a half-closed connection");
    let mut answer = Vec::new();
    drop(
        timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("an end"),
    );
    stage.settle().await;
    assert!(stage.inbox.messages_to(PHONE).is_empty());
}
