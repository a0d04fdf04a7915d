//! Where the login leads: to any page of this site, and to no other site, however it is written.

use super::{DOORS, gate, refuses};
use crate::stage::{PHONE, Stage, browser::Browser, client::Call};

/// What browsers read as another site's address, or might, and what would go round in a circle.
const NOWHERE: [&str; 32] = [
    "",
    "//evil.example",
    "///evil.example",
    "////evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    " /orders",
    "https://evil.example",
    "HTTPS://evil.example/",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "orders",
    "./orders",
    "@evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/orders\u{0}",
    "/ordérs",
    "/api/auth/login",
    "/api/auth/logout",
    "/api/v1/auth/login?x=1",
];

/// What is here, and where it leads.
const HERE: [(&str, &str); 7] = [
    ("/", "/"),
    ("/orders", "/orders"),
    ("/orders/?a=b&c=%20d", "/orders/?a=b&c=%20d"),
    ("/?next=https://evil.example", "/?next=https://evil.example"),
    ("/a//evil.example/../b", "/"),
    ("/orders#top", "/orders"),
    ("/api/authors", "/api/authors"),
];

// T4, tokens and people led elsewhere: Pomerium CVE-2021-29651, oauth2-proxy CVE-2021-21291, Caddy CVE-2022-28923.
#[tokio::test]
async fn whoever_is_logged_in_is_sent_to_no_other_site() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    for (wish, place) in NOWHERE.map(|wish| (wish, "/")).into_iter().chain(HERE) {
        // Or the browser would be asked at last, for being sent on so often.
        browser.forget("otp_bounces");
        let escaped: String = form_urlencoded::byte_serialize(wish.as_bytes()).collect();
        let path = format!("/api/auth/login?return_to={escaped}");
        let answer = browser.open(&path).await;
        assert_eq!(answer.status, 303, "{wish:?}");
        assert_eq!(answer.header("location"), place, "{wish:?}");
    }
    for twice in ["return_to=/a&return_to=//evil.example", "return_to=%", "%"] {
        browser.forget("otp_bounces");
        let answer = browser.open(&format!("/api/auth/login?{twice}")).await;
        assert_eq!(answer.header("location"), "/", "{twice}");
    }
}

// T4, where the wish comes with the form.
#[tokio::test]
async fn a_form_that_was_tampered_with_leads_to_no_other_site() {
    let stage = Stage::with(&["otp.limits = []"]).await;
    for wish in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let mut browser = Browser::new(&stage);
        let before = stage.inbox.messages_to(PHONE).len();
        let escaped: String = form_urlencoded::byte_serialize(wish.as_bytes()).collect();
        let fields = format!("mobile_number=%2B14155550100&return_to={escaped}");
        browser
            .post("/api/auth/login", &format!("step=send&{fields}"))
            .await;
        let code = stage.inbox.nth_code_for(PHONE, before + 1).await;
        let form = format!("step=verify&otp={code}&{fields}");
        let answer = browser.post("/api/auth/login", &form).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), "/", "{wish}");
    }
}

// F2 and T4, a redirect to where the request says it came from: Traefik CVE-2024-52003, CVE-2026-35051/54764.
#[tokio::test]
async fn the_way_to_the_login_names_no_host_that_the_client_chose() {
    let stage = gate(&DOORS).await;
    let view = |host: &str| {
        Call::new(stage.address, "GET", "/orders?x=1")
            .header("host", host)
            .header("accept", "text/html")
            .header("sec-fetch-mode", "navigate")
    };
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "//evil.example"),
        ("x-forwarded-uri", "//evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "//evil.example"),
        ("referer", "https://evil.example/"),
        ("origin", "https://evil.example"),
    ] {
        for host in ["app.test", "evil.example"] {
            let led = view(host).header(name, value).send().await;
            assert_eq!(led.status, 303, "{name}");
            let wanted = "/api/auth/login?return_to=%2Forders%3Fx%3D1";
            assert_eq!(led.header("location"), wanted, "{name}");
            assert_eq!(led.header("cache-control"), "no-store");
            assert!(stage.arrived().await.is_empty(), "{name}");
        }
    }
}

// Lesson 9, programs that are led to a page instead of being told no: oauth2-proxy#2292, envoy#30102.
#[tokio::test]
async fn only_somebody_looking_at_a_page_is_led_anywhere() {
    let stage = gate(&DOORS).await;
    let call = |method: &str| Call::new(stage.address, method, "/orders");
    let page = |method: &str| call(method).header("accept", "text/html");
    for (row, call) in [
        ("an api", call("GET").header("accept", "application/json")),
        ("anything", call("GET").header("accept", "*/*")),
        ("no wish", call("GET")),
        ("a form", page("POST")),
        ("a fetch", page("GET").header("sec-fetch-mode", "cors")),
        (
            "grpc",
            call("POST").header("content-type", "application/grpc"),
        ),
        (
            "a socket",
            page("GET").header("sec-fetch-mode", "websocket"),
        ),
    ] {
        let answer = call.send().await;
        // A refusal in gRPC is a status in its own place.
        if row == "grpc" && answer.status == 200 {
            assert!(answer.headers.contains_key("grpc-status"));
            assert!(stage.arrived().await.is_empty());
            continue;
        }
        refuses(&stage, row, answer, 401, "missing_token").await;
    }
}
