//! Who gets a WebSocket and who does not, and that nothing reaches an app before it agrees.

use std::time::Duration;

use super::{KEY, OPEN, PROOF, Scene, bearer, handshake, request, switched};
use crate::stage::{BEHIND_A_PROXY, PHONE, browser::Browser, wire::Wire};

/// What a request smuggled behind a handshake would look like.
const STOLEN: &str = "GET /admin HTTP/1.1\r\nHost: h\r\nX-Auth-Subject: root\r\n\r\n";

/// Long enough for what was sent to arrive if it could.
const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_handshake_in_order_reaches_the_app_whole_and_its_answer_the_client() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let said = [
        &*bearer(&tokens.access),
        "Origin: https://app.example",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "X-Auth-Subject: somebody else",
    ];
    let mut client = scene.client(&handshake(&said)).await;
    let (mut server, heard) = scene.asked().await;
    assert_eq!(heard.line, "GET /live HTTP/1.1");
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat, superchat"),
        (
            "sec-websocket-extensions",
            "permessage-deflate; client_max_window_bits",
        ),
        ("origin", "https://app.example"),
        ("x-auth-phone", PHONE),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(heard.told(name), [value], "{name}");
    }
    assert_ne!(heard.told("x-auth-subject"), ["somebody else"]);
    assert_eq!(heard.told("authorization"), [] as [&str; 0]);

    let answer = [
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "X-Own: 1",
    ];
    server.send(switched(&answer)).await;
    let (line, headers) = client.head().await;
    assert_eq!(line, "HTTP/1.1 101 Switching Protocols");
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-accept", PROOF),
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("x-own", "1"),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    for name in ["content-length", "transfer-encoding"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_in_order_goes_no_further() {
    let scene = Scene::new(&[OPEN]).await;
    let key = &*format!("Sec-WebSocket-Key: {KEY}");
    let version = "Sec-WebSocket-Version: 13";
    let (upgrade, connection) = ("Upgrade: websocket", "Connection: Upgrade");
    let get = "GET /live HTTP/1.1";
    for (line, headers) in [
        (get, &[upgrade, version, key] as &[_]),
        (get, &[upgrade, "Connection: keep-alive", version, key]),
        (get, &[upgrade, connection, key]),
        (get, &[upgrade, connection, version]),
        (get, &[upgrade, connection, version, key, key]),
        (get, &[upgrade, connection, version, version, key]),
        (
            get,
            &[upgrade, connection, version, "Sec-WebSocket-Key: c2hvcnQ="],
        ),
        (
            get,
            &[upgrade, connection, version, key, "Content-Length: 4"],
        ),
        (
            get,
            &[
                upgrade,
                connection,
                version,
                key,
                "Transfer-Encoding: chunked",
            ],
        ),
        ("GET /live HTTP/1.0", &[upgrade, connection, version, key]),
        (
            "POST /live HTTP/1.1",
            &[upgrade, connection, version, key, "Content-Length: 0"],
        ),
    ] {
        let mut client = scene.client(&request(line, headers)).await;
        client.answer().await.is_refused(400, "invalid_handshake");
    }
    for other in ["8", "14", "13, 8"] {
        let other = format!("Sec-WebSocket-Version: {other}");
        let asked = request(get, &[upgrade, connection, &other, key]);
        let answer = scene.client(&asked).await.answer().await;
        answer.is_refused(426, "upgrade_required");
        assert_eq!(answer.header("sec-websocket-version"), "13");
    }
    assert!(!scene.app.is_wanted());
}

#[tokio::test]
async fn any_other_protocol_is_never_spoken_of_to_an_app() {
    let scene = Scene::new(&[OPEN]).await;
    for upgrade in [
        "h2c",
        "TLS/1.0",
        "foo",
        "websocket, h2c",
        "h2c, websocket",
        "websocket/13",
    ] {
        let asked = [
            &*format!("Upgrade: {upgrade}"),
            "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
            "Sec-WebSocket-Version: 13",
            &format!("Sec-WebSocket-Key: {KEY}"),
        ];
        let mut client = scene.client(&request("GET / HTTP/1.1", &asked)).await;
        let (mut server, heard) = scene.asked().await;
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(heard.told(name), [] as [&str; 0], "{upgrade}: {name}");
        }
        server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            .await;
        assert_eq!(client.answer().await.text(), "ok");
    }
}

#[tokio::test]
async fn who_may_not_pass_opens_nothing() {
    let route = "[[routes]]\npath = \"/posts\"\nauth = \"none\"\nmethods = [\"POST\"]";
    let everything = "[[routes]]\npath = \"/\"";
    let scene = Scene::new(&[route, everything]).await;
    let refused = async |asked: String| scene.client(&asked).await.answer().await;
    refused(handshake(&[]))
        .await
        .is_refused(401, "missing_token");
    let forged = handshake(&["Authorization: Bearer nonsense"]);
    refused(forged).await.is_refused(401, "invalid_token");
    let elsewhere = handshake(&[]).replace("/live", "/posts");
    refused(elsewhere)
        .await
        .is_refused(405, "method_not_allowed");
    let login = handshake(&[]).replace("/live", "/api/auth/me");
    refused(login).await.is_refused(400, "invalid_handshake");
    let ambiguous = handshake(&[]).replace("/live", "/a%2f../live");
    refused(ambiguous)
        .await
        .is_refused(400, "invalid_request_target");
    assert!(!scene.app.is_wanted());
}

