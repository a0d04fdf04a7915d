//! The WebSocket over HTTP/2 (RFC 8441): a stream for each, and the same rules as everywhere.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, Request, Response};
use hyper::{body::Incoming, ext::Protocol, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{OPEN, PROOF, Scene, switched};
use crate::stage::{
    PATIENCE, PHONE,
    browser::Browser,
    h2::{H2, Sent, body, get, whole},
    wire::{Heard, Wire},
};

impl Scene {
    /// A connection on which the gateway has said that it knows extended CONNECT.
    async fn h2(&self) -> H2 {
        let (client, _) = H2::to(self.stage.address).await;
        let keys = get("http://h/api/auth/.well-known/jwks.json");
        assert_eq!(client.send(keys).await.status, 200);
        client
    }

    /// What the app and the client make of a handshake; the app answers with `answer`, in which
    /// `PROOF` stands for what proves that it has read the key.
    async fn connect(
        &self,
        client: &H2,
        request: Request<Sent>,
        answer: &str,
    ) -> (Response<Incoming>, Wire, Heard) {
        let app = async {
            let (mut server, heard) = self.asked().await;
            let proof = proof(heard.told("sec-websocket-key")[0]);
            server.send(answer.replace(PROOF, &proof)).await;
            (server, heard)
        };
        let (response, (server, heard)) = tokio::join!(client.begin(request), app);
        (response.expect("an answer"), server, heard)
    }

    /// A WebSocket under way.
    async fn stream(&self, client: &H2, token: &str) -> Stream {
        let request = handshake(&[("authorization", &format!("Bearer {token}"))]);
        let (response, server, _) = self.connect(client, request, &switched(&[])).await;
        assert_eq!(response.status(), 200);
        let upgraded = hyper::upgrade::on(response).await.expect("a stream");
        let client = TokioIo::new(upgraded);
        Stream { client, server }
    }
}

/// Both ends of a WebSocket on a stream.
struct Stream {
    client: TokioIo<Upgraded>,
    server: Wire,
}

impl Stream {
    async fn works(&mut self) {
        self.client
            .write_all(b"from the client;")
            .await
            .expect("open");
        self.server.until("from the client;").await;
        self.server.send("from the app;").await;
        let mut heard = [0; 13];
        let reading = timeout(PATIENCE, self.client.read_exact(&mut heard)).await;
        reading.expect("in time").expect("open");
        assert_eq!(&heard, b"from the app;");
    }

    /// What still comes from the app, up to the end, whatever that is.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        drop(
            timeout(PATIENCE, self.client.read_to_end(&mut rest))
                .await
                .expect("in time"),
        );
        rest
    }
}

fn handshake(more: &[(&str, &str)]) -> Request<Sent> {
    let version = [("sec-websocket-version", "13")];
    connect("websocket", "http://h/live?a=b", &[&version, more].concat())
}

fn connect(protocol: &'static str, url: &str, headers: &[(&str, &str)]) -> Request<Sent> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(url)
        .extension(Protocol::from_static(protocol));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body("")).expect("a request")
}

fn proof(key: &str) -> String {
    let said = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, said.as_bytes()))
}

#[tokio::test]
async fn a_stream_becomes_a_websocket_of_http_1_1_and_keeps_what_both_sides_say_of_it() {
    let only_get = "[[routes]]\npath = \"/\"\nmethods = [\"GET\"]";
    let scene = Scene::new(&[only_get]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let client = scene.h2().await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let said = [
            ("authorization", &*format!("Bearer {}", tokens.access)),
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        let answer = switched(&["Sec-WebSocket-Protocol: chat"]);
        let (response, server, heard) = scene.connect(&client, handshake(&said), &answer).await;
        assert_eq!(heard.line, "GET /live?a=b HTTP/1.1");
        for (name, value) in [
            ("host", "h"),
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("x-auth-phone", PHONE),
        ] {
            assert_eq!(heard.told(name), [value], "{name}");
        }
        keys.push(heard.told("sec-websocket-key")[0].to_owned());
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        for name in [
            "connection",
            "upgrade",
            "sec-websocket-accept",
            "content-length",
        ] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
        let upgraded = hyper::upgrade::on(response).await.expect("a stream");
        let mut stream = Stream {
            client: TokioIo::new(upgraded),
            server,
        };
        stream.works().await;
    }
    assert_ne!(keys[0], keys[1], "every handshake has a key of its own");
    let line = scene
        .stage
        .access_log
        .line(|line| line.contains(" /live "))
        .await;
    assert!(line.contains(" 101 GET /live "), "{line}");
    assert!(line.contains(" 13B "), "{line}");
}

#[tokio::test]
async fn many_go_side_by_side_with_requests_on_one_connection() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let client = scene.h2().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(scene.stream(&client, &tokens.access).await);
    }
    let me = get("http://h/api/auth/.well-known/jwks.json");
    assert_eq!(client.send(me).await.status, 200);
    for stream in &mut streams {
        stream.works().await;
    }
    // Far more than there is room for on the way, in both directions at once.
    let Stream {
        mut client,
        mut server,
    } = streams.pop().expect("one");
    let words = "x".repeat(3 << 20) + ";";
    let back = async {
        server.until(";").await;
        server.send(&words).await;
        server
    };
    let there = async {
        client.write_all(words.as_bytes()).await.expect("open");
        let mut heard = vec![0; words.len()];
        client.read_exact(&mut heard).await.expect("open");
        assert!(heard == words.as_bytes());
        client
    };
    let (_server, _client) = timeout(PATIENCE, async { tokio::join!(back, there) })
        .await
        .expect("an end in time");
}

