//! Floods: whoever sends much of what costs little is hung up on, and everybody else is served meanwhile.

use super::{DOORS, gate};
use crate::stage::{
    Stage,
    client::Connection,
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GET, GOAWAY, HEADERS, PING,
        PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
    },
};

/// More than anybody has reason to say, and less than a second's work.
const MANY: u32 = 50_000;

const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

/// Says `frames` again and again after `first`, with a number that counts up, and asserts that this
/// ends in being hung up on, and that somebody else on the same worker is served before and after.
async fn is_hung_up_on(first: Vec<Frame>, frames: impl Fn(u32) -> Vec<Frame>) {
    let stage = gate(&DOORS).await;
    let mut enemy = Frames::to(stage.address).await;
    let mut honest = Connection::open(stage.address).await;
    assert_eq!(honest.send(stage.get("/public")).await.status, 200);
    enemy.send(&first).await;
    let hung_up = async {
        enemy.repeat(MANY, frames).await || enemy.farewell().await.is_some_and(|why| why != 0)
    };
    let served = async {
        for _ in 0..20 {
            assert_eq!(honest.send(stage.get("/public")).await.status, 200);
        }
    };
    let (hung_up, ()) = tokio::join!(hung_up, served);
    assert!(hung_up, "it may go on for ever");
    is_well(&stage).await;
}

/// A new client is served, and so is an operator.
async fn is_well(stage: &Stage) {
    assert_eq!(stage.get("/public").send().await.status, 200);
    assert_eq!(stage.operators("/health").await.status, 200);
}

/// The number of the `n`-th request's stream.
const fn stream(n: u32) -> u32 {
    2 * n + 1
}

fn reset(stream: u32) -> Frame {
    Frame::new(RST_STREAM, 0, stream, CANCEL)
}

// S1, Rapid Reset: CVE-2023-44487, h2 CVE-2023-26964.
#[tokio::test]
async fn whoever_asks_and_cancels_without_end_is_hung_up_on() {
    is_hung_up_on(vec![], |n| {
        vec![Frame::get(stream(n), "/public"), reset(stream(n))]
    })
    .await;
}

// S2, CONTINUATION: RUSTSEC-2024-0332, Traefik GHSA-7f4j.
#[tokio::test]
async fn a_head_without_end_is_not_listened_to() {
    let begun = Frame::new(HEADERS, END_STREAM, 1, block(&GET));
    let more = block(&[("x-a", &"a".repeat(200))]);
    is_hung_up_on(vec![begun.clone()], |_| {
        vec![Frame::new(CONTINUATION, 0, 1, more.clone())]
    })
    .await;
    is_hung_up_on(vec![begun], |_| vec![Frame::new(CONTINUATION, 0, 1, [])]).await;
}

// S3, MadeYouReset: CVE-2025-8671, mistakes for which the gateway has to reset the stream.
#[tokio::test]
async fn whoever_makes_the_gateway_reset_streams_without_end_is_hung_up_on() {
    is_hung_up_on(vec![], |n| {
        let nothing = Frame::new(WINDOW_UPDATE, 0, stream(n), 0_u32.to_be_bytes());
        vec![Frame::get(stream(n), "/public"), nothing]
    })
    .await;
    is_hung_up_on(vec![], |n| {
        let malformed = [&GET[..], &[(":path", "/public"), ("te", "x")]].concat();
        vec![Frame::head(stream(n), END_STREAM, &malformed)]
    })
    .await;
}

// S5, empty DATA: RUSTSEC-2026-0258.
#[tokio::test]
async fn a_body_of_nothing_without_end_is_not_listened_to() {
    let mut fields = [&GET[..], &[(":path", "/public")]].concat();
    fields[0].1 = "POST";
    let begun = Frame::head(1, 0, &fields);
    is_hung_up_on(vec![begun], |_| vec![Frame::new(DATA, 0, 1, [])]).await;
}

// S6, HPACK bombs and crumbs of cookies: Envoy CVE-2026-47774, Apache CVE-2026-49975, sozu 2.0.2.
#[tokio::test]
async fn a_small_head_that_unfolds_into_a_large_one_is_refused() {
    let stage = gate(&DOORS).await;
    // Put once into the table, then named by one byte (RFC 7541 §6.1 and §6.2.1).
    let crumb = "a".repeat(3000);
    let mut bomb = block(&[&GET[..], &[(":path", "/public")]].concat());
    bomb.push(0x40);
    let entry = block(&[("cookie", &crumb)]);
    bomb.extend(&entry[1..]);
    bomb.extend([0xbe; 8000]);
    let mut frames = Frames::to(stage.address).await;
    frames
        .send(&[Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, bomb)])
        .await;
    let outcome = frames.outcome(1).await;
    let refused = format!("{outcome:?}");
    assert!(!refused.contains("\"target\""), "{refused}");
    assert!(stage.arrived().await.is_empty());
    is_well(&stage).await;
}