#[tokio::test]
async fn the_cookie_of_a_browser_opens_one_for_pages_of_this_site_alone() {
    let scene = Scene::new(&[BEHIND_A_PROXY]).await;
    let mut browser = Browser::new(&scene.stage);
    browser.log_in(&scene.stage, PHONE, "/api/auth/login").await;
    let cookie = format!(
        "Cookie: otp_access={}",
        browser.cookie("otp_access").expect("one")
    );
    for elsewhere in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "",
    ] {
        let mut client = scene.client(&handshake(&[&cookie, elsewhere])).await;
        client.answer().await.is_refused(403, "csrf");
    }
    assert!(!scene.app.is_wanted());
    let _client = scene
        .client(&handshake(&[&cookie, "Origin: http://h"]))
        .await;
    let (_, heard) = scene.asked().await;
    assert_eq!(heard.told("x-auth-phone"), [PHONE]);
    assert_eq!(heard.told("cookie"), [] as [&str; 0]);
}

#[tokio::test]
async fn nothing_behind_a_handshake_flows_before_the_app_agrees() {
    let scene = Scene::new(&[OPEN]).await;
    let mut client = scene.client(&(handshake(&[]) + "early words;")).await;
    let (mut server, _) = scene.asked().await;
    client.send("and more;").await;
    server.stays_quiet(A_WHILE).await;
    server.send(switched(&[]) + "welcome;").await;
    server.until("early words;and more;").await;
    client.head().await;
    client.until("welcome;").await;
}

#[tokio::test]
async fn an_app_that_does_not_agree_gives_an_ordinary_answer_and_the_next_request_is_judged_as_any()
{
    let open = "[[routes]]\npath = \"/live\"\nauth = \"none\"";
    let scene = Scene::new(&[open, "[[routes]]\npath = \"/\""]).await;
    for status in [
        "200 OK",
        "403 Forbidden",
        "426 Upgrade Required",
        "302 Found",
        "500 Oh",
    ] {
        let mut client = scene.client(&(handshake(&[]) + STOLEN)).await;
        let (mut server, _) = scene.asked().await;
        server
            .send(format!(
                "HTTP/1.1 {status}\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nno"
            ))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status[..3].parse::<u16>().expect("a number"));
        assert_eq!((&*answer.text(), answer.header("x-own")), ("no", "1"));
        // What looked like the first words in a tunnel is a request, and has no token.
        client.answer().await.is_refused(401, "missing_token");
        // And the connection of the handshake is over: no other request ever meets it.
        assert_eq!(server.rest().await, "");
    }
    assert!(!scene.app.is_wanted());
}

#[tokio::test]
async fn an_app_that_proves_nothing_or_switches_to_something_else_is_not_believed() {
    let scene = Scene::new(&[OPEN]).await;
    let answer = |lines: &[&str]| {
        let lines: Vec<_> = lines.iter().map(|line| format!("{line}\r\n")).collect();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\n{}\r\nwords;",
            lines.concat()
        )
    };
    let proof = &*format!("Sec-WebSocket-Accept: {PROOF}");
    let (upgrade, connection) = ("Upgrade: websocket", "Connection: Upgrade");
    for wrong in [
        &[] as &[_],
        &[upgrade, connection],
        &[upgrade, proof],
        &[connection, proof],
        &["Upgrade: h2c", connection, proof],
        &["Upgrade: websocket, h2c", connection, proof],
        &[upgrade, connection, proof, proof],
        &[upgrade, connection, &format!("Sec-WebSocket-Accept: {KEY}")],
    ] {
        let mut client = scene.client(&(handshake(&[]) + STOLEN)).await;
        let (mut server, _) = scene.asked().await;
        server.send(answer(wrong)).await;
        client
            .answer()
            .await
            .is_refused(502, "upstream_unreachable");
        assert_eq!(server.rest().await, "", "{wrong:?}");
        // What was sent behind the handshake is a request of its own.
        let (_, heard) = scene.asked().await;
        assert_eq!(heard.line, "GET /admin HTTP/1.1");
        assert_eq!(heard.told("x-auth-subject"), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_a_broken_answer() {
    let scene = Scene::new(&[OPEN]).await;
    let mut client = scene.client(&request("GET / HTTP/1.1", &[])).await;
    let (mut server, _) = scene.asked().await;
    server.send(switched(&[])).await;
    client
        .answer()
        .await
        .is_refused(502, "upstream_unreachable");
    assert_eq!(server.rest().await, "");
}

#[tokio::test]
async fn an_app_that_does_not_answer_a_handshake_is_not_waited_for_longer_than_for_any_other() {
    let route = "[[routes]]\npath = \"/\"\nauth = \"none\"\nresponse_timeout = \"1s\"";
    let scene = Scene::new(&[route]).await;
    let mut client: Wire = scene.client(&handshake(&[])).await;
    let (mut server, _) = scene.asked().await;
    client.answer().await.is_refused(504, "upstream_timeout");
    assert_eq!(server.rest().await, "");
}
