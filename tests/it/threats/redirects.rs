//! Where the login leads: to any page of this site, and to no other site, however it is written.

use crate::stage::{PHONE, Stage, browser::Browser};

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
