//! Paths that two readers could take for two places: refused with a reason, or matched as they are forwarded.

use super::{DOORS, ONE_CLOSED, ask, gate, refuses, refuses_target, say};
use crate::stage::PHONE;

const AMBIGUOUS: &str = "invalid_request_target";

/// Every row is refused at a gate that is closed but for one place, and at one that is open but for one.
async fn refused_everywhere(rows: &[(&str, &str)]) {
    for doors in [DOORS, ONE_CLOSED] {
        let stage = gate(&doors).await;
        for (target, reason) in rows {
            let detail = refuses_target(&stage, target, 400, AMBIGUOUS).await;
            assert!(detail.contains(reason), "{target}: {detail}");
        }
    }
}

// P1, step out of an open place: Envoy CVE-2019-9901, Istio CVE-2021-31920, Oathkeeper CVE-2026-33494.
#[tokio::test]
async fn no_step_up_leads_out_of_an_open_place() {
    let step = "dot segment";
    refused_everywhere(&[
        ("/public/../admin", step),
        ("/public/./../admin", step),
        ("/public/x/../../admin", step),
        ("/public/./admin", step),
        ("/public/..", step),
        ("/../admin", step),
        ("/.", step),
        ("http://app.test/public/../admin", step),
    ])
    .await;
}

// P2, encoded separators: Envoy CVE-2021-29492, Traefik CVE-2025-47952/32431/66490, UniFi CVE-2026-34908.
#[tokio::test]
async fn no_encoding_hides_a_step_up_or_a_separator() {
    refused_everywhere(&[
        ("/public/%2e%2e/admin", "dot segment"),
        ("/public/.%2E/admin", "dot segment"),
        ("/public/%2E./admin", "dot segment"),
        ("/public/..%2fadmin", "dot segment"),
        ("/public%2fadmin", "encoded slash"),
        ("/public%2Fx", "encoded slash"),
        ("/public/..%5cadmin", "dot segment"),
        ("/public%5Cadmin", "backslash"),
        ("/public/..\\admin", "backslash"),
        ("/%252e%252e/admin", "dot segment"),
        ("/public/..%252fadmin", "dot segment"),
        ("/public%255cadmin", "encoded twice"),
        ("/public/%25252e%25252e/admin", "dot segment"),
        ("http://app.test/public/%2e%2e/admin", "dot segment"),
    ])
    .await;
}

// P2, merged slashes: Envoy `merge_slashes`, Authelia GHSA-68wm.
#[tokio::test]
async fn no_empty_segment_shifts_a_path() {
    refused_everywhere(&[
        ("//admin", "empty segment"),
        ("//app.test/admin", "empty segment"),
        ("/public//admin", "empty segment"),
        ("/public//", "empty segment"),
        ("///", "empty segment"),
        ("http://app.test//admin", "empty segment"),
    ])
    .await;
}

// P3, parameters: Envoy CVE-2026-73511.
#[tokio::test]
async fn no_parameter_hides_a_step_up() {
    let step = "dot segment";
    refused_everywhere(&[
        ("/..;/admin", step),
        ("/public/..;/admin", step),
        ("/public/..;x=1/admin", step),
        ("/public/.;/admin", step),
        ("/public/%2e%2e;/admin", step),
        ("/public/..%3b/admin", step),
        ("/public/%2e%2e%3Bx/admin", step),
        ("/public/..%253b/admin", step),
        ("/public/%252e%252e%25253bx/admin", step),
        ("/admin%253bx", "encoded twice"),
    ])
    .await;
}

// P3, servers that drop parameters before they look where a path leads, and those that do not.
#[tokio::test]
async fn a_parameter_that_some_servers_drop_does_not_decide_where_a_path_leads() {
    let exact = "[[routes]]\npath = \"/exact\"\nmatch = \"exact\"";
    let stage = gate(&[ONE_CLOSED[0], ONE_CLOSED[1], exact]).await;
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
        refuses_target(&stage, target, 400, AMBIGUOUS).await;
    }
    refuses_target(&stage, "/admin/;x", 401, "missing_token").await;
    for target in ["/maps;v=1/x;y", "/a%3Bb", "/administrator;x"] {
        assert_eq!(ask(&stage, target).await.status, 200, "{target}");
        assert_eq!(stage.arrived_at().await, [target]);
    }
}

