//! Request targets: what can be read in two ways is refused with a reason, what is forwarded is what was matched.

use crate::stage::{PHONE, Stage, client::Answer, wire::Wire};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

/// What comes back for `head`, a request's head without its last empty line.
async fn say(stage: &Stage, head: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::to(stage.address).await;
    wire.send(head).await;
    wire.send("\r\n\r\n").await;
    wire.answer().await
}

async fn ask(stage: &Stage, target: &str) -> Answer {
    say(stage, format!("GET {target} HTTP/1.1\r\nHost: app.test")).await
}

#[tokio::test]
async fn every_ambiguous_path_is_refused_with_its_reason_and_reaches_no_app() {
    let stage = Stage::with(&[OPEN]).await;
    for (target, reason) in [
        ("/public/../admin", "dot segment"),
        ("/public/%2e%2e/admin", "dot segment"),
        ("/public/.%2E/admin", "dot segment"),
        ("/public/./admin", "dot segment"),
        ("/..;/admin", "dot segment"),
        ("/..;x=1/admin", "dot segment"),
        ("/a/..", "dot segment"),
        ("/public/..%2fadmin", "dot segment"),
        ("//admin", "empty segment"),
        ("/public//admin", "empty segment"),
        ("/public%2fadmin", "encoded slash"),
        ("/public/..%5cadmin", "backslash"),
        ("/public\\admin", "backslash"),
        ("/a%00b", "control character"),
        ("/a%0d%0aX-Auth-Subject:b", "control character"),
        ("/a%7f", "control character"),
        ("/a%", "percent escape"),
        ("/a%2", "percent escape"),
        ("/a%zz", "percent escape"),
        ("/%252e%252e/admin", "encoded twice"),
        ("/%252fadmin", "encoded twice"),
        ("/caf\u{e9}", "percent-encoded"),
        ("*", "slash"),
        ("http://app.test//admin", "empty segment"),
        ("http://app.test/a/%2e%2e/b", "dot segment"),
    ] {
        let answer = ask(&stage, target).await;
        answer.is_refused(400, "invalid_request_target");
        let problem = answer.json();
        let detail = problem["detail"].as_str().expect("a reason");
        assert!(detail.contains(reason), "{target}: {detail}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_parameter_that_some_servers_drop_does_not_decide_where_a_path_leads() {
    let admin = "[[routes]]\npath = \"/admin\"";
    let exact = "[[routes]]\npath = \"/exact\"\nmatch = \"exact\"";
    let stage = Stage::with(&[OPEN, admin, exact]).await;
    for target in [
        "/admin;x",
        "/admin;x/users",
        "/admin%3bx/users",
        "/;x/admin",
        "/a;/../admin",
        "/exact;x=1",
        "/api/auth;x/me",
        "/api;x/auth/me",
    ] {
        let answer = ask(&stage, target).await;
        answer.is_refused(400, "invalid_request_target");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    for target in ["/maps;v=1/x;y", "/a%3Bb", "/administrator;x", "/admin/;x"] {
        let status = ask(&stage, target).await.status;
        let wanted = if target == "/admin/;x" { 401 } else { 200 };
        assert_eq!(status, wanted, "{target}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_slips_past_the_policy_of_its_route() {
    let stage = Stage::with(&[OPEN, "[[routes]]\npath = \"/admin\""]).await;
    for target in [
        "/admin",
        "/%61dmin",
        "/%61%64%6D%69%6e/x",
        "/admin/",
        "/admin?x",
        "http://app.test/admin",
        "http://app.test/%61dmin",
    ] {
        let answer = ask(&stage, target).await;
        answer.is_refused(401, "missing_token");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn the_app_gets_the_canonical_path_and_the_query_as_it_was() {
    let stage = Stage::with(&[OPEN]).await;
    for (target, forwarded) in [
        ("/", "/"),
        ("/a/b.c/~d/@e;v=1", "/a/b.c/~d/@e;v=1"),
        ("/%61%2d%c3%a9/%20", "/a-%C3%A9/%20"),
        ("/.well-known/...", "/.well-known/..."),
        ("/?", "/?"),
        (
            "/%61?%61=%2e%2e/&b=//%2f%5c%zz",
            "/a?%61=%2e%2e/&b=//%2f%5c%zz",
        ),
        ("/a?b?c", "/a?b?c"),
        ("http://app.test", "/"),
        ("http://app.test?x", "/?x"),
        ("http://APP.test:80/a?x", "/a?x"),
    ] {
        let answer = ask(&stage, target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.json()["target"], forwarded, "{target}");
    }
}

#[tokio::test]
async fn a_fragment_is_neither_matched_nor_forwarded() {
    let stage = Stage::with(&[OPEN, "[[routes]]\npath = \"/admin\""]).await;
    let answer = ask(&stage, "/public#/../admin").await;
    assert_eq!(answer.json()["target"], "/public");
    let answer = ask(&stage, "/admin#/public").await;
    answer.is_refused(401, "missing_token");
    let answer = ask(&stage, "/a%23b").await;
    assert_eq!(answer.json()["target"], "/a%23b");
}

#[tokio::test]
async fn a_route_may_take_encoded_slashes_but_no_steps_up_behind_them() {
    let files = "[[routes]]\npath = \"/files\"\nallow_encoded = true\nauth = \"none\"";
    let stage = Stage::with(&[OPEN, files]).await;
    let answer = ask(&stage, "/files/a%2fb%2Fc").await;
    assert_eq!(answer.json()["target"], "/files/a%2Fb%2Fc");
    for target in [
        "/other/a%2fb",
        "/files%2fa",
        "/files/..%2fadmin",
        "/files/a%2f..%2f..%2fadmin",
        "/files/a%2f.%2fb",
        "/files/a%5cb",
        "/files/a%252fb",
    ] {
        let answer = ask(&stage, target).await;
        answer.is_refused(400, "invalid_request_target");
    }
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_request_names_one_host_in_one_way() {
    let stage = Stage::with(&[OPEN]).await;
    for head in [
        "GET / HTTP/1.1",
        "GET http://app.test/ HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test",
        "GET / HTTP/1.1\r\nHost: app.test\r\nhost: other.test",
        "GET http://other.test/ HTTP/1.1\r\nHost: app.test",
        "GET http://app.test@other.test/ HTTP/1.1\r\nHost: app.test",
        "GET / HTTP/1.0\r\nHost: app.test\r\nHost: other.test",
        "GET / HTTP/1.1\r\nHost:",
        "GET / HTTP/1.1\r\nHost: app.test, other.test",
        "GET / HTTP/1.1\r\nHost: app.test other.test",
        "GET / HTTP/1.1\r\nHost: http://app.test",
        "GET / HTTP/1.1\r\nHost: user@app.test",
        "GET / HTTP/1.1\r\nHost: app.test/admin",
        "GET / HTTP/1.1\r\nHost: app.test:",
        "GET / HTTP/1.1\r\nHost: app.test:99999",
        "GET / HTTP/1.1\r\nHost: [::1",
        "GET / HTTP/1.1\r\nHost: .",
        "GET / HTTP/1.1\r\nHost: app\u{e9}.test",
    ] {
        let answer = say(&stage, head).await;
        answer.is_refused(400, "invalid_request_target");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    for host in [
        "app.test",
        "APP.test.",
        "app.test:8080",
        "127.0.0.1",
        "[::1]:80",
    ] {
        let answer = say(&stage, format!("GET / HTTP/1.1\r\nHost: {host}")).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn nobody_tunnels_through_the_gateway_or_has_it_repeat_what_it_was_sent() {
    let stage = Stage::with(&[OPEN]).await;
    for head in [
        "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443",
        "CONNECT / HTTP/1.1\r\nHost: app.test",
        "TRACE / HTTP/1.1\r\nHost: app.test\r\nCookie: secret=1",
    ] {
        let answer = say(&stage, head).await;
        assert!(!answer.text().contains("secret"));
        // A target that is no path at all may be refused for that.
        if answer.status != 400 {
            answer.is_refused(405, "method_not_allowed");
            assert!(answer.header("allow").contains("GET"));
        }
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_target_that_is_no_uri_is_refused_whoever_finds_out() {
    let stage = Stage::with(&[OPEN]).await;
    for target in [
        "admin",
        "../admin",
        "http:http://other/admin",
        "http:/admin",
        "http://",
        "http:///admin",
        "/a b",
        "/a\tb",
        "/a\u{0}b",
        "?x",
        "",
    ] {
        let answer = ask(&stage, target).await;
        assert_eq!(answer.status, 400, "{target:?}: {answer:?}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn the_auth_endpoints_are_as_strict_about_targets_as_the_routes() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let head = |line: &str| {
        format!(
            "GET {line} HTTP/1.1\r\nHost: app.test\r\nAuthorization: Bearer {}",
            tokens.access
        )
    };
    assert_eq!(say(&stage, head("/api/auth/me")).await.status, 200);
    assert_eq!(say(&stage, head("/api/%61uth/me")).await.status, 200);
    for target in [
        "/x/../api/auth/me",
        "/api/auth/./me",
        "/api/auth//me",
        "/api/auth%2fme",
        "http://other.test/api/auth/me",
    ] {
        let answer = say(&stage, head(target)).await;
        answer.is_refused(400, "invalid_request_target");
    }
}
