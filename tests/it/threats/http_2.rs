//! HTTP/2 on its way down to HTTP/1.1: nothing that a frame may hold becomes a line of its own, or a second request.

use std::sync::{Arc, Mutex};

use http::Request;
use http_body_util::BodyExt;

use super::{DOORS, gate, refuses};
use crate::stage::{
    Stage,
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GET, HEADERS, Outcome, block,
    },
    h2::{H2, body},
    upstream::{Upstream, reply},
    witness::{IN_ORDER, MARKED},
};

/// Sends a GET of an open place with these fields in addition, and asserts that the app never heard
/// of it, and that nobody was told that all is well.
async fn is_malformed(stage: &Stage, fields: &[(&str, &str)]) {
    let mut frames = Frames::to(stage.address).await;
    frames.send(&[Frame::head(1, END_STREAM, fields)]).await;
    let outcome = frames.outcome(1).await;
    if let Outcome::Answered(body) = &outcome {
        assert!(body.contains("\"status\":400"), "{fields:?}: {body}");
    }
    let arrived = stage.arrived_at().await;
    assert!(arrived.is_empty(), "{fields:?}: {arrived:?}");
}

/// The fields of a GET of an open place.
fn public<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&GET[..], &[(":path", "/public")], more].concat()
}

// D6, fields that HTTP/1.1 would read as more than one line: the downgrade attacks on every large proxy of 2021.
#[tokio::test]
async fn no_field_holds_another_line() {
    let stage = gate(&DOORS).await;
    for field in [
        ("x-a", "1\r\nx-auth-subject: admin"),
        ("x-a", "1\n\nGET /hidden HTTP/1.1"),
        ("x-a", "1\rx"),
        ("x-a", "a\0b"),
        ("x-a\r\nx-b", "1"),
        ("x-a: 1\r\nx-b", "1"),
        ("x a", "1"),
        ("x-a:", "1"),
        ("", "1"),
        ("X-Upper", "1"),
        ("x-\u{e9}", "1"),
        ("content-length", "0\r\n\r\nGET /hidden HTTP/1.1\r\nx: y"),
    ] {
        is_malformed(&stage, &public(&[field])).await;
    }
}

// D6 again, in the fields that become the first line.
#[tokio::test]
async fn no_pseudo_field_becomes_more_than_its_part_of_the_first_line() {
    let stage = gate(&DOORS).await;
    for (name, value) in [
        (":path", "/public HTTP/1.1\r\nx-a: 1"),
        (":path", "/public HTTP/1.1\r\n\r\nGET /hidden"),
        (":path", "/public x"),
        (":path", "/public\tx"),
        (":path", "public"),
        (":path", ""),
        (":path", "http://app.test/public"),
        (":path", "*"),
        (":method", "GET /hidden HTTP/1.1\r\nx:"),
        (":method", "GET "),
        (":method", ""),
        (":authority", "app.test\r\nx-a: 1"),
        (":authority", "app.test/admin"),
        (":authority", "app.test, other.test"),
        (":authority", "user@app.test"),
        (":authority", ""),
        (":scheme", "http://other.test/?"),
        (":scheme", "http\r\nx"),
    ] {
        let mut fields = public(&[]);
        for field in &mut fields {
            if field.0 == name {
                field.1 = value;
            }
        }
        is_malformed(&stage, &fields).await;
    }
}

// D6, heads of which two readers could take different parts: h2 RFC 9113 §8.3.
#[tokio::test]
async fn every_pseudo_field_comes_once_and_first() {
    let stage = gate(&DOORS).await;
    for more in [
        vec![(":path", "/public/other")],
        vec![(":method", "POST")],
        vec![(":authority", "other.test")],
        vec![(":scheme", "https")],
        vec![("x-a", "1"), (":path", "/public")],
        vec![(":status", "200")],
        vec![(":unknown", "1")],
        vec![("host", "other.test")],
        vec![("host", "app.test"), ("host", "other.test")],
    ] {
        is_malformed(&stage, &public(&more)).await;
    }
    for missing in [":method", ":scheme", ":path"] {
        let mut fields = public(&[]);
        fields.retain(|(name, _)| *name != missing);
        is_malformed(&stage, &fields).await;
    }
}

