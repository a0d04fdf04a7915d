//! The way from HTTP to HTTPS: the door that only leads there, and what browsers are told so that they need it once.

use crate::stage::{
    BEHIND_A_PROXY, HTTPS, REDIRECT, Stage,
    client::{Answer, Call, raw},
    papers::Papers,
    tls::TlsClient,
    upstream::{Upstream, reply},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const HSTS: &str = "server.tls.hsts = \"365d; includeSubDomains\"";
const PROMISE: &str = "max-age=31536000; includeSubDomains";

async fn stage(papers: &Papers, settings: &[&str]) -> Stage {
    let paper = papers.server("server", "DNS:app.test,DNS:*.app.test");
    let paper = paper.setting();
    Stage::with(&[&[HTTPS, REDIRECT, &paper], settings].concat()).await
}

async fn ask(stage: &Stage, method: &str, path: &str, host: &str) -> Answer {
    let call = Call::new(stage.redirect(), method, path);
    call.header("host", host).send().await
}

#[tokio::test]
async fn whoever_comes_in_the_clear_is_led_to_the_same_url_over_https() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN, HSTS]).await;
    let port = stage.https().port();
    for (method, host, path, there) in [
        ("GET", "app.test", "/", format!("app.test:{port}/")),
        (
            "POST",
            "app.test:80",
            "/a?b=c&d",
            format!("app.test:{port}/a?b=c&d"),
        ),
        (
            "PUT",
            "X.App.Test",
            "/%61;b",
            format!("x.app.test:{port}/a;b"),
        ),
        (
            "GET",
            "app.test",
            "/api/auth/me",
            format!("app.test:{port}/api/auth/me"),
        ),
        (
            "GET",
            "app.test",
            "/@evil.test",
            format!("app.test:{port}/@evil.test"),
        ),
    ] {
        let answer = ask(&stage, method, path, host).await;
        answer.is_refused(308, "https_required");
        assert_eq!(answer.header("location"), format!("https://{there}"));
        // Nobody could believe it here.
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn nobody_is_led_to_a_host_that_is_not_ours() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    for host in [
        "evil.test",
        "app.test.evil.test",
        "127.0.0.1",
        "x.x.app.test",
        "localhost",
    ] {
        let answer = ask(&stage, "GET", "/", host).await;
        answer.is_refused(421, "misdirected_request");
        assert!(!answer.headers.contains_key("location"));
    }
    for host in [
        "app.test@evil.test",
        "app.test/evil",
        "app.test,evil.test",
        "",
        "app.test:x",
    ] {
        let answer = ask(&stage, "GET", "/", host).await;
        answer.is_refused(400, "invalid_request_target");
    }
    for head in [
        "GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test",
        "GET / HTTP/1.1",
        "GET //evil.test/ HTTP/1.1\r\nHost: app.test",
        "GET /\\evil.test HTTP/1.1\r\nHost: app.test",
        "GET http://evil.test/ HTTP/1.1\r\nHost: app.test",
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        let answer = raw(stage.redirect(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
        assert!(
            !answer.to_ascii_lowercase().contains("location:"),
            "{answer}"
        );
    }
    let old = raw(stage.redirect(), b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 421 "), "{old}");
}

#[tokio::test]
async fn a_url_that_browsers_know_decides_the_port() {
    let papers = Papers::new();
    for (public_url, there) in [
        ("https://app.test", "https://app.test/"),
        ("https://app.test:8443", "https://app.test:8443/"),
    ] {
        let public_url = format!("server.public_url = \"{public_url}\"");
        let stage = stage(&papers, &[&public_url, OPEN]).await;
        let answer = ask(&stage, "GET", "/", "app.test").await;
        assert_eq!(answer.header("location"), there);
    }
}

#[tokio::test]
async fn browsers_are_told_to_come_back_over_tls_and_only_over_tls() {
    let papers = Papers::new();
    let client = TlsClient::of(&papers);
    let settings = [HSTS, BEHIND_A_PROXY, "[[routes]]\npath = \"/\""];
    let stage = stage(&papers, &settings).await;
    let call = |path| Call::new(stage.https(), "GET", path).header("host", "app.test");
    for path in ["/", "/api/auth/login", "//"] {
        let answer = client.send("app.test", call(path)).await.unwrap();
        assert_eq!(answer.header("strict-transport-security"), PROMISE);
    }
    let plain = stage.get("/").send().await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
    let behind = stage.get("/").header("x-forwarded-proto", "https");
    let behind = behind.send().await;
    assert_eq!(behind.header("strict-transport-security"), PROMISE);
    let before = client.send("app.test", call("/").header("x-forwarded-proto", "http"));
    let before = before.await.unwrap();
    assert!(!before.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn an_app_that_knows_better_is_left_alone_and_nothing_is_said_by_default() {
    let papers = Papers::new();
    let client = TlsClient::of(&papers);
    let app = Upstream::doing(|_| {
        Box::pin(async {
            let mut reply = reply("");
            let promise = http::HeaderValue::from_static("max-age=1");
            reply
                .headers_mut()
                .insert("strict-transport-security", promise);
            reply
        })
    })
    .await;
    let paper = papers.server("server", "DNS:app.test").setting();
    let stage = Stage::over(app, &[HTTPS, HSTS, &paper, OPEN]).await;
    let call = Call::new(stage.https(), "GET", "/").header("host", "app.test");
    let answer = client.send("app.test", call).await.unwrap();
    assert_eq!(answer.header("strict-transport-security"), "max-age=1");
    let stage = self::stage(&papers, &[OPEN]).await;
    let call = Call::new(stage.https(), "GET", "/").header("host", "app.test");
    let answer = client.send("app.test", call).await.unwrap();
    assert!(!answer.headers.contains_key("strict-transport-security"));
}
