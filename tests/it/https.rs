//! HTTPS through clients that others wrote: versions of TLS and of HTTP, and what apps and browsers are told.

use std::{net::SocketAddr, process::Stdio};

use http::{Request, Response};
use http_body_util::BodyExt;
use rustls::{
    HandshakeKind, NamedGroup,
    crypto::aws_lc_rs::kx_group::{MLKEM1024, SECP256R1, SECP384R1, X25519, X25519MLKEM768},
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::stage::{
    HTTPS, PHONE, Stage,
    browser::Form,
    client::Call,
    h2::{H2, body, get},
    papers::Papers,
    tls::{TlsClient, heard},
    upstream::{Upstream, told},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

async fn stage(papers: &Papers, settings: &[&str]) -> Stage {
    let paper = papers.server("server", "DNS:localhost,DNS:app.test");
    let paper = paper.setting();
    let own = [HTTPS, &paper];
    Stage::with(&[&own, settings].concat()).await
}

/// Runs a program to its end and gives what it printed.
async fn run(program: &str, words: &str) -> String {
    let done = Command::new(program)
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("a program that tests/run installs");
    let (out, err) = (done.stdout, done.stderr);
    String::from_utf8_lossy(&[out, err].concat()).into_owned()
}

async fn curl(papers: &Papers, to: SocketAddr, words: &str) -> String {
    let ca = papers.authority();
    let (ca, port) = (ca.display(), to.port());
    let url = format!("https://app.test:{port}/");
    let resolve = format!("app.test:{port}:127.0.0.1");
    let words = format!("-sS --cacert {ca} --resolve {resolve} {words} {url}");
    run("curl", &words).await
}

#[tokio::test]
async fn curl_speaks_every_version_of_http_that_it_may() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    for (asked, spoken) in [
        ("--http1.0", "1"),
        ("--http1.1", "1.1"),
        ("--http2", "2"),
        ("--no-alpn", "1.1"),
        ("--tls-max 1.2", "2"),
        ("--tlsv1.3", "2"),
    ] {
        let words = format!("{asked} -o /dev/null -w %{{http_version}}/%{{http_code}}");
        let answer = curl(&papers, stage.https(), &words).await;
        assert_eq!(answer, format!("{spoken}/200"), "{asked}");
    }
}

#[tokio::test]
async fn no_version_of_tls_that_is_broken_is_spoken() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    let strict = "server.tls.min_version = \"1.3\"";
    let stricter = self::stage(&papers, &[OPEN, strict]).await;
    let hello = async |to, version| {
        let words = format!("s_client -connect {to} {version} -cipher ALL:@SECLEVEL=0");
        run("openssl", &words).await
    };
    for version in ["-tls1", "-tls1_1"] {
        let said = hello(stage.https(), version).await;
        assert!(said.contains("SSL alert number"), "{said}");
        assert!(said.contains("no peer certificate available"), "{said}");
    }
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = hello(stage.https(), version).await;
        assert!(said.contains(&format!("New, {name}, Cipher")), "{said}");
    }
    let said = hello(stricter.https(), "-tls1_2").await;
    assert!(said.contains("alert protocol version"), "{said}");
    let said = hello(stricter.https(), "-tls1_3").await;
    assert!(said.contains("New, TLSv1.3"), "{said}");
}

#[tokio::test]
async fn no_cipher_suite_without_forward_secrecy_or_authentication_is_spoken() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    for suites in ["kRSA", "CBC", "SHA1", "3DES", "RC4", "aNULL", "eNULL"] {
        let words = format!(
            "s_client -connect {} -tls1_2 -cipher {suites}:@SECLEVEL=0",
            stage.https()
        );
        let said = run("openssl", &words).await;
        assert!(!said.contains("BEGIN CERTIFICATE"), "{suites}: {said}");
    }
}

#[tokio::test]
async fn keys_are_agreed_on_in_the_best_way_that_both_know() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    // Nobody is asked twice for the sake of a better way.
    for (ways, best) in [
        (&[X25519MLKEM768, X25519][..], NamedGroup::X25519MLKEM768),
        (&[SECP384R1, SECP256R1], NamedGroup::secp384r1),
        (&[X25519], NamedGroup::X25519),
    ] {
        let client = TlsClient::of(&papers).agreeing(ways);
        let stream = client.connect(stage.https(), "localhost").await.unwrap();
        let (_, session) = stream.get_ref();
        let agreed = session.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(agreed, best);
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
    }
    let strange = TlsClient::of(&papers).agreeing(&[MLKEM1024]);
    assert!(strange.connect(stage.https(), "localhost").await.is_err());
}

