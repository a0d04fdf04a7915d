//! What an HTTP/2 client may do frame by frame: floods are noticed by what they are, honest habits are not taken for one.

use std::time::Duration;

use crate::stage::{
    Stage,
    frames::{
        DATA, END_HEADERS, END_STREAM, Frame, Frames, GET, GOAWAY, HEADERS, Outcome, PING,
        PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
    },
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

/// `PRIORITY_UPDATE` (RFC 9218 §7.1).
const PRIORITY_UPDATE: u8 = 0x10;

/// More than anybody has reason to send, and less than a second's work.
const MANY: u32 = 20_000;

const ENHANCE_YOUR_CALM: u32 = 11;

/// Of a PING, that it is the answer to one.
const ACK: u8 = 1;

#[tokio::test]
async fn frames_that_do_no_work_end_their_connection_and_are_counted_by_kind() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let post = [&[(":method", "POST"), (":path", "/")], &GET[1..]].concat();
    let head = Frame::head(1, 0, &post);
    for (reason, frame) in [
        ("flood_ping", Frame::new(PING, 0, 0, [7; 8])),
        ("flood_settings", Frame::new(SETTINGS, 0, 0, [])),
        (
            "flood_priority",
            Frame::new(PRIORITY, 0, 5, [0, 0, 0, 0, 1]),
        ),
        (
            "flood_window_update",
            Frame::new(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]),
        ),
        ("flood", Frame::new(DATA, 0, 1, [])),
        ("flood_goaway", Frame::new(GOAWAY, 0, 0, [0; 8])),
        ("flood_other", Frame::new(0xfa, 0, 0, [7; 8])),
        (
            "flood_other",
            Frame::new(PRIORITY_UPDATE, 0, 0, [0, 0, 0, 1]),
        ),
    ] {
        let before = stage.ended(reason).await;
        let mut enemy = Frames::to(stage.address).await;
        enemy.send(std::slice::from_ref(&head)).await;
        let block = vec![frame; 100];
        let hung_up = enemy.repeat(MANY / 100, |_| block.clone()).await;
        let farewell = enemy.farewell().await;
        assert!(hung_up || farewell == Some(ENHANCE_YOUR_CALM), "{reason}");
        assert_eq!(stage.ended(reason).await, before + 1, "{reason}");
    }
}

#[tokio::test]
async fn requests_that_are_taken_back_end_their_connection() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut enemy = Frames::to(stage.address).await;
    let cancelled = |n: u32| {
        let stream = 2 * n + 1;
        let reset = Frame::new(RST_STREAM, 0, stream, [0, 0, 0, 8]);
        vec![Frame::get(stream, "/"), reset]
    };
    let hung_up = enemy.repeat(MANY, cancelled).await;
    assert!(hung_up || enemy.farewell().await.is_some());
    // The parser itself takes care of this kind.
    assert_eq!(stage.ended("flood").await, 1);
}

#[tokio::test]
async fn a_head_without_an_end_gets_no_more_time_in_many_frames_than_in_one() {
    let stage = Stage::with(&[OPEN, "server.limits.headers = \"1s\""]).await;
    let fields = block(&GET);
    let begun = Frame::new(HEADERS, END_STREAM, 1, fields.clone());
    let whole = Frame::new(HEADERS, END_STREAM | END_HEADERS, 1, fields).bytes();
    let half = whole.split_at(whole.len() / 2).0;
    for (count, said) in [(1, &begun.bytes()[..]), (2, half)] {
        let mut client = Frames::to(stage.address).await;
        client.send_bytes(said).await;
        client.farewell().await;
        assert_eq!(stage.ended("headers").await, count);
    }
}

#[tokio::test]
async fn nobody_may_have_more_requests_under_way_than_it_was_told() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting(), "server.limits.max_streams = 3"]).await;
    let mut client = Frames::to(stage.address).await;
    client
        .send(&[1, 3, 5, 7].map(|stream| Frame::get(stream, "/")))
        .await;
    // REFUSED_STREAM: it may come again.
    assert_eq!(client.outcome(7).await, Outcome::Reset(7));
}

