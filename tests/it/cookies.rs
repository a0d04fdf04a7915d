//! The cookies of a browser: how they are guarded, and what another site can do with them, which is nothing.

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage,
    browser::Browser,
    client::{Answer, Call},
    wire::{Puppet, Wire},
};

const EVIL: &str = "https://evil.example";

#[tokio::test]
async fn in_the_clear_the_cookies_are_kept_from_scripts_and_other_sites() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let answer = browser.log_in(&stage, PHONE, "/").await;
    assert_eq!(
        guards(&answer),
        [
            "otp_access; HttpOnly; SameSite=Lax; Path=/; Max-Age=900",
            "otp_refresh; HttpOnly; SameSite=Lax; Path=/api/auth; Max-Age=2592000",
        ]
    );
}

#[tokio::test]
async fn over_tls_the_cookies_bear_the_names_that_browsers_guard() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let mut browser = Browser::by_tls(&stage, "app.example.com");
    let answer = browser.log_in(&stage, PHONE, "/orders").await;
    assert_eq!(answer.header("location"), "/orders");
    assert_eq!(
        guards(&answer),
        [
            "__Host-otp_access; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900",
            "__Secure-otp_refresh; HttpOnly; SameSite=Lax; Secure; Path=/api/auth; Max-Age=2592000",
        ]
    );
    assert_eq!(browser.open("/orders").await.status, 200);
    // A cookie of the plain name could have been planted in the clear.
    let token = browser.cookie("__Host-otp_access").expect("a cookie");
    let planted = Browser::by_tls(&stage, "app.example.com").call("GET", "/orders");
    let planted = planted.header("cookie", &format!("otp_access={token}"));
    planted.send().await.is_refused(401, "missing_token");

    let out = browser.post("/api/auth/logout", "").await;
    assert_eq!(
        guards(&out),
        [
            "__Host-otp_access; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "__Secure-otp_refresh; HttpOnly; SameSite=Lax; Secure; Path=/api/auth; Max-Age=0",
        ]
    );
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_says_that_it_was_tls() {
    let stage = Stage::new().await;
    let mut browser = Browser::by_tls(&stage, "app.example.com");
    let page = browser.open("/api/auth/login").await;
    let page = browser
        .press(&page, "send", &[("mobile_number", PHONE)])
        .await;
    let code = stage.inbox.code_for(PHONE).await;
    let answer = browser.press(&page, "verify", &[("otp", &code)]).await;
    assert!(!guards(&answer).concat().contains("Secure"));
}

#[tokio::test]
async fn cookies_can_be_told_to_be_secure_always() {
    let stage = Stage::with(&["session.cookie_secure = \"always\""]).await;
    let mut browser = Browser::new(&stage);
    let answer = browser.log_in(&stage, PHONE, "/").await;
    for cookie in guards(&answer) {
        assert!(
            cookie.starts_with("__") && cookie.contains("; Secure;"),
            "{cookie}"
        );
    }
    assert_eq!(browser.open("/orders").await.status, 200);
}

#[tokio::test]
async fn another_site_changes_nothing_in_an_app() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS-X"] {
        for forged in sent_by_others(|| browser.call(method, "/orders")) {
            forged.send().await.is_refused(403, "csrf");
        }
    }
    // A handshake opens a channel for everything, though it is a GET.
    let socket = browser
        .call("GET", "/live")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    socket
        .header("origin", EVIL)
        .send()
        .await
        .is_refused(403, "csrf");
    assert!(stage.upstream.seen().is_empty());
}

#[tokio::test]
async fn the_apps_own_pages_and_programs_change_what_they_want() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let origin = format!("http://{}", stage.address);
    let post = || browser.call("POST", "/orders");
    for call in [
        post().header("sec-fetch-site", "same-origin"),
        post().header("sec-fetch-site", "none"),
        post().header("origin", &origin),
        // Reading is no change: links from elsewhere lead to the app.
        browser
            .call("GET", "/orders")
            .header("sec-fetch-site", "cross-site"),
        browser.call("HEAD", "/orders").header("origin", EVIL),
    ] {
        assert_eq!(call.send().await.status, 200);
    }
    // What holds the token itself needs no cookie and comes from wherever it likes.
    let token = browser.cookie("otp_access").expect("a cookie");
    let program = stage.post("/orders").bearer(token).header("origin", EVIL);
    assert_eq!(program.send().await.status, 200);
}