#[tokio::test]
async fn the_protocol_is_what_was_agreed_on_and_nothing_else() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    let client = TlsClient::of(&papers);
    for protocols in [&[][..], &["http/1.1"]] {
        let client = client.clone().speaking(protocols);
        let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        // HTTP/1 has no answer to that, and HTTP/2 must not give one.
        assert_eq!(heard(&mut stream).await, "");
    }
    // HTTP/2 answers with its own words, whatever is said to it.
    let client = client.speaking(&["h2"]);
    let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
    let said = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(said).await.unwrap();
    let said = heard(&mut stream).await;
    assert!(!said.contains("HTTP/1"), "{said:?}");
    let other = TlsClient::of(&papers).speaking(&["smtp"]);
    let refused = other.connect(stage.https(), "localhost").await;
    let refused = refused.expect_err("nothing in common").to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn large_bodies_go_both_ways_in_every_version() {
    let papers = Papers::new();
    let app = Upstream::doing(|request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.expect("a body");
            Response::new(http_body_util::Full::new(body.to_bytes()).boxed())
        })
    })
    .await;
    let paper = papers.server("server", "DNS:localhost").setting();
    let stage = Stage::over(app, &[HTTPS, &paper, OPEN]).await;
    let much: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for version in [&TLS12, &TLS13] {
        let client = TlsClient::with(&papers, &[version], None);
        let call = Call::new(stage.https(), "POST", "/").body(much.clone());
        let call = call.header("host", "localhost");
        let answer = client.send("localhost", call).await.unwrap();
        assert!(answer.body == much, "{version:?}");
        let client = client.speaking(&["h2"]);
        let stream = client.connect(stage.https(), "localhost").await.unwrap();
        let (client, _connection) = H2::over(stream).await;
        let request = Request::post("https://localhost/").body(body(much.clone()));
        let answer = client.send(request.unwrap()).await;
        assert!(answer.body == much, "{version:?}");
    }
}

#[tokio::test]
async fn apps_are_told_that_the_client_came_by_https() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    let client = TlsClient::of(&papers);
    let call = Call::new(stage.https(), "GET", "/")
        .header("host", "app.test:8443")
        .header("x-forwarded-proto", "http");
    let seen = client.send("app.test", call).await.unwrap().json();
    assert_eq!(told(&seen, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&seen, "x-forwarded-host"), ["app.test:8443"]);
    assert_eq!(told(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    let client = client.speaking(&["h2"]);
    let stream = client.connect(stage.https(), "app.test").await.unwrap();
    let (client, _connection) = H2::over(stream).await;
    let seen = client.send(get("https://app.test/")).await.json();
    assert_eq!(told(&seen, "x-forwarded-proto"), ["https"]);
    let plain = stage.get("/").send().await.json();
    assert_eq!(told(&plain, "x-forwarded-proto"), ["http"]);
}

#[tokio::test]
async fn a_browser_over_tls_gets_cookies_that_only_travel_over_tls() {
    let papers = Papers::new();
    let stage = stage(&papers, &[]).await;
    let mut browser = TlsClient::of(&papers)
        .http1(stage.https(), "app.test")
        .await
        .unwrap();
    let ask = |method: &str, path: &str| {
        Call::new(stage.https(), method, path)
            .header("host", "app.test")
            .header("accept", "text/html")
    };
    let page = browser.send(ask("GET", "/api/auth/login")).await;
    let post = |form: &Form, more: &str| {
        let mut sent = form_urlencoded::Serializer::new(String::new());
        sent.extend_pairs(&form.hidden);
        ask("POST", &form.action)
            .header("origin", "https://app.test")
            .form(&format!("{}&{more}", sent.finish()))
    };
    let form = Form::with_button(&page.text(), "send");
    let phone: String = form_urlencoded::byte_serialize(PHONE.as_bytes()).collect();
    let call = post(&form, &format!("step=send&mobile_number={phone}"));
    let page = browser.send(call).await;
    let form = Form::with_button(&page.text(), "verify");
    let code = stage.inbox.nth_code_for(PHONE, 1).await;
    let call = post(&form, &format!("step=verify&otp={code}"));
    let answer = browser.send(call).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookies = answer.set_cookies();
    assert!(
        cookies
            .iter()
            .any(|it| it.starts_with("__Host-otp_access="))
    );
    assert!(
        cookies.iter().all(|it| it.contains("; Secure")),
        "{cookies:?}"
    );
}