#[tokio::test]
async fn honest_habits_are_not_taken_for_a_flood() {
    let stage = Stage::with(&[OPEN]).await;
    let mut client = Frames::to(stage.address).await;
    for n in 0..500_u32 {
        let stream = 2 * n + 1;
        let importance = [&stream.to_be_bytes()[..], b"u=1"].concat();
        // What browsers and gRPC say around a request.
        client
            .send(&[
                Frame::get(stream, "/"),
                Frame::new(PRIORITY_UPDATE, 0, 0, importance),
            ])
            .await;
        let outcome = client.outcome(stream).await;
        assert!(matches!(outcome, Outcome::Answered(_)), "{n}: {outcome:?}");
        client
            .send(&[Frame::new(WINDOW_UPDATE, 0, 0, 1000_u32.to_be_bytes())])
            .await;
    }
}

#[tokio::test]
async fn small_messages_both_ways_may_go_on_for_ever() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Frames::to(stage.address).await;
    let post = [&[(":method", "POST"), (":path", "/")], &GET[1..]].concat();
    client.send(&[Frame::head(1, 0, &post)]).await;
    let mut server = app.accept().await;
    server.head().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for n in 0..700 {
        client.send(&[Frame::new(DATA, 0, 1, *b"x")]).await;
        server.until("1\r\nx\r\n").await;
        server.send("1\r\ny\r\n").await;
        let frame = loop {
            let frame = client.next().await.unwrap_or_else(|| panic!("over at {n}"));
            if frame.kind == DATA {
                break frame;
            }
        };
        assert_eq!(frame.payload, b"y");
        // Both windows are opened for every single byte.
        client
            .send(&[0, 1].map(|stream| Frame::new(WINDOW_UPDATE, 0, stream, [0, 0, 0, 1])))
            .await;
    }
}

#[tokio::test]
async fn a_ping_now_and_then_neither_ends_a_connection_nor_keeps_it() {
    let stage = Stage::with(&[OPEN, "server.limits.idle = \"1s\""]).await;
    let mut client = Frames::to(stage.address).await;
    let mut drops = tokio::time::interval(Duration::from_millis(50));
    let ping = Frame::new(PING, 0, 0, [7; 8]);
    while client.try_send(std::slice::from_ref(&ping)).await.is_ok() {
        drops.tick().await;
    }
    assert_eq!(stage.ended("idle").await, 1);
}

/// A request on `stream` to an app that has not answered it yet.
async fn waiting(app: &Puppet, stage: &Stage) -> (Frames, Wire) {
    let mut client = Frames::to(stage.address).await;
    client.send(&[Frame::get(1, "/")]).await;
    let mut server = app.accept().await;
    server.request().await;
    (client, server)
}

#[tokio::test]
async fn a_client_that_does_not_answer_when_it_is_asked_for_is_given_up() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting(), "server.limits.ping = \"1s\""]).await;
    let (mut client, mut server) = waiting(&app, &stage).await;
    client.farewell().await;
    // Nobody waits for its answer any more.
    assert_eq!(server.rest().await, "");
    assert_eq!(stage.ended("unanswered").await, 1);
}

#[tokio::test]
async fn a_client_that_says_it_is_there_may_wait_for_as_long_as_it_likes() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting(), "server.limits.ping = \"1s\""]).await;
    let (mut client, mut server) = waiting(&app, &stage).await;
    for _ in 0..3 {
        let asked = loop {
            let frame = client.next().await.expect("a question");
            if frame.kind == PING {
                break frame;
            }
        };
        client
            .send(&[Frame::new(PING, ACK, 0, asked.payload)])
            .await;
    }
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.outcome(1).await, Outcome::Answered("ok".to_owned()));
}
