//! Smuggling: however a body is framed, an app never sees a request that the gateway did not see.

use crate::stage::{
    Stage,
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
    let plain = "POST /plain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n";
    let (targets, statuses) = outcome(&stage, plain).await;
    assert_eq!(targets, ["/plain", "/last"]);
    assert_eq!(statuses, ["200", "200"]);
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