// S8, farewells and settings that crashed others: Pomerium CVE-2021-39162, Traefik GHSA-4hjq.
#[tokio::test]
async fn no_frame_brings_the_gateway_down() {
    let stage = gate(&DOORS).await;
    let farewell = || Frame::new(GOAWAY, 0, 0, [0; 8]);
    let setting = |id: u8, value: u32| {
        let payload = [&[0, id][..], &value.to_be_bytes()].concat();
        Frame::new(SETTINGS, 0, 0, payload)
    };
    for (row, frames) in [
        (
            "farewell, settings",
            vec![farewell(), setting(4, 0), Frame::get(1, "/public")],
        ),
        ("no table", vec![setting(1, 0), Frame::get(1, "/public")]),
        (
            "a huge table",
            vec![setting(1, u32::MAX), Frame::get(1, "/public")],
        ),
        ("no stream", vec![setting(3, 0), Frame::get(1, "/public")]),
        ("a huge window", vec![setting(4, u32::MAX)]),
        ("tiny frames", vec![setting(5, 1)]),
        ("push", vec![setting(2, 2)]),
        ("no settings", vec![Frame::new(SETTINGS, 0, 0, [1, 2, 3])]),
        ("settings of a stream", vec![Frame::new(SETTINGS, 0, 1, [])]),
        ("a short farewell", vec![Frame::new(GOAWAY, 0, 0, [0; 3])]),
        ("a short ping", vec![Frame::new(PING, 0, 0, [0; 3])]),
        ("an even stream", vec![Frame::get(2, "/public")]),
        (
            "a stream of old",
            vec![Frame::get(5, "/public"), Frame::get(3, "/public")],
        ),
        ("no stream at all", vec![Frame::get(0, "/public")]),
        (
            "its own child",
            vec![Frame::new(PRIORITY, 0, 1, [0, 0, 0, 1, 0])],
        ),
        (
            "a window too far",
            vec![Frame::new(WINDOW_UPDATE, 0, 0, [0x7f, 255, 255, 255])],
        ),
        (
            "a promise",
            vec![Frame::new(5, END_HEADERS, 1, [0, 0, 0, 2])],
        ),
        (
            "padding alone",
            vec![Frame::new(HEADERS, END_HEADERS | 8, 1, [255])],
        ),
        (
            "a broken head",
            vec![Frame::new(HEADERS, END_HEADERS, 1, [0xff; 9])],
        ),
        ("reset of nothing", vec![reset(9)]),
    ] {
        let mut enemy = Frames::to(stage.address).await;
        enemy.send(&frames).await;
        let answer = stage.get("/public").send().await;
        assert_eq!(answer.status, 200, "{row}");
    }
    is_well(&stage).await;
}

// S11, lines that a stranger writes into the log: Envoy CVE-2024-45808, sozu (bidi, CSV).
#[tokio::test]
async fn nobody_writes_a_line_of_their_own_into_the_log() {
    for format in ["text", "json"] {
        let stage = gate(&[&format!("log.format = \"{format}\""), DOORS[1]]).await;
        for call in [
            stage
                .get("/public/%0a2030-01-01%20200%20GET%20/forged")
                .header("x", "1"),
            stage.get("/public%0d%0aforged"),
            stage.get("/public%1b%5B2Jforged"),
            stage.get("/public%E2%80%AEforged"),
            stage.get("/public/%22,%22forged%22:%22"),
            stage.get("/public").header("user-agent", "a\tforged"),
            stage.get("/public").header("x-request-id", "forged"),
            stage.get("/public").header("host", "forged\t"),
            stage.call("FORGED", "/public"),
        ] {
            let Some(answer) = call.try_send().await else {
                continue;
            };
            assert_ne!(answer.status, 500);
        }
        let last = stage.get("/public/last").send().await;
        let id = last.header("x-request-id").to_owned();
        stage.access_log.line(|line| line.contains(&id)).await;
        for line in stage.access_log.lines() {
            let plain = line
                .chars()
                .all(|c| matches!(c, ' ' | 'µ') || c.is_ascii_graphic());
            assert!(plain, "{line:?}");
            assert!(
                line.contains("GET /") || line.contains("FORGED") || line.contains("\"path\""),
                "{line}"
            );
            assert!(!line.starts_with("2030-01-01"), "{line}");
        }
    }
}