// P4, fragments: Traefik CVE-2023-47106, oauth2-proxy CVE-2026-41059, HAProxy CVE-2023-45539.
#[tokio::test]
async fn a_fragment_is_neither_matched_nor_forwarded() {
    let stage = gate(&ONE_CLOSED).await;
    for target in [
        "/public#/../admin",
        "/admin#/public",
        "/public#",
        "/public?a#b",
    ] {
        refuses_target(&stage, target, 400, AMBIGUOUS).await;
    }
    let answer = ask(&stage, "/a%23b").await;
    assert_eq!(answer.json()["target"], "/a%23b");
}

// P5, a query that is matched along with the path: oauth2-proxy CVE-2025-54576.
#[tokio::test]
async fn a_query_opens_no_door() {
    let stage = gate(&DOORS).await;
    for target in [
        "/admin?/public",
        "/admin?x=/public/",
        "/admin?/../public",
        "/?/public",
        "/admin%3F/public",
        "/admin%3f/public/x",
    ] {
        refuses_target(&stage, target, 401, "missing_token").await;
    }
    let target = "/public?/../admin&x=%2e%2e%2fadmin//";
    assert_eq!(ask(&stage, target).await.status, 200);
    assert_eq!(stage.arrived_at().await, [target]);
}

// P7, matched in one form and forwarded in another: Traefik CVE-2026-40912/48020/65600/67309, Caddy #7941.
#[tokio::test]
async fn the_app_gets_the_path_that_was_matched_and_the_query_as_it_was() {
    let stage = gate(&ONE_CLOSED).await;
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
        assert_eq!(stage.arrived_at().await, [forwarded], "{target}");
    }
}

// P7, needless escapes that hide the name of a closed place.
#[tokio::test]
async fn no_spelling_of_a_path_slips_past_the_policy_of_its_route() {
    let stage = gate(&ONE_CLOSED).await;
    for target in [
        "/admin",
        "/%61dmin",
        "/%61%64%6D%69%6e/x",
        "/%61%64%6d%69%6E",
        "/admin/",
        "/admin?x",
        "http://app.test/admin",
        "http://app.test/%61dmin",
    ] {
        refuses_target(&stage, target, 401, "missing_token").await;
    }
}

// P8, case: Caddy CVE-2026-27587, Authelia CVE-2026-48794.
#[tokio::test]
async fn an_open_place_in_another_case_is_another_place() {
    let stage = gate(&DOORS).await;
    for target in ["/PUBLIC", "/Public/x", "/publi%43", "/%50ublic"] {
        refuses_target(&stage, target, 401, "missing_token").await;
    }
}

// P10, letters that some programs fold together: Caddy CVE-2026-27590/45135/52844.
#[tokio::test]
async fn a_letter_that_looks_alike_is_another_letter() {
    let stage = gate(&DOORS).await;
    for target in [
        // Full width, with a dot below, the long s, the dotless i.
        "/publi%EF%BD%83",
        "/publi%E1%B8%89",
        "/public%C5%BF",
        "/publ%C4%B1c/x",
    ] {
        refuses_target(&stage, target, 401, "missing_token").await;
    }
    // What is no slash and no dot in the path is none on its way to the app.
    for target in [
        "/public/%EF%BC%8E%EF%BC%8E%EF%BC%8Fadmin",
        "/public/%E2%88%95x",
    ] {
        assert_eq!(ask(&stage, target).await.status, 200, "{target}");
        assert_eq!(stage.arrived_at().await, [target]);
    }
}

// P11, prefix without boundary: Caddy GHSA-gx7w, Traefik CVE-2026-40912 (`/api../x`).
#[tokio::test]
async fn a_prefix_ends_where_a_segment_ends() {
    let stage = gate(&DOORS).await;
    for target in [
        "/publicity",
        "/public-admin",
        "/public.",
        "/public../admin",
        "/public%2e%2e/admin",
        "/public...",
        "/public~",
        "/public:80/admin",
        "/public%20",
        "/public@x",
    ] {
        refuses_target(&stage, target, 401, "missing_token").await;
    }
}

// P12, bytes that end a text for some reader, or begin a line.
#[tokio::test]
async fn nothing_that_ends_a_text_or_a_line_stands_in_a_path() {
    let control = "control character";
    let broken = "percent escape";
    refused_everywhere(&[
        ("/admin%00/public", control),
        ("/public%00", control),
        ("/public%0d%0aX-Auth-Subject:b", control),
        ("/public%0a", control),
        ("/public%09", control),
        ("/public%7f", control),
        ("/public/%", broken),
        ("/public/%2", broken),
        ("/public/%zz", broken),
        ("/public/%u002e", broken),
        ("/public/%+1", broken),
        ("/caf\u{e9}", "percent-encoded"),
        ("*", "slash"),
    ])
    .await;
}