// D6, D4: fields of one connection, which HTTP/2 has none of, and which HTTP/1.1 would obey.
#[tokio::test]
async fn no_field_speaks_of_the_connection() {
    let stage = gate(&DOORS).await;
    for field in [
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("connection", "x-auth-subject"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("te", "chunked"),
        ("te", "trailers, chunked"),
    ] {
        is_malformed(&stage, &public(&[field])).await;
    }
}

// D6, a length that is not that of the body: HAProxy CVE-2026-33555, sozu.
#[tokio::test]
async fn a_body_is_as_long_as_it_says_or_the_app_never_sees_the_end_of_it() {
    const HIDDEN: &str = "xGET /hidden HTTP/1.1\r\nhost: h\r\n\r\n";
    for (length, sent) in [
        ("5", ""),
        ("0", HIDDEN),
        ("1", HIDDEN),
        ("99", HIDDEN),
        ("+1", "x"),
        ("1, 1", "x"),
    ] {
        let whole = Arc::new(Mutex::new(Vec::new()));
        let app = Upstream::doing({
            let whole = Arc::clone(&whole);
            move |request| {
                let whole = Arc::clone(&whole);
                Box::pin(async move {
                    let is_marker = request.uri().path() != "/public";
                    if let Ok(body) = request.into_body().collect().await
                        && !is_marker
                    {
                        whole.lock().unwrap().push(body.to_bytes());
                    }
                    reply("")
                })
            }
        });
        let stage = Stage::over(app.await, &[IN_ORDER, MARKED, DOORS[1]]).await;
        let mut frames = Frames::to(stage.address).await;
        let mut fields = public(&[("content-length", length)]);
        fields[0].1 = "POST";
        if sent.is_empty() {
            frames.send(&[Frame::head(1, END_STREAM, &fields)]).await;
        } else {
            let body = Frame::new(DATA, END_STREAM, 1, sent);
            frames.send(&[Frame::head(1, 0, &fields), body]).await;
        }
        let outcome = frames.outcome(1).await;
        assert!(
            matches!(outcome, Outcome::Reset(_) | Outcome::GoneAway(_)),
            "{length}: {outcome:?}"
        );
        let arrived = stage.arrived_at().await;
        assert!(!arrived.contains(&"/hidden".to_owned()), "{length}");
        // Whoever says that there is no body has sent all of it before that is found out.
        let whole = whole.lock().unwrap().clone();
        assert!(
            whole.iter().all(|body| length == "0" && body.is_empty()),
            "{length}: {whole:?}"
        );
    }
}

// D5, tunnels over HTTP/2: Envoy CVE-2026-73547 (no path), Traefik CVE-2026-71324.
#[tokio::test]
async fn no_connect_opens_a_tunnel() {
    let stage = gate(&DOORS).await;
    let connect = (":method", "CONNECT");
    for fields in [
        vec![connect, (":authority", "app.test:443")],
        vec![connect, (":authority", "127.0.0.1:22")],
        vec![connect, GET[1], GET[2], (":path", "/public")],
        vec![
            connect,
            GET[1],
            GET[2],
            (":path", "/public"),
            (":protocol", "connect-udp"),
        ],
        vec![
            connect,
            GET[1],
            GET[2],
            (":path", "/public"),
            (":protocol", "h2c"),
        ],
        vec![
            connect,
            GET[1],
            GET[2],
            (":path", "/public"),
            (":protocol", ""),
        ],
        vec![connect, GET[1], GET[2], (":protocol", "websocket")],
    ] {
        let mut frames = Frames::to(stage.address).await;
        // The stream stays open, as a tunnel would.
        let words = Frame::new(DATA, 0, 1, "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n");
        frames.send(&[Frame::head(1, 0, &fields), words]).await;
        let outcome = frames.outcome(1).await;
        if let Outcome::Answered(body) = &outcome {
            assert!(body.contains("\"status\":4"), "{fields:?}: {body}");
        }
        let arrived = stage.arrived_at().await;
        assert!(arrived.is_empty(), "{fields:?}: {arrived:?}");
    }
}

// P12 and D6, a head in pieces is one head: what is refused in one frame is refused in many.
#[tokio::test]
async fn a_head_in_pieces_is_judged_whole() {
    let stage = gate(&DOORS).await;
    let whole = block(&public(&[("x-auth-subject", "admin")]));
    let (first, rest) = whole.split_at(whole.len() / 2);
    let mut frames = Frames::to(stage.address).await;
    frames
        .send(&[
            Frame::new(HEADERS, END_STREAM, 1, first),
            Frame::new(CONTINUATION, END_HEADERS, 1, rest),
        ])
        .await;
    let Outcome::Answered(told) = frames.outcome(1).await else {
        panic!("no answer");
    };
    assert!(!told.contains("admin"), "{told}");
    assert_eq!(stage.arrived_at().await, ["/public"]);
    // Another stream's frame in between is the end of everything (RFC 9113 §6.10).
    let mut frames = Frames::to(stage.address).await;
    frames
        .send(&[
            Frame::new(HEADERS, END_STREAM, 1, first),
            Frame::get(3, "/public"),
            Frame::new(CONTINUATION, END_HEADERS, 1, rest),
        ])
        .await;
    assert_eq!(frames.outcome(1).await, Outcome::GoneAway(1));
    assert!(stage.arrived_at().await.is_empty());
}

// P1 to P12 again: HTTP/2 carries a path as a header, which no parser of request lines looks at.
#[tokio::test]
async fn http_2_finds_no_other_way() {
    let stage = gate(&DOORS).await;
    let (client, _connection) = H2::to(stage.address).await;
    let get = async |target: &str| {
        let url = format!("http://app.test{target}");
        let request = Request::get(url).body(body("")).expect("a request");
        client.send(request).await
    };
    for (target, status, code) in [
        ("/public/../admin", 400, "invalid_request_target"),
        ("/public/%2e%2e/admin", 400, "invalid_request_target"),
        ("/public/..;/admin", 400, "invalid_request_target"),
        ("/public%2fadmin", 400, "invalid_request_target"),
        ("/public//admin", 400, "invalid_request_target"),
        ("/public%00", 400, "invalid_request_target"),
        ("/%61dmin", 401, "missing_token"),
        ("/publicity", 401, "missing_token"),
        ("/admin?/public", 401, "missing_token"),
    ] {
        let answer = get(target).await;
        refuses(&stage, target, answer, status, code).await;
    }
    assert_eq!(get("/%70ublic/x").await.status, 200);
    assert_eq!(stage.arrived_at().await, ["/public/x"]);
}
