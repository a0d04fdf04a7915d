//! The operators' listener: on its own address, for looking only, and nothing a client says shows up there as markup.

use super::{DOORS, gate};
use crate::stage::client::{Call, raw};

// Admin, a browser that is made to post to a local port: Caddy CVE-2026-27589 and CVE-2026-45692.
#[tokio::test]
async fn no_page_makes_a_browser_change_anything_for_an_operator() {
    let stage = gate(&DOORS).await;
    for (method, path) in [
        ("POST", "/load"),
        ("POST", "/config"),
        ("POST", "/ready"),
        ("PUT", "/config"),
        ("PATCH", "/metrics"),
        ("DELETE", "/metrics"),
        ("OPTIONS", "/metrics"),
        ("TRACE", "/metrics"),
    ] {
        let call = Call::new(stage.admin, method, path);
        let call = call.header("origin", "https://evil.example");
        let answer = call.header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(answer.status, 405, "{method} {path}");
    }
    assert_eq!(stage.get("/public").send().await.status, 200);
    assert_eq!(stage.arrived_at().await, ["/public"]);
}

// Admin, pages of other sites that read it: no answer invites them to.
#[tokio::test]
async fn no_page_of_another_site_may_read_what_operators_read() {
    let stage = gate(&DOORS).await;
    for path in ["/metrics", "/ready", "/health"] {
        let call = Call::new(stage.admin, "GET", path);
        let answer = call.header("origin", "https://evil.example").send().await;
        let invites = answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"));
        assert!(!invites, "{path}: {answer:?}");
        assert!(!answer.header("content-type").contains("html"), "{path}");
    }
}

// Admin, a stranger's words on an operator's page: Envoy CVE-2026-73546, Traefik CVE-2018-15598.
#[tokio::test]
async fn nothing_a_stranger_says_stands_in_the_metrics() {
    const MARK: &str = "evil-mark";
    let stage = gate(&DOORS).await;
    for call in [
        stage.get(&format!("/public/{MARK}")),
        stage.get(&format!("/{MARK}?{MARK}")),
        stage.call(MARK, "/public"),
        stage.get("/public").header("host", &format!("{MARK}.test")),
        stage.get("/public").header("user-agent", MARK),
        stage.get("/public").header("x-request-id", MARK),
        stage.get("/api/auth/me").bearer(MARK),
        stage.get(&format!("/api/auth/{MARK}")),
        stage.send_otp(MARK),
    ] {
        call.send().await;
    }
    let metrics = stage.operators("/metrics").await.text();
    assert!(metrics.contains("http_requests_total"));
    assert!(!metrics.contains(MARK), "{metrics}");
}

// Admin, no side door: what clients may reach knows nothing of operators, whatever they call it.
#[tokio::test]
async fn clients_reach_nothing_of_the_operators() {
    let stage = gate(&["[[routes]]\npath = \"/app\"\nauth = \"none\""]).await;
    for path in [
        "/metrics",
        "/ready",
        "/health",
        "/admin",
        "/debug/pprof",
        "/stats",
        "/server-status",
        "/config",
    ] {
        for host in [
            stage.admin.to_string(),
            "localhost".into(),
            "127.0.0.1:9090".into(),
        ] {
            let answer = stage.get(path).header("host", &host).send().await;
            answer.is_refused(404, "not_found");
        }
    }
    assert!(stage.arrived().await.is_empty());
}

// Admin, and operators' requests are no way to the apps or the logins either.
#[tokio::test]
async fn the_operators_listener_leads_nowhere_else() {
    let stage = gate(&DOORS).await;
    for request in [
        "GET /public HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /api/auth/me HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://app.test/public HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /metrics/../public HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let said = raw(stage.admin, request.as_bytes()).await;
        assert!(!said.contains(" 200 "), "{request}: {said}");
        assert!(stage.arrived().await.is_empty(), "{request}");
    }
}
