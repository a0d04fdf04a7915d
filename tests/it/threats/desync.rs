//! Smuggling: however a body is framed, an app never sees a request that the gateway did not see.

use super::{DOORS, gate};
use crate::stage::{
    PHONE, Stage,
    upstream::told,
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
/// What must not arrive as a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends the bytes and gives back every target the app saw and every status the client got.
async fn outcome(stage: &Stage, bytes: &str) -> (Vec<String>, Vec<String>) {
    let before = stage.upstream.seen().len();
    let mut wire = Wire::to(stage.address).await;
    wire.send(bytes).await;
    // Answered after everything before it, if the connection lives so long.
    drop(
        wire.try_send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await,
    );
    let said = wire.rest().await;
    let statuses = said
        .match_indices("HTTP/1.1 ")
        .map(|(at, mark)| said[at + mark.len()..at + mark.len() + 3].to_owned());
    let seen = stage.upstream.seen().split_off(before);
    let targets = seen
        .iter()
        .map(|head| head["target"].as_str().unwrap().to_owned());
    (targets.collect(), statuses.collect())
}

// D1, D2: hyper CVE-2021-32715, HAProxy #2237 (empty length), CVE-2023-25725.
#[tokio::test]
async fn a_body_with_two_lengths_hides_no_request() {
    let stage = Stage::with(&[OPEN]).await;
    for (headers, body) in [
        // Chunked and a length, in both orders: the chunks count, and the connection ends.
        (
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            format!("0\r\n\r\n{HIDDEN}"),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            format!("0\r\n\r\n{HIDDEN}"),
        ),
        (
            "Content-Length: 0\r\nContent-Length: 38\r\n",
            HIDDEN.to_owned(),
        ),
        ("Content-Length: 0, 38\r\n", HIDDEN.to_owned()),
        ("Content-Length: 0,0\r\n", HIDDEN.to_owned()),
        ("Content-Length: +0\r\n", HIDDEN.to_owned()),
        ("Content-Length: -1\r\n", HIDDEN.to_owned()),
        ("Content-Length: 0x0\r\n", HIDDEN.to_owned()),
        ("Content-Length:\r\n", HIDDEN.to_owned()),
        ("Content-Length: 0\r\n 38\r\n", HIDDEN.to_owned()),
        ("Content-Length : 38\r\n", HIDDEN.to_owned()),
    ] {
        let request = format!("POST /first HTTP/1.1\r\nHost: h\r\n{headers}\r\n{body}");
        let (targets, statuses) = outcome(&stage, &request).await;
        assert!(
            targets.is_empty() || targets == ["/first"],
            "{headers}: {targets:?}"
        );
        assert!(statuses.len() <= 1, "{headers}: {statuses:?}");
    }
}

// D1, D2, D3: hyper CVE-2021-21299, Pingora CVE-2026-2835, sozu#726; what a thin gateway lets through.
#[tokio::test]
async fn a_coding_that_is_not_chunked_alone_is_refused() {
    let stage = Stage::with(&[OPEN]).await;
    for coding in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;x=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: deflate, chunked",
        "Transfer-Encoding:\u{c}chunked",
        "Transfer-Encoding: chunked\u{0}",
        "Transfer-Encoding: chun\u{212a}ed",
        "Transfer-Encoding:",
        "Transfer-Encoding: identity",
        "X: y\nTransfer-Encoding: chunked\nTransfer-Encoding: x",
    ] {
        let request =
            format!("POST /first HTTP/1.1\r\nHost: h\r\n{coding}\r\n\r\n0\r\n\r\n{HIDDEN}");
        let (targets, statuses) = outcome(&stage, &request).await;
        assert!(
            !targets.contains(&"/first".to_owned()),
            "{coding}: {targets:?}"
        );
        assert_eq!(
            statuses.first().map(String::as_str),
            Some("400"),
            "{coding}"
        );
    }
    // Blanks around it are none of it: what is behind the body is judged as a request of its own.
    for coding in ["Chunked", "chunked\t", "\tchunked "] {
        let plain = format!(
            "POST /plain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:{coding}\r\n\r\n0\r\n\r\n"
        );
        let (targets, statuses) = outcome(&stage, &plain).await;
        assert_eq!(targets, ["/plain", "/last"], "{coding:?}");
        assert_eq!(statuses, ["200", "200"], "{coding:?}");
    }
}

