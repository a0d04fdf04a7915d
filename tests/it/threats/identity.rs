//! Identity: the app hears who is calling from the gateway alone, whatever the caller says about it.

use serde_json::Value;

use super::{DOORS, gate, refuses, say};
use crate::stage::{
    PHONE, Stage,
    client::Connection,
    upstream::told,
    wire::{Puppet, Wire},
};

/// One route of each kind.
const ROUTES: [&str; 3] = [
    "[[routes]]\npath = \"/none\"\nauth = \"none\"",
    "[[routes]]\npath = \"/optional\"\nauth = \"optional\"",
    "[[routes]]\npath = \"/required\"",
];

/// What a CGI program, or one of its heirs, finds under `name`: they take `-`, `_` and `.` for the
/// same, and join what came several times.
fn as_cgi_reads(seen: &Value, name: &str) -> Vec<String> {
    let fold = |name: &str| {
        let fold = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        name.chars().map(fold).collect::<String>().to_uppercase()
    };
    let headers = seen["headers"].as_array().expect("headers");
    headers
        .iter()
        .filter(|pair| fold(pair[0].as_str().unwrap()) == fold(name))
        .map(|pair| pair[1].as_str().unwrap().to_owned())
        .collect()
}

// I1, I2, I5: oauth2-proxy CVE-2025-64484, Traefik CVE-2026-33433/39858/54763, Caddy CVE-2026-52845, Envoy CVE-2026-26308.
#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_past_any_kind_of_route() {
    let stage = Stage::with(&ROUTES).await;
    let tokens = stage.log_in(PHONE).await;
    let me = stage
        .get("/api/auth/me")
        .bearer(&tokens.access)
        .send()
        .await;
    let subject = me.json()["sub"].as_str().expect("a subject").to_owned();
    for spelling in [
        "X-Auth-Subject",
        "x-auth-subject",
        "X_AUTH_SUBJECT",
        "X-Auth_Subject",
        "x.auth.subject",
        "X-Auth.Subject",
        "X~Auth+Subject",
    ] {
        for (path, token, expected) in [
            ("/none", None, None),
            ("/none", Some(&tokens.access), None),
            ("/optional", None, None),
            ("/optional", Some(&tokens.access), Some(&subject)),
            ("/required", Some(&tokens.access), Some(&subject)),
        ] {
            let mut call = stage
                .get(path)
                .header(spelling, "admin")
                .header(spelling, "root");
            if let Some(token) = token {
                call = call.bearer(token);
            }
            let seen = call.send().await.json();
            let read = as_cgi_reads(&seen, "x-auth-subject");
            let expected: Vec<String> = expected.into_iter().cloned().collect();
            assert_eq!(read, expected, "{spelling} on {path}: {seen}");
        }
    }
}