#[tokio::test]
async fn each_side_hears_of_the_end_of_the_other() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let h2 = scene.h2().await;
    // Who has said all still hears the other out.
    let mut stream = scene.stream(&h2, &tokens.access).await;
    stream
        .client
        .write_all(b"that was all")
        .await
        .expect("open");
    stream.client.shutdown().await.expect("open");
    assert_eq!(stream.server.rest().await, "that was all");
    stream.server.send("then goodbye").await;
    drop(stream.server.into_stream());
    let mut heard = Vec::new();
    let reading = timeout(PATIENCE, stream.client.read_to_end(&mut heard)).await;
    reading.expect("in time").expect("an end");
    assert_eq!(heard, b"then goodbye");
    // Who goes away takes the other end along.
    let stream = scene.stream(&h2, &tokens.access).await;
    let mut server = stream.server;
    drop(stream.client);
    assert_eq!(server.rest().await, "");
}

#[tokio::test]
async fn it_ends_with_its_session_and_no_other_stream_does() {
    let scene = Scene::new(&[]).await;
    let (gone, stays) = (
        scene.stage.log_in(PHONE).await,
        scene.stage.log_in(PHONE).await,
    );
    let h2 = scene.h2().await;
    let mut cut = scene.stream(&h2, &gone.access).await;
    let mut left = scene.stream(&h2, &stays.access).await;
    cut.works().await;
    scene.log_out(&gone).await;
    assert_eq!(cut.rest().await, b"");
    assert_eq!(cut.server.rest().await, "");
    left.works().await;
    let line = scene
        .stage
        .access_log
        .line(|line| line.contains(" /live "))
        .await;
    assert!(line.contains(" code=session_revoked "), "{line}");
}

#[tokio::test]
async fn a_handshake_that_may_not_pass_opens_nothing() {
    let posts = "[[routes]]\npath = \"/posts\"\nauth = \"none\"\nmethods = [\"POST\"]";
    let scene = Scene::new(&[posts, "[[routes]]\npath = \"/\""]).await;
    let h2 = scene.h2().await;
    let version = ("sec-websocket-version", "13");
    for (request, status, code) in [
        (handshake(&[]), 401, "missing_token"),
        (
            connect("websocket", "http://h/live", &[]),
            400,
            "invalid_handshake",
        ),
        (
            connect(
                "websocket",
                "http://h/live",
                &[("sec-websocket-version", "8")],
            ),
            426,
            "upgrade_required",
        ),
        (
            connect("websocket", "http://h/api/auth/me", &[version]),
            400,
            "invalid_handshake",
        ),
        (
            connect("websocket", "http://h/posts", &[version]),
            405,
            "method_not_allowed",
        ),
        (
            connect("connect-udp", "http://h/live", &[version]),
            405,
            "method_not_allowed",
        ),
        (
            connect("WebSocket", "http://h/live", &[version]),
            405,
            "method_not_allowed",
        ),
    ] {
        h2.send(request).await.is_refused(status, code);
    }
    let plain = Request::connect("h:443").body(body("")).expect("a request");
    h2.send(plain).await.is_refused(405, "method_not_allowed");

    let mut browser = Browser::new(&scene.stage);
    browser.log_in(&scene.stage, PHONE, "/api/auth/login").await;
    let cookie = format!("otp_access={}", browser.cookie("otp_access").expect("one"));
    for elsewhere in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "same-site"),
        ("x-none", ""),
    ] {
        let forged = handshake(&[("cookie", &cookie), elsewhere]);
        h2.send(forged).await.is_refused(403, "csrf");
    }
    assert!(!scene.app.is_wanted());
    let own = handshake(&[("cookie", &cookie), ("origin", "http://h")]);
    let (response, _server, heard) = scene.connect(&h2, own, &switched(&[])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(heard.told("x-auth-phone"), [PHONE]);
    assert_eq!(heard.told("cookie"), [] as [&str; 0]);
}

#[tokio::test]
async fn what_an_app_says_instead_is_an_answer_unless_it_would_look_like_a_websocket() {
    let scene = Scene::new(&[OPEN]).await;
    let h2 = scene.h2().await;
    for (line, status) in [
        ("200 OK", 502),
        ("204 No Content", 502),
        ("302 Found", 302),
        ("403 Forbidden", 403),
        ("503 Busy", 503),
    ] {
        let length = if status == 502 { "0" } else { "2" };
        let answer = format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\nX-Own: 1\r\n\r\nno");
        let (response, mut server, _) = scene.connect(&h2, handshake(&[]), &answer).await;
        let (answer, _) = whole(response).await;
        if status == 502 {
            answer.is_refused(502, "upstream_unreachable");
        } else {
            assert_eq!((answer.status.as_u16(), &*answer.text()), (status, "no"));
            assert_eq!(answer.header("x-own"), "1");
        }
        server.rest().await;
    }
    let wrong = switched(&[]).replace(PROOF, &proof("another key"));
    let (response, mut server, _) = scene.connect(&h2, handshake(&[]), &wrong).await;
    whole(response)
        .await
        .0
        .is_refused(502, "upstream_unreachable");
    server.rest().await;
}