// D1, D7: hyper CVE-2021-32714, Traefik GHSA-5423 (a chunk line that ends in a bare LF).
#[tokio::test]
async fn chunks_that_are_no_chunks_break_the_request_off() {
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3;a\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        ";\r\nabc\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n : x\r\n\r\n",
    ] {
        let app = Puppet::new().await;
        let stage = Stage::with(&[OPEN, &app.setting()]).await;
        let mut client = Wire::to(stage.address).await;
        client
            .send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        let mut server = app.accept().await;
        server.head().await;
        client.send(format!("{chunks}{HIDDEN}")).await;
        let said = client.rest().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{chunks:?}: {said}");
        let rest = server.rest().await;
        assert!(!rest.contains("0\r\n\r\n"), "{chunks:?}: {rest:?}");
        assert!(!rest.contains("hidden"), "{chunks:?}: {rest:?}");
    }
}

// D7, I7, chunk extensions and trailers.
#[tokio::test]
async fn nothing_of_the_chunks_but_their_data_reaches_the_app() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;ext=\"hidden\"\r\nabc\r\n0\r\nX-Hidden: 1\r\n\r\n",
        )
        .await;
    let mut server = app.accept().await;
    let (line, headers) = server.head().await;
    assert_eq!(line, "POST / HTTP/1.1");
    assert_eq!(headers.get_all("transfer-encoding").iter().count(), 1);
    assert!(!headers.contains_key("content-length"));
    assert_eq!(server.until("0\r\n\r\n").await, "3\r\nabc\r\n0\r\n\r\n");
}