// I1, I3, an absent claim leaves no room: Caddy CVE-2026-30851, Authelia GHSA-x883.
#[tokio::test]
async fn every_identity_header_is_ours_alone() {
    let stage = Stage::with(&[
        "identity.subject = \"X-User\"",
        "identity.phone = \"X-User-Phone\"",
        "identity.session = \"X-User-Login\"",
        "identity.claims = { tenant = \"X-Tenant\", absent = \"X-Absent\" }",
        "tokens.claims = { tenant = \"acme\" }",
        "[[routes]]\npath = \"/\"\nauth = \"optional\"",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    let names = [
        "x-user",
        "x-user-phone",
        "x-user-login",
        "x-tenant",
        "x-absent",
    ];
    let forge = |mut call: crate::stage::client::Call| {
        for name in names {
            call = call
                .header(name, "forged")
                .header(&name.replace('-', "_"), "forged");
        }
        call
    };
    let stranger = forge(stage.get("/")).send().await.json();
    for name in names {
        assert_eq!(as_cgi_reads(&stranger, name), [] as [String; 0], "{name}");
    }
    let known = forge(stage.get("/").bearer(&tokens.access))
        .send()
        .await
        .json();
    assert_eq!(as_cgi_reads(&known, "x-user-phone"), [PHONE]);
    assert_eq!(as_cgi_reads(&known, "x-user-login"), [&*tokens.session]);
    assert_eq!(as_cgi_reads(&known, "x-tenant"), ["acme"]);
    assert_eq!(as_cgi_reads(&known, "x-user").len(), 1);
    // A claim that the token does not have leaves no room for a forged one.
    assert_eq!(as_cgi_reads(&known, "x-absent"), [] as [String; 0]);
}

// I8, line breaks and lists in claims: KrakenD (joined lists), Envoy CVE-2026-26308.
#[tokio::test]
async fn claims_travel_as_text_or_as_json_and_what_no_header_can_carry_stays_away() {
    let stage = Stage::with(&[
        "tokens.claims = { roles = [\"a\", \"b, c\"], level = 3, name = \"J\\u00f6rg\\r\\nX-Auth-Subject: admin\" }",
        "identity.claims = { roles = \"X-Roles\", level = \"X-Level\", name = \"X-Name\" }",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    let seen = stage.get("/").bearer(&tokens.access).send().await.json();
    assert_eq!(told(&seen, "x-roles"), ["[\"a\",\"b, c\"]"]);
    assert_eq!(told(&seen, "x-level"), ["3"]);
    assert_eq!(told(&seen, "x-name"), [] as [String; 0]);
    assert_ne!(told(&seen, "x-auth-subject"), ["admin"]);
}

// I4: Oathkeeper GHSA-w9mr, Traefik CVE-2021-32813, CVE-2024-45410, CVE-2026-29054.
#[tokio::test]
async fn naming_a_header_in_connection_takes_none_of_ours_away() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let ours = [
        "x-auth-subject",
        "x-auth-phone",
        "x-auth-session",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
        "host",
    ];
    for named in [ours.join(", "), ours.join(",").to_uppercase()] {
        let seen = stage
            .get("/")
            .bearer(&tokens.access)
            .header("connection", "keep-alive")
            .header("connection", &named)
            .send()
            .await
            .json();
        for name in ours {
            assert_eq!(told(&seen, name).len(), 1, "{name}: {seen}");
        }
    }
}

// I7, identity in trailers: Http11Probe, Traefik 86b5642f.
#[tokio::test]
async fn trailers_of_a_request_tell_the_app_nothing() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[ROUTES[0], &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(
            "POST /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Auth-Subject, X_Auth_Phone, X-Other\r\nTE: trailers\r\n\r\n\
             3\r\nabc\r\n0\r\nX-Auth-Subject: admin\r\nX_Auth_Phone: +1\r\nX-Other: 1\r\n\r\n",
        )
        .await;
    let mut server = app.accept().await;
    server.head().await;
    let body = server.until("\r\n\r\n").await;
    assert_eq!(body, "3\r\nabc\r\n0\r\nx-other: 1\r\n\r\n");
}

// I7, trailers that some reader adds to the head: Http11Probe (authorization, host, length, coding), Traefik 86b5642f.
#[tokio::test]
async fn nothing_that_belongs_into_a_head_comes_behind_a_body() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[ROUTES[0], &app.setting()]).await;
    let forbidden = [
        ("x-auth-phone", "+1"),
        ("x_auth_session", "1"),
        ("authorization", "Bearer x"),
        ("cookie", "otp_access=x"),
        ("host", "evil.test"),
        ("content-length", "9"),
        ("transfer-encoding", "identity"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x_forwarded_proto", "https"),
        ("forwarded", "for=127.0.0.1"),
        ("x-original-url", "/admin"),
        ("x-request-id", "forged"),
    ];
    let names = forbidden.map(|(name, _)| name).join(", ");
    let lines = forbidden.map(|(name, value)| format!("{name}: {value}\r\n"));
    let mut client = Wire::to(stage.address).await;
    let head = "POST /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers";
    let body = format!("3\r\nabc\r\n0\r\n{}x-kept: 1\r\n\r\n", lines.concat());
    client
        .send(format!("{head}\r\nTrailer: {names}, x-kept\r\n\r\n{body}"))
        .await;
    let mut server = app.accept().await;
    server.head().await;
    let arrived = server.until("\r\n\r\n").await;
    assert_eq!(arrived, "3\r\nabc\r\n0\r\nx-kept: 1\r\n\r\n");
}

// T6, tokens shown to whom they are not for: Pomerium CVE-2024-39315, Traefik CVE-2026-41181.
#[tokio::test]
async fn the_token_stays_at_the_gateway_unless_the_route_forwards_it() {
    let stage = Stage::with(&[
        "[[routes]]\npath = \"/\"",
        "[[routes]]\npath = \"/optional\"\nauth = \"optional\"",
        "[[routes]]\npath = \"/forward\"\nforward_token = true",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    for path in ["/", "/optional"] {
        let answer = stage.get(path).bearer(&tokens.access).send().await;
        assert!(!answer.text().contains(&tokens.access), "{path}");
    }
    let forwarded = stage.get("/forward").bearer(&tokens.access).send().await;
    let bearer = format!("Bearer {}", tokens.access);
    assert_eq!(told(&forwarded.json(), "authorization"), [bearer]);
}

// T6 again, for cookies: Envoy and oauth2-proxy hand them on.
#[tokio::test]
async fn the_session_cookies_stay_at_the_gateway_and_the_app_gets_its_own() {
    let stage = Stage::with(&ROUTES).await;
    let tokens = stage.log_in(PHONE).await;
    let cookies = format!(
        "a=1; otp_access={}; b=\"2\"; otp_refresh={}; __Host-otp_access=x; c=otp_access",
        tokens.access, tokens.refresh
    );
    for path in ["/none", "/optional", "/required"] {
        let call = stage.get(path).header("cookie", &cookies);
        let answer = call.header("cookie", "d=4").send().await;
        let seen = answer.json();
        assert_eq!(told(&seen, "cookie"), ["a=1; b=\"2\"; c=otp_access; d=4"]);
        assert!(!answer.text().contains(&tokens.access));
        assert!(!answer.text().contains(&tokens.refresh));
    }
    let only_ours = format!("otp_access={}", tokens.access);
    let seen = stage
        .get("/required")
        .header("cookie", &only_ours)
        .send()
        .await
        .json();
    assert_eq!(told(&seen, "cookie"), [] as [String; 0]);
    assert_eq!(told(&seen, "x-auth-phone"), [PHONE]);
}

// T6, the other side: what is not ours is not taken away.
#[tokio::test]
async fn credentials_of_another_kind_are_the_apps_affair() {
    let stage = Stage::with(&ROUTES).await;
    for path in ["/none", "/optional"] {
        let call = stage.get(path).header("authorization", "Basic YTpi");
        let seen = call.send().await.json();
        assert_eq!(told(&seen, "authorization"), ["Basic YTpi"], "{path}");
        assert_eq!(told(&seen, "x-auth-subject"), [] as [String; 0]);
    }
}

// T7, two tokens: Envoy CVE-2025-64527.
#[tokio::test]
async fn a_header_is_believed_before_a_cookie_and_two_tokens_are_none() {
    let stage = Stage::new().await;
    let (one, other) = (
        stage.log_in(PHONE).await,
        stage.log_in("+14155550101").await,
    );
    let cookie = |token: &str| format!("otp_access={token}");
    let both = stage
        .get("/")
        .bearer(&one.access)
        .header("cookie", &cookie(&other.access))
        .send()
        .await;
    assert_eq!(told(&both.json(), "x-auth-phone"), [PHONE]);
    assert!(!both.text().contains(&other.access));
    let twice = stage
        .get("/")
        .header("cookie", &cookie(&one.access))
        .header("cookie", &cookie(&other.access))
        .send()
        .await;
    twice.is_refused(401, "invalid_token");
    let bad_header = stage
        .get("/")
        .bearer("nonsense")
        .header("cookie", &cookie(&one.access))
        .send()
        .await;
    bad_header.is_refused(401, "invalid_token");
}

// I6, headers that stand for a decision elsewhere: Envoy CVE-2023-27487 and CVE-2024-45806, oauth2-proxy CVE-2026-34457.
#[tokio::test]
async fn no_header_and_no_method_is_a_side_door() {
    let stage = gate(&DOORS).await;
    for head in [
        "GET /admin HTTP/1.1\r\nX-Envoy-Original-Path: /public",
        "GET /admin HTTP/1.1\r\nX-Envoy-Internal: true",
        "GET /admin HTTP/1.1\r\nX-Original-URL: /public",
        "GET /admin HTTP/1.1\r\nX-Rewrite-URL: /public",
        "GET /admin HTTP/1.1\r\nX-Forwarded-Uri: /public",
        "GET /admin HTTP/1.1\r\nX-Forwarded-Method: OPTIONS",
        "GET /admin HTTP/1.1\r\nX-Forwarded-Prefix: /public",
        "GET /admin HTTP/1.1\r\nX-Forwarded-For: 127.0.0.1",
        "GET /admin HTTP/1.1\r\nX-Auth-Subject: admin",
        "GET /admin HTTP/1.1\r\nX-Authenticated: true",
        "GET /admin HTTP/1.1\r\nUser-Agent: kube-probe/1.30",
        "GET /admin HTTP/1.1\r\nUser-Agent: GoogleHC/1.0",
        "GET /admin HTTP/1.1\r\nUser-Agent:",
        "GET /ping HTTP/1.1\r\nUser-Agent: ELB-HealthChecker/2.0",
        "OPTIONS /admin HTTP/1.1\r\nAccess-Control-Request-Method: GET",
        "HEAD /admin HTTP/1.1\r\nX-Method-Override: OPTIONS",
        "GET /health HTTP/1.1",
        "GET /metrics HTTP/1.1",
        "GET /robots.txt HTTP/1.1",
        "GET /favicon.ico HTTP/1.1",
    ] {
        let row = format!("{head}\r\nHost: app.test");
        if head.starts_with("HEAD") {
            let mut wire = Wire::to(stage.address).await;
            wire.send(format!("{row}\r\nConnection: close\r\n\r\n"))
                .await;
            let said = wire.rest().await;
            assert!(said.starts_with("HTTP/1.1 401 "), "{row}: {said}");
            assert!(stage.arrived().await.is_empty(), "{row}");
            continue;
        }
        let answer = say(&stage, &row).await;
        refuses(&stage, &row, answer, 401, "missing_token").await;
    }
}

// I9, one answer for two callers: Traefik CVE-2026-71326, Oathkeeper CVE-2026-33496.
#[tokio::test]
async fn nobody_is_taken_for_who_came_before_on_the_same_connection() {
    let stage = gate(&DOORS).await;
    let people = [PHONE, "+14155550101", "+14155550102"];
    let mut tokens = Vec::new();
    for phone in people {
        tokens.push(stage.log_in(phone).await);
    }
    let mut connection = Connection::open(stage.address).await;
    for _ in 0..3 {
        for (phone, tokens) in people.iter().zip(&tokens) {
            let call = stage.get("/orders").bearer(&tokens.access);
            let seen = connection.send(call).await.json();
            assert_eq!(told(&seen, "x-auth-phone"), [*phone]);
            assert_eq!(told(&seen, "x-auth-session"), [&*tokens.session]);
            let nobody = connection.send(stage.get("/orders")).await;
            nobody.is_refused(401, "missing_token");
            let open = connection.send(stage.get("/public")).await.json();
            assert_eq!(told(&open, "x-auth-phone"), [] as [&str; 0]);
        }
    }
}

// I6 and P7: headers in which some frameworks look for the "real" target (CVE-2018-14773).
#[tokio::test]
async fn no_header_names_another_target_than_the_one_that_was_matched() {
    let stage = gate(&DOORS).await;
    for name in [
        "X-Original-URL",
        "X-Rewrite-URL",
        "x_original_url",
        "X-Rewrite.Url",
        "X-Forwarded-Prefix",
    ] {
        let head = format!("GET /public HTTP/1.1\r\nHost: app.test\r\n{name}: /admin");
        let answer = say(&stage, head).await;
        assert_eq!(answer.status, 200, "{name}");
        let arrived = stage.arrived().await;
        assert_eq!(arrived.len(), 1, "{name}");
        assert_eq!(arrived[0]["target"], "/public");
        let lower = name.to_lowercase();
        let told = told(&arrived[0], &lower);
        assert_eq!(told, [] as [&str; 0], "{name}");
    }
}