#[tokio::test]
async fn behind_tls_the_origin_must_be_the_https_one() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let mut browser = Browser::by_tls(&stage, "app.example.com");
    browser.log_in(&stage, PHONE, "/").await;
    let post = |origin: &str| browser.call("POST", "/orders").header("origin", origin);
    for foreign in [
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://other.example.com",
        "null",
    ] {
        post(foreign).send().await.is_refused(403, "csrf");
    }
    let own = post("https://app.example.com").send().await;
    assert_eq!(own.status, 200);
}

#[tokio::test]
async fn another_site_ends_and_prolongs_no_session() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let id = browser.call("GET", "/api/auth/me").send().await.json()["session_id"].clone();
    let own = format!("/api/auth/sessions/{}", id.as_str().expect("an id"));
    let calls: [(&str, &str); 3] = [
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/refresh"),
        ("DELETE", &own),
    ];
    for (method, path) in calls {
        for forged in sent_by_others(|| browser.call(method, path)) {
            let answer = forged.send().await;
            answer.is_refused(403, "csrf");
            assert!(answer.set_cookies().is_empty());
        }
    }
    assert_eq!(browser.open("/orders").await.status, 200);
    assert_eq!(stage.metric("refreshes_total{result=\"rotated\"}").await, 0);
}

#[tokio::test]
async fn another_site_logs_nobody_in() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let browser = Browser::new(&stage);
    let form = format!("step=verify&mobile_number=%2B14155550100&otp={code}");
    for forged in sent_by_others(|| browser.call("POST", "/api/auth/login").form(&form)) {
        let answer = forged.send().await;
        assert_eq!(answer.status, 403);
        assert!(answer.set_cookies().is_empty());
    }
    // Nor does it make the gateway write to anybody.
    let form = "step=send&mobile_number=%2B14155550101";
    for forged in sent_by_others(|| browser.call("POST", "/api/auth/login").form(form)) {
        assert_eq!(forged.send().await.status, 403);
    }
    stage.settle().await;
    assert!(stage.inbox.messages_to("+14155550101").is_empty());
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn a_page_refreshes_its_cookies_and_sees_no_token() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let call = browser.call("POST", "/api/auth/refresh");
    let answer = call.header("sec-fetch-site", "same-origin").send().await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["expires_in", "refresh_expires_in", "session_id"]);
    let cookies = answer.cookies();
    assert_eq!(cookies.len(), 2);
    for cookie in cookies {
        let (name, value) = cookie.split_once('=').expect("a pair");
        assert_ne!(browser.cookie(name), Some(value));
    }
}

/// The same call as other sites can make a browser send it.
fn sent_by_others(call: impl Fn() -> Call) -> [Call; 6] {
    [
        call(),
        call().header("origin", EVIL),
        call().header("origin", "null"),
        call().header("sec-fetch-site", "cross-site"),
        call().header("sec-fetch-site", "same-site"),
        call().header("referer", EVIL),
    ]
}

/// The cookies that are set, without their values.
fn guards(answer: &Answer) -> Vec<String> {
    let without_value = |cookie: &str| {
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        let name = pair.split('=').next().expect("a name");
        format!("{name}; {attributes}")
    };
    answer
        .set_cookies()
        .into_iter()
        .map(without_value)
        .collect()
}

#[tokio::test]
async fn an_app_cannot_choose_who_somebody_is_nor_refuse_in_the_gateways_name() {
    let app = Puppet::new().await;
    let open = "[[routes]]\npath = \"/\"\nauth = \"none\"";
    let stage = Stage::with(&[open, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: theme=dark\r\n\
             Set-Cookie: otp_access=forged; Path=/\r\nSet-Cookie: =otp_refresh=forged\r\n\
             Set-Cookie: __Host-otp_access=; Max-Age=0\r\nX-Request-Id: forged\r\n\
             Proxy-Status: otp-gateway; error=forged\r\nProxy-Status: inner; hit\r\n\r\n",
        )
        .await;
    let (_, headers) = client.head().await;
    let all = |name: &str| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    assert_eq!(all("set-cookie"), ["theme=dark"]);
    assert_eq!(all("proxy-status"), ["inner; hit"]);
    assert_eq!(all("x-request-id").len(), 1);
    assert_ne!(headers["x-request-id"], "forged");
}
