//! Hosts: whom a request is for is said once, and decides the same however it is spelt.

use super::{DOORS, gate, refuses, say};

const AMBIGUOUS: &str = "invalid_request_target";

/// An open host beside a closed one.
const HOSTS: [&str; 2] = [
    "[[routes]]\nhost = \"open.test\"\npath = \"/\"\nauth = \"none\"",
    "[[routes]]\nhost = \"admin.test\"\npath = \"/\"",
];

// P6, several names for one place: Traefik CVE-2026-88009, HAProxy (Host is not authority).
#[tokio::test]
async fn a_request_names_one_host_in_one_way() {
    let stage = gate(&[
        DOORS[0],
        "[[routes]]\npath = \"/\"\nauth = \"none\"\nhost = \"*.test\"",
    ])
    .await;
    for head in [
        "GET / HTTP/1.1",
        "GET http://app.test/ HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test",
        "GET / HTTP/1.1\r\nHost: app.test\r\nhost: other.test",
        "GET http://other.test/ HTTP/1.1\r\nHost: app.test",
        "GET http://app.test@other.test/ HTTP/1.1\r\nHost: app.test",
        "GET / HTTP/1.0\r\nHost: app.test\r\nHost: other.test",
    ] {
        let answer = say(&stage, head).await;
        refuses(&stage, head, answer, 400, AMBIGUOUS).await;
    }
}

// What a thin gateway lets through: empty, listed, with user, path or port that are none.
#[tokio::test]
async fn a_host_is_the_name_of_a_host_and_nothing_else() {
    let stage = gate(&[DOORS[1], "[[routes]]\npath = \"/\"\nauth = \"none\""]).await;
    for host in [
        "",
        "app.test, other.test",
        "app.test other.test",
        "http://app.test",
        "user@app.test",
        "app.test/admin",
        "app.test?x",
        "app.test#x",
        "app.test:",
        "app.test:99999",
        "app.test:80:80",
        "app.test:+80",
        "app.test\\x",
        "app%2etest",
        "[::1",
        "::1",
        "[::1]x",
        ".",
        "app\u{e9}.test",
        "admin.test\u{7f}",
    ] {
        let answer = say(&stage, format!("GET / HTTP/1.1\r\nHost: {host}")).await;
        assert_eq!(answer.status, 400, "{host:?}: {answer:?}");
        let arrived = stage.arrived_at().await;
        assert!(arrived.is_empty(), "{host:?}: {arrived:?}");
    }
    for host in [
        "app.test",
        "APP.test.",
        "app.test:8080",
        "127.0.0.1",
        "[::1]:80",
    ] {
        let answer = say(&stage, format!("GET / HTTP/1.1\r\nHost: {host}")).await;
        assert_eq!(answer.status, 200, "{host}");
        assert_eq!(stage.arrived_at().await, ["/"], "{host}");
    }
}

// P8 and P9, case and root dot: Caddy CVE-2026-27588, Traefik CVE-2022-23632 and CVE-2026-53622.
#[tokio::test]
async fn no_spelling_of_a_host_slips_past_its_policy() {
    let any = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let stage = gate(&[HOSTS[1], any]).await;
    for host in [
        "admin.test",
        "ADMIN.test",
        "Admin.Test",
        "admin.test.",
        "ADMIN.TEST.",
        "admin.test:80",
        "admin.test.:443",
    ] {
        for target in ["/", "http://admin.test/"] {
            let row = format!("GET {target} HTTP/1.1\r\nHost: {host}");
            let answer = say(&stage, &row).await;
            refuses(&stage, &row, answer, 401, "missing_token").await;
        }
    }
}

// P9, a dot too many: no second way to write the name of a host.
#[tokio::test]
async fn a_host_with_an_empty_label_is_no_host() {
    let any = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let stage = gate(&[HOSTS[1], any]).await;
    for host in [
        "admin.test..",
        ".admin.test",
        "admin..test",
        "..",
        "admin.test..:80",
    ] {
        let answer = say(&stage, format!("GET / HTTP/1.1\r\nHost: {host}")).await;
        refuses(&stage, host, answer, 400, AMBIGUOUS).await;
    }
}

// P6, the authority of an absolute target goes before `Host` (RFC 9112 §3.2.2), so both must agree.
#[tokio::test]
async fn an_absolute_target_leads_to_no_other_host_than_the_header() {
    let stage = gate(&HOSTS).await;
    for (target, host) in [
        ("http://admin.test/", "open.test"),
        ("http://open.test/", "admin.test"),
        ("http://open.test:80@admin.test/", "open.test"),
        ("http://open.test.admin.test/", "open.test"),
        ("https://admin.test/", "open.test"),
    ] {
        let row = format!("GET {target} HTTP/1.1\r\nHost: {host}");
        let answer = say(&stage, &row).await;
        refuses(&stage, &row, answer, 400, AMBIGUOUS).await;
    }
    let answer = say(&stage, "GET http://open.test/x HTTP/1.1\r\nHost: open.test").await;
    assert_eq!(answer.status, 200);
    let arrived = stage.arrived().await;
    assert_eq!(arrived[0]["target"], "/x");
}

// D5, tunnels: Traefik CVE-2026-71324, Envoy CVE-2026-73547; and TRACE, which tells what it was sent.
#[tokio::test]
async fn nobody_tunnels_through_the_gateway_or_has_it_repeat_what_it_was_sent() {
    let stage = gate(&[DOORS[1], "[[routes]]\npath = \"/\"\nauth = \"none\""]).await;
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
        let arrived = stage.arrived_at().await;
        assert!(arrived.is_empty(), "{head}: {arrived:?}");
    }
}
