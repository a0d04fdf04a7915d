//! Answers that begin before their time or are silent for long, and whose turn it is meanwhile.

use std::time::Duration;

use crate::stage::{
    Stage,
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1gb\"";
const IDLE: &str = "upstreams.app.body_idle = \"1s\"";
const EARLY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
const MUCH: usize = 32 << 20;

/// A client whose request has reached an app that a test speaks for, up to the end of its head.
async fn underway(request: &str, settings: &[&str]) -> (Stage, Wire, Wire) {
    let app = Puppet::new().await;
    let setting = app.setting();
    let mut all = vec![OPEN, IDLE, &setting];
    all.extend(settings);
    let stage = Stage::with(&all).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(format!("{request} HTTP/1.1\r\nHost: h\r\n"))
        .await;
    client.send("X-Last: 1\r\n\r\n").await;
    let mut server = app.accept().await;
    server.head().await;
    (stage, client, server)
}

#[tokio::test]
async fn an_app_that_begins_its_answer_early_may_take_the_whole_upload_before_it_goes_on() {
    let (_stage, mut client, mut server) = upload(6).await;
    server.send(EARLY).await;
    client.until("\r\n\r\n").await;
    // Longer than the app may take in all, and never silent for that long.
    for piece in ["1", "2", "3", "4", "5"] {
        client.send(piece).await;
        server.until(piece).await;
        server.stays_quiet(Duration::from_millis(500)).await;
    }
    client.send("6").await;
    server.until("6").await;
    server.send("ok").await;
    client.until("ok").await;
}

#[tokio::test]
async fn an_app_that_neither_takes_the_upload_nor_goes_on_with_its_early_answer_is_given_up() {
    let (_stage, mut client, mut server) = upload(1 << 30).await;
    server.send(EARLY).await;
    client.until("\r\n\r\n").await;
    client.flood(MUCH).await;
    assert_eq!(client.rest().await, "");
}

async fn upload(length: usize) -> (Stage, Wire, Wire) {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, IDLE, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
    let mut server = app.accept().await;
    server.head().await;
    (stage, client, server)
}

#[tokio::test]
async fn a_stream_of_events_may_be_silent_for_longer_than_other_answers() {
    let patient = "upstreams.app.stream_idle = \"4s\"";
    let (_stage, mut client, mut server) = underway("GET /", &[patient]).await;
    server
        .send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
        )
        .await;
    client.until("one\r\n").await;
    client.stays_quiet(Duration::from_millis(2500)).await;
    server.send("3\r\ntwo\r\n").await;
    client.until("two\r\n").await;
    // It has its time, too.
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn each_event_arrives_before_the_next_one_is_written() {
    let (_stage, mut client, mut server) = underway("GET /", &[]).await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for event in ["one", "two", "six"] {
        server.send(format!("3\r\n{event}\r\n")).await;
        client.until(&format!("{event}\r\n")).await;
    }
}
