//! Which requests ask for a WebSocket, and which of them in vain.

use http::Request;
use proptest::prelude::*;

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A handshake in order, but for these headers: one with an empty value is left out.
fn handshake(other: &[(&str, &str)]) -> Parts {
    let usual = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-version", "13"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| other.iter().all(|(changed, _)| changed != name));
    let said = other.iter().filter(|(_, value)| !value.is_empty());
    let mut request = Request::builder().uri("/socket");
    for (name, value) in kept.chain(said) {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn extended_connect(protocol: &'static str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri("https://app.example/socket?a=b")
        .extension(Protocol::from_static(protocol));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn read(mut parts: Parts) -> Result<Option<Handshake>, Flaw> {
    Handshake::read(&mut parts)
}

fn accepted() -> Handshake {
    let key = Some(HeaderValue::from_static(KEY));
    Handshake { key }
}

#[test]
fn a_handshake_in_order_is_one_however_it_is_spelt() {
    for said in [
        [("upgrade", "websocket"), ("connection", "upgrade")],
        [("upgrade", "WebSocket"), ("connection", "UPGRADE")],
        [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
        ],
        [
            ("upgrade", "websocket"),
            ("connection", "close ,\tupgrade ,"),
        ],
    ] {
        assert_eq!(read(handshake(&said)), Ok(Some(accepted())), "{said:?}");
    }
    let two_lines = [("connection", "keep-alive"), ("connection", "upgrade")];
    assert_eq!(read(handshake(&two_lines)), Ok(Some(accepted())));
    assert_eq!(
        read(handshake(&[("content-length", "0")])),
        Ok(Some(accepted()))
    );
}

#[test]
fn a_wish_for_any_other_protocol_is_none_for_a_websocket() {
    for upgrade in [
        "",
        "h2c",
        "TLS/1.0",
        "foo",
        "websocket, h2c",
        "h2c, websocket",
        "websocket/13",
        "websockets",
        "websocket,",
    ] {
        assert_eq!(
            read(handshake(&[("upgrade", upgrade)])),
            Ok(None),
            "{upgrade}"
        );
    }
    let two_lines = [("upgrade", "websocket"), ("upgrade", "websocket")];
    assert_eq!(read(handshake(&two_lines)), Ok(None));
}

#[test]
fn a_handshake_that_is_not_in_order_says_what_is_wrong() {
    for (said, flaw) in [
        (("connection", ""), Flaw::Connection),
        (("connection", "keep-alive"), Flaw::Connection),
        (("connection", "upgrades"), Flaw::Connection),
        (("sec-websocket-version", ""), Flaw::NoVersion),
        (("sec-websocket-version", "8"), Flaw::OtherVersion),
        (("sec-websocket-version", "13, 8"), Flaw::OtherVersion),
        (("sec-websocket-version", "013"), Flaw::OtherVersion),
        (("sec-websocket-key", ""), Flaw::Key),
        (("sec-websocket-key", "short"), Flaw::Key),
        // 15 bytes, 17 bytes, no padding, bits where there are none, another alphabet.
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25j"), Flaw::Key),
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSE="), Flaw::Key),
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"), Flaw::Key),
        (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR=="), Flaw::Key),
        (("sec-websocket-key", "_-hlIHNhbXBsZSBub25jZQ=="), Flaw::Key),
        (("content-length", "5"), Flaw::Body),
        (("content-length", "00"), Flaw::Body),
        (("transfer-encoding", "chunked"), Flaw::Body),
    ] {
        assert_eq!(read(handshake(&[said])), Err(flaw), "{said:?}");
    }
    let twice = |name, value| read(handshake(&[(name, value), (name, value)]));
    assert_eq!(twice("sec-websocket-key", KEY), Err(Flaw::Key));
    assert_eq!(twice("sec-websocket-version", "13"), Err(Flaw::NoVersion));
}

#[test]
fn only_a_get_in_http_1_1_is_a_handshake() {
    for method in [Method::POST, Method::HEAD, Method::CONNECT, Method::OPTIONS] {
        let mut parts = handshake(&[]);
        parts.method = method;
        assert_eq!(read(parts), Err(Flaw::Request));
    }
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let mut parts = handshake(&[]);
        parts.version = version;
        assert_eq!(read(parts), Err(Flaw::Request));
    }
}

#[test]
fn an_extended_connect_becomes_the_get_it_stands_for() {
    let mut parts = extended_connect("websocket", &[("sec-websocket-version", "13")]);
    assert_eq!(
        Handshake::read(&mut parts),
        Ok(Some(Handshake { key: None }))
    );
    assert_eq!(parts.method, Method::GET);
    assert_eq!(parts.uri, "https://app.example/socket?a=b");
    assert!(parts.extensions.get::<Protocol>().is_none());
}

#[test]
fn an_extended_connect_is_judged_like_a_handshake() {
    let refused = |headers: &[_]| read(extended_connect("websocket", headers));
    assert_eq!(refused(&[]), Err(Flaw::NoVersion));
    assert_eq!(
        refused(&[("sec-websocket-version", "12")]),
        Err(Flaw::OtherVersion)
    );
    let body = [("sec-websocket-version", "13"), ("content-length", "3")];
    assert_eq!(refused(&body), Err(Flaw::Body));
}

#[test]
fn any_other_extended_connect_stays_a_connect() {
    for protocol in ["connect-udp", "WebSocket", "websocket2", ""] {
        let mut parts = extended_connect(protocol, &[("sec-websocket-version", "13")]);
        assert_eq!(Handshake::read(&mut parts), Ok(None), "{protocol}");
        assert_eq!(parts.method, Method::CONNECT);
    }
}

#[test]
fn the_proof_is_that_of_the_rfc() {
    let key = HeaderValue::from_static(KEY);
    let proves = |accept| proves(&HeaderValue::from_static(accept), &key);
    assert!(proves("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for wrong in [
        "",
        KEY,
        "s3pplmbitxaq9kygzzhzrbk+xoo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
    ] {
        assert!(!proves(wrong), "{wrong}");
    }
}

proptest! {
    /// Whoever leaves anything out, says it twice or says it differently gets no tunnel.
    #[test]
    fn every_key_of_ours_is_one_and_nothing_else_is(bytes: [u8; KEY_LENGTH], text in "[!-~]{0,30}") {
        let ours = key(bytes);
        let said = ours.to_str().expect("text").to_owned();
        let found = read(handshake(&[("sec-websocket-key", &said)]));
        prop_assert_eq!(found, Ok(Some(Handshake { key: Some(ours) })));

        let found = read(handshake(&[("sec-websocket-key", &text)]));
        let is_one = STANDARD.decode(&text).is_ok_and(|bytes| bytes.len() == KEY_LENGTH);
        prop_assert_eq!(found.is_ok(), is_one);
    }

    #[test]
    fn no_headers_whatever_bring_it_down(lines in prop::collection::vec(
        (prop::sample::select(vec!["upgrade", "connection", "sec-websocket-key", "sec-websocket-version",
            "content-length", "transfer-encoding"]), prop::collection::vec(0x20_u8.., 0..30)), 0..8))
    {
        let mut parts = handshake(&[]);
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                parts.headers.append(name, value);
            }
        }
        // Whatever was added, a tunnel is asked for by exactly one word.
        if let Ok(Some(_)) = Handshake::read(&mut parts) {
            prop_assert_eq!(parts.headers.get_all(UPGRADE).iter().count(), 1);
            prop_assert_eq!(parts.headers.get_all(SEC_WEBSOCKET_KEY).iter().count(), 1);
        }
    }
}