// P12, overlong UTF-8: a slash or a dot for readers that are not strict (CVE-2000-0884 and its heirs).
#[tokio::test]
async fn a_character_in_more_bytes_than_it_needs_is_refused() {
    let long = "overlong";
    refused_everywhere(&[
        ("/public/%c0%ae%c0%ae/admin", long),
        ("/public%C0%AFadmin", long),
        ("/public%C1%9Cadmin", long),
        ("/public/%e0%80%af", long),
        ("/public/%F0%80%80%AF", long),
        ("/public/x%C0%80", long),
        ("/public/%25c0%25ae%25c0%25ae/admin", long),
        ("/public/%25c0%ae%25c0%ae/admin", long),
        ("/public%2525E0%252580%2525AFadmin", long),
    ])
    .await;
}

// P6, targets that are none: Traefik CVE-2026-88009; the malformed ones of Http11Probe.
#[tokio::test]
async fn a_target_that_is_no_uri_is_refused_whoever_finds_out() {
    let stage = gate(&ONE_CLOSED).await;
    for target in [
        "admin",
        "../admin",
        "\\admin",
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
        let arrived = stage.arrived_at().await;
        assert!(arrived.is_empty(), "{target:?}: {arrived:?}");
    }
}

// Lesson 2: what is refused is refused with a reason, to the client and in the log (traefik#12380).
#[tokio::test]
async fn whoever_is_refused_can_be_told_why() {
    let stage = gate(&DOORS).await;
    for (target, reason) in [
        ("/public/%2e%2e/admin", "The path holds a dot segment."),
        ("/public%2fadmin", "The path holds an encoded slash."),
        ("/public%5cadmin", "The path holds a backslash."),
    ] {
        let answer = ask(&stage, target).await;
        let id = answer.header("x-request-id").to_owned();
        let said = refuses(&stage, target, answer, 400, AMBIGUOUS).await;
        assert_eq!(said, reason);
        let line = stage.access_log.line(|line| line.contains(&id)).await;
        assert!(line.contains(" 400 GET "), "{line}");
        assert!(line.contains(" code=invalid_request_target "), "{line}");
    }
}

// P2, the exception: a route that lets `%2F` through (lesson 2 of Traefik 3.6.4 to 3.6.7).
#[tokio::test]
async fn a_route_may_take_encoded_slashes_but_no_steps_up_behind_them() {
    let files = "[[routes]]\npath = \"/files\"\nallow_encoded = true\nauth = \"none\"";
    let stage = gate(&[ONE_CLOSED[0], files]).await;
    let answer = ask(&stage, "/files/a%2fb%2Fc").await;
    assert_eq!(answer.json()["target"], "/files/a%2Fb%2Fc");
    assert_eq!(stage.arrived_at().await, ["/files/a%2Fb%2Fc"]);
    for target in [
        "/other/a%2fb",
        "/files%2fa",
        "/files/..%2fadmin",
        "/files/a%2f..%2f..%2fadmin",
        "/files/a%2f.%2fb",
        "/files/a%5cb",
        "/files/a%252fb",
    ] {
        refuses_target(&stage, target, 400, AMBIGUOUS).await;
    }
}

// P2, the exception's exception: a server that decodes before it looks sees another place.
#[tokio::test]
async fn an_encoded_slash_that_a_route_takes_hides_no_closed_place() {
    let open = "[[routes]]\npath = \"/\"\nallow_encoded = [\"slash\", \"backslash\", \"percent\"]\nauth = \"none\"";
    let closed = "[[routes]]\npath = \"/admin\"\nallow_encoded = true";
    let stage = gate(&[open, closed]).await;
    let get = ask(&stage, "/apps/a%2Fb%5Cc%252Fd").await;
    assert_eq!(get.json()["target"], "/apps/a%2Fb%5Cc%252Fd");
    assert_eq!(stage.arrived_at().await, ["/apps/a%2Fb%5Cc%252Fd"]);
    for target in [
        "/admin%2Fusers",
        "/admin%5cusers",
        "/admin%252fusers",
        "/%2fadmin/users",
        "/apps%2F..%2Fadmin",
        "/apps/%252e%252e/admin",
    ] {
        refuses_target(&stage, target, 400, AMBIGUOUS).await;
    }
}

// P1 to P12 at the gateway's own endpoints, which no route may take over.
#[tokio::test]
async fn the_auth_endpoints_are_as_strict_about_targets_as_the_routes() {
    let stage = gate(&DOORS).await;
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
        refuses(&stage, target, answer, 400, AMBIGUOUS).await;
    }
}
