//! TLS: no trick of the handshake chooses other rules, and no name opens the door of another one. The rest is in `crate::https*`.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};

use super::{DOORS, gate};
use crate::stage::{
    HTTPS, REDIRECT,
    client::{Call, raw},
    h2::{H2, get},
    papers::Papers,
    tls::TlsClient,
    wire::Wire,
};

/// The first record of a client that wants to reach `name`.
fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("room");
    bytes
}

/// The same message in records of so many bytes (RFC 8446 §5.1).
fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let (head, message) = hello.split_at(5);
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).expect("short").to_be_bytes();
        [&head[..3], &length, part].concat()
    };
    message.chunks(size).flat_map(record).collect()
}

/// Whether the gateway goes on with a handshake that begins like this.
async fn is_greeted(wire: &mut Wire, opening: &[u8]) -> bool {
    wire.send(opening).await;
    // A ServerHello is a handshake record; anything else is an alert or the end.
    wire.first_byte().await == Some(0x16)
}

// Fragmented ClientHello, after which another's rules held: Traefik CVE-2026-32305.
#[tokio::test]
async fn a_hello_in_many_records_is_judged_like_one() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:app.test").setting();
    let ca = format!(
        "server.tls.client_ca = \"{}\"",
        papers.authority().display()
    );
    let required = "server.tls.client_auth = \"required\"";
    let stage = gate(&[HTTPS, &paper, &ca, required, DOORS[1]]).await;
    for size in [1, 7, 100, 16_000] {
        let mut wire = Wire::to(stage.https()).await;
        let opening = in_records(&hello("app.test"), size);
        assert!(is_greeted(&mut wire, &opening).await, "{size}");
        // Whoever goes on without the handshake, and without a certificate, is not heard.
        drop(
            wire.try_send("GET /public HTTP/1.1\r\nHost: app.test\r\n\r\n")
                .await,
        );
        assert!(!wire.rest().await.contains("HTTP/1.1"), "{size}");
        assert!(stage.arrived().await.is_empty(), "{size}");
    }
}

// Farewells and alerts in the middle of a handshake, for ever: rustls RUSTSEC-2024-0336 and RUSTSEC-2024-0399.
#[tokio::test]
async fn no_record_in_the_middle_of_a_handshake_keeps_it_going() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:app.test").setting();
    let stage = gate(&[HTTPS, &paper, "server.limits.handshake = \"2s\"", DOORS[1]]).await;
    for record in [
        // close_notify, an unknown warning, nothing at all, a change of ciphers.
        &b"\x15\x03\x03\x00\x02\x01\x00"[..],
        b"\x15\x03\x03\x00\x02\x01\x5a",
        b"\x16\x03\x03\x00\x00",
        b"\x14\x03\x03\x00\x01\x01",
        b"\x17\x03\x03\x00\x00",
    ] {
        let mut wire = Wire::to(stage.https()).await;
        wire.send(hello("app.test")).await;
        drop(wire.try_send(record.repeat(4000)).await);
        wire.rest().await;
        assert!(stage.arrived().await.is_empty(), "{record:?}");
    }
}

// SNI is not Host: Traefik CVE-2026-48491 and CVE-2026-53622 (case, wildcard, root dot).
#[tokio::test]
async fn a_name_in_the_handshake_opens_no_other_names_door() {
    let papers = Papers::new();
    let open = papers
        .server("open", "DNS:open.test,DNS:*.open.test")
        .setting();
    let admin = papers.server("admin", "DNS:admin.test").setting();
    let routes = [
        "[[routes]]\nhost = \"open.test\"\npath = \"/\"\nauth = \"none\"",
        "[[routes]]\nhost = \"admin.test\"\npath = \"/\"\nauth = \"none\"",
    ];
    let stage = gate(&[HTTPS, &open, &admin, routes[0], routes[1]]).await;
    let client = TlsClient::of(&papers);
    let mut connection = client
        .http1(stage.https(), "OPEN.test")
        .await
        .expect("a connection");
    for host in ["admin.test", "ADMIN.test", "admin.test.", "admin.test:443"] {
        let call = Call::new(stage.https(), "GET", "/").header("host", host);
        let answer = connection.send(call).await;
        answer.is_refused(421, "misdirected_request");
        assert!(stage.arrived().await.is_empty(), "{host}");
    }
    let stream = client.clone().speaking(&["h2"]);
    let stream = stream
        .connect(stage.https(), "open.test")
        .await
        .expect("a connection");
    let (h2, _connection) = H2::over(stream).await;
    let answer = h2.send(get("https://admin.test/")).await;
    answer.is_refused(421, "misdirected_request");
    assert!(stage.arrived().await.is_empty());
    assert_eq!(h2.send(get("https://open.test/x")).await.status, 200);
    assert_eq!(stage.arrived_at().await, ["/x"]);
}

// The address in the clear that only leads to HTTPS lets nothing through to an app, or to a login.
#[tokio::test]
async fn where_all_is_led_to_https_nothing_is_served_in_the_clear() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:app.test").setting();
    let stage = gate(&[HTTPS, REDIRECT, &paper, DOORS[0], DOORS[1]]).await;
    for (method, target) in [
        ("GET", "/public"),
        ("POST", "/public"),
        ("GET", "/api/auth/login"),
        ("POST", "/api/auth/send-otp"),
        ("GET", "/marker"),
    ] {
        for more in [
            "",
            "X-Forwarded-Proto: https\r\n",
            "Upgrade: h2c\r\nConnection: upgrade\r\n",
        ] {
            let request = format!(
                "{method} {target} HTTP/1.1\r\nHost: app.test\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let said = raw(stage.redirect(), request.as_bytes()).await;
            assert!(!said.starts_with("HTTP/1.1 2"), "{request}: {said}");
            assert!(!said.contains("set-cookie"), "{request}: {said}");
            assert!(stage.arrived().await.is_empty(), "{request}");
        }
    }
}