// D2, folded lines.
#[tokio::test]
async fn a_line_folded_into_the_next_is_refused() {
    let stage = Stage::with(&[OPEN]).await;
    for folded in [
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n X-Auth-Subject: admin\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\tmore\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\rX-B: 2\r\n\r\n",
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(folded).await;
        let said = wire.rest().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

// D3, a body that nobody read: Pingora CVE-2025-4366.
#[tokio::test]
async fn a_refused_body_does_not_become_the_next_request() {
    let stage = Stage::with(&["[[routes]]\npath = \"/\"\nmax_body = \"10b\""]).await;
    let length = HIDDEN.len();
    let request = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{HIDDEN}");
    let (targets, statuses) = outcome(&stage, &request).await;
    assert_eq!(targets, [] as [String; 0]);
    // Its body was skipped, or the connection was given up; two refusals would be one too many.
    assert!(
        statuses == ["401"] || statuses == ["401", "401"],
        "{statuses:?}"
    );
    let log = stage.access_log.line(|line| line.contains(" 401 ")).await;
    assert!(log.contains("code=missing_token"));
    assert!(
        !stage
            .access_log
            .lines()
            .iter()
            .any(|line| line.contains("/hidden"))
    );
}

// D1, a body that one side does not expect of the method: hyper CVE-2020-35863.
#[tokio::test]
async fn a_body_is_a_body_whatever_the_method() {
    let stage = gate(&[OPEN]).await;
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "PROPFIND"] {
        let length = HIDDEN.len();
        let framed = [
            format!("Content-Length: {length}\r\n\r\n{HIDDEN}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
        ];
        for framed in framed {
            let mut wire = Wire::to(stage.address).await;
            wire.send(format!("{method} /first HTTP/1.1\r\nHost: h\r\n{framed}"))
                .await;
            let answer = wire.answer().await;
            assert_eq!(answer.json()["body"], HIDDEN, "{method}");
            assert_eq!(stage.arrived_at().await, ["/first"], "{method}");
        }
    }
}

// D2, header names that some reader takes for another one, or for none: HAProxy CVE-2023-25725 and a8598a2e.
#[tokio::test]
async fn a_header_without_a_proper_name_is_refused() {
    let stage = gate(&[OPEN]).await;
    for line in [
        ": x",
        " : x",
        "X-A : 1",
        "X A: 1",
        "X\tA: 1",
        "X-A\u{0}: 1",
        "X-A\u{e9}: 1",
        "X-A(: 1",
        "X-A",
        "Content-Length\u{0}: 5",
        "Transfer-Encoding\u{b}: chunked",
        "\u{0}",
        "X-A: a\u{0}b",
    ] {
        let bytes = format!("GET /first HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n");
        let (targets, statuses) = outcome(&stage, &bytes).await;
        assert_eq!(statuses, ["400"], "{line:?}");
        assert!(targets.is_empty(), "{line:?}: {targets:?}");
        assert!(stage.arrived().await.is_empty(), "{line:?}");
    }
}

// D2, a name of so many bytes that its length runs over: HAProxy 3b69886f (2021).
#[tokio::test]
async fn a_header_with_a_very_long_name_is_one_header_or_refused() {
    let stage = gate(&DOORS).await;
    for length in [255, 256, 270, 16_384, 65_535, 65_536, 65_600] {
        let name = format!("content-length0{}", "a".repeat(length));
        let bytes = format!("GET /public HTTP/1.1\r\nHost: h\r\n{name}: {HIDDEN}");
        let (_, statuses) = outcome(&stage, &bytes).await;
        let arrived = stage.arrived().await;
        if statuses.first().is_some_and(|status| status == "200") {
            // The hidden line is a header of the first request: it ends at its own line.
            assert_eq!(arrived[0]["target"], "/public", "{length}");
            assert_eq!(
                told(&arrived[0], &name),
                ["GET /hidden HTTP/1.1"],
                "{length}"
            );
        } else {
            assert!(arrived.is_empty(), "{length}: {arrived:?}");
        }
        let hidden = arrived.iter().any(|head| head["target"] == "/hidden");
        assert!(!hidden, "{length}: {arrived:?}");
    }
}

// D3, versions: HTTP/1.0 knows no chunks (Pingora CVE-2026-2835), and HTTP/0.9 no headers.
#[tokio::test]
async fn no_other_version_of_http_has_another_idea_of_a_body() {
    let stage = gate(&[OPEN]).await;
    for bytes in [
        format!(
            "POST /first HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"
        ),
        format!(
            "POST /first HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{HIDDEN}"
        ),
        format!("GET /first\r\n{HIDDEN}"),
        format!("GET /first \r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/2.0\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/1.2\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first http/1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/1.1x\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP /1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!(" GET /first HTTP/1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET /first HTTP/1.1\r\n Host: h\r\n\r\n{HIDDEN}"),
        format!("G\u{0}T /first HTTP/1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
        format!("GET\u{e9} /first HTTP/1.1\r\nHost: h\r\n\r\n{HIDDEN}"),
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(&bytes).await;
        let said = wire.rest().await;
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400 "),
            "{bytes:?}: {said}"
        );
        assert!(stage.arrived().await.is_empty(), "{bytes:?}");
    }
}

// D3, what comes behind an answer that says "close", or behind a request without a length: Pingora CVE-2026-2835.
#[tokio::test]
async fn nothing_that_follows_a_last_request_is_one() {
    let stage = gate(&[OPEN]).await;
    for first in [
        "GET /first HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /first HTTP/1.0\r\nHost: h\r\n\r\n",
        "POST /first HTTP/1.0\r\nHost: h\r\n\r\n",
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(format!("{first}{HIDDEN}")).await;
        let said = wire.rest().await;
        assert_eq!(said.matches("\r\ndate: ").count(), 1, "{first}: {said}");
        assert_eq!(stage.arrived_at().await, ["/first"], "{first}");
    }
}

// D7, a bare LF: where it ends a line, it does so for the gateway too, which judges what is behind it.
#[tokio::test]
async fn a_line_that_ends_in_another_way_hides_nothing() {
    let stage = gate(&DOORS).await;
    for head in [
        "GET /public HTTP/1.1\r\nHost: h\r\nX-A: 1\nX-Auth-Subject: admin\r\n\r\n",
        "GET /public HTTP/1.1\nHost: h\nX-Auth-Subject: admin\n\n",
        "GET /public HTTP/1.1\r\nHost: h\n\nGET /admin HTTP/1.1\r\nHost: h\r\n\r\n",
        "\n\nGET /public HTTP/1.1\r\nHost: h\r\nX-A: 1\n\r\n",
    ] {
        let (_, statuses) = outcome(&stage, head).await;
        assert!(statuses.len() <= 3, "{head:?}: {statuses:?}");
        for seen in stage.arrived().await {
            let target = seen["target"].as_str().expect("a target");
            assert_ne!(target, "/admin", "{head:?}");
            assert_eq!(told(&seen, "x-auth-subject"), [] as [&str; 0], "{head:?}");
        }
    }
}

// D3, expectations: a body that is announced, not asked for, and taken for the next request.
#[tokio::test]
async fn an_expectation_hides_no_request() {
    let stage = gate(&DOORS).await;
    let tokens = stage.log_in(PHONE).await;
    for expect in [
        "100-continue",
        "100-Continue",
        "100-continue, x",
        "x 100-continue",
        "y",
    ] {
        for (target, token) in [("/orders", ""), ("/orders", tokens.access.as_str())] {
            let length = HIDDEN.len();
            let bytes = format!(
                "POST {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
                 Expect: {expect}\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"
            );
            outcome(&stage, &bytes).await;
            let arrived = stage.arrived_at().await;
            assert!(
                !arrived.contains(&"/hidden".to_owned()),
                "{expect}: {arrived:?}"
            );
            if token.is_empty() {
                assert!(
                    !arrived.contains(&"/orders".to_owned()),
                    "{expect}: {arrived:?}"
                );
            }
        }
    }
}
