//! Logging in with a browser that runs no scripts: from the page one wanted, over two forms, back to it.

use std::time::Duration;

use crate::stage::{
    PHONE, Stage,
    browser::{Browser, Form},
    client::Answer,
    inbox::wrong_for,
    upstream::told,
};

#[tokio::test]
async fn a_browser_gets_from_the_page_it_wanted_over_two_forms_back_to_it() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let led = browser.open("/orders?id=7&name=a%20b").await;
    assert_eq!(led.status, 303);
    assert_eq!(led.header("cache-control"), "no-store");
    let login = led.header("location");
    assert_eq!(
        login,
        "/api/auth/login?return_to=%2Forders%3Fid%3D7%26name%3Da%2520b"
    );

    let page = browser.open(login).await;
    is_a_page(&page, 200);
    let page = browser.press(&page, "send", &[("mobile_number", "(415) 555-0100")]);
    let page = page.await;
    is_a_page(&page, 200);
    assert!(page.text().contains("We sent 6 digits to +1********00."));

    let code = stage.inbox.code_for(PHONE).await;
    let back = browser.press(&page, "verify", &[("otp", &code)]).await;
    assert_eq!(back.status, 303);
    assert_eq!(back.header("location"), "/orders?id=7&name=a%20b");
    assert!(stage.upstream.seen().is_empty(), "nothing passed so far");

    let orders = browser.open(back.header("location")).await;
    assert_eq!(orders.status, 200);
    let seen = orders.json();
    assert_eq!(seen["target"], "/orders?id=7&name=a%20b");
    assert_eq!(told(&seen, "x-auth-phone"), [PHONE]);
    // The app does not get to hold what the browser proves itself with.
    assert_eq!(told(&seen, "cookie"), [] as [String; 0]);

    let sessions = browser
        .call("GET", "/api/auth/sessions")
        .send()
        .await
        .json();
    assert_eq!(sessions["sessions"][0]["device_info"], "Testium/1.0");
}

#[tokio::test]
async fn whoever_has_logged_in_is_sent_on_without_a_question() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let on = browser.open("/api/auth/login?return_to=%2Forders").await;
    assert_eq!(on.status, 303);
    assert_eq!(on.header("location"), "/orders");
    // Unless the app wants to be sure.
    let page = browser.open("/api/auth/login?prompt=login").await;
    is_a_page(&page, 200);
}

#[tokio::test]
async fn an_expired_access_cookie_is_healed_on_the_way() {
    let stage = Stage::new().await;
    for forgotten in [false, true] {
        let mut browser = Browser::new(&stage);
        browser.log_in(&stage, PHONE, "/").await;
        let (old, refresh) = (
            browser.cookie("otp_access").map(str::to_owned),
            browser.cookie("otp_refresh").map(str::to_owned),
        );
        stage.pass(Duration::from_mins(16));
        if forgotten {
            browser.forget("otp_access");
        }
        let led = browser.open("/orders").await;
        assert_eq!(led.status, 303);
        let back = browser.open(led.header("location")).await;
        assert_eq!(back.status, 303);
        assert_eq!(back.header("location"), "/orders");
        assert_ne!(browser.cookie("otp_access"), old.as_deref());
        assert_ne!(browser.cookie("otp_refresh"), refresh.as_deref());
        assert_eq!(browser.open("/orders").await.status, 200);
    }
}

#[tokio::test]
async fn a_browser_whose_session_was_ended_is_asked_again_and_forgets_it() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let other = stage.log_in(PHONE).await;
    let logout = stage.post("/api/auth/logout").bearer(&other.access);
    let logout = logout.json(&serde_json::json!({ "scope": "all" })).send();
    assert_eq!(logout.await.status, 204);

    let led = browser.open("/orders").await;
    assert_eq!(led.status, 303);
    let page = browser.open(led.header("location")).await;
    is_a_page(&page, 200);
    assert_eq!(browser.cookie("otp_access"), None);
    assert_eq!(browser.cookie("otp_refresh"), None);
}

#[tokio::test]
async fn a_browser_that_is_sent_to_and_fro_is_asked_at_last() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    for _ in 0..5 {
        assert_eq!(browser.open("/api/auth/login").await.status, 303);
    }
    is_a_page(&browser.open("/api/auth/login").await, 200);
}

#[tokio::test]
async fn a_logout_form_ends_the_session_and_leads_to_the_login() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let access = browser.cookie("otp_access").expect("a cookie").to_owned();
    let out = browser.post("/api/auth/logout", "scope=this").await;
    assert_eq!(out.status, 303);
    assert_eq!(out.header("location"), "/api/auth/login");
    assert_eq!(browser.cookie("otp_access"), None);
    assert_eq!(browser.cookie("otp_refresh"), None);
    is_a_page(&browser.open("/api/auth/login").await, 200);
    let kept = stage.get("/orders").bearer(&access).send().await;
    kept.is_refused(401, "session_revoked");
    // Whoever is logged out already gets there too.
    let out = browser.post("/api/auth/logout", "").await;
    assert_eq!(out.header("location"), "/api/auth/login");
}

#[tokio::test]
async fn programs_are_not_led_to_a_page() {
    let stage = Stage::new().await;
    let browser = Browser::new(&stage);
    let html = "text/html,application/xhtml+xml";
    for call in [
        browser.call("GET", "/"),
        browser.call("GET", "/").header("accept", "*/*"),
        browser
            .call("GET", "/")
            .header("accept", "application/json"),
        browser.call("POST", "/").header("accept", html),
        browser
            .call("GET", "/")
            .header("accept", html)
            .header("sec-fetch-mode", "cors"),
    ] {
        call.send().await.is_refused(401, "missing_token");
    }
    let bad = browser.call("GET", "/").header("accept", html).bearer("x");
    bad.send().await.is_refused(401, "invalid_token");
}

#[tokio::test]
async fn what_was_typed_wrongly_is_said_on_the_page_with_the_status_it_has() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let begin = browser.open("/api/auth/login?return_to=%2Forders").await;
    let page = browser
        .press(&begin, "send", &[("mobile_number", "12")])
        .await;
    is_a_page(&page, 422);
    says(&page, "The number must be 10 to 15 digits");
    assert!(
        page.text().contains("value=\"12\""),
        "what was typed is kept"
    );

    let page = browser.press(&begin, "send", &[("mobile_number", "+442070313000")]);
    let page = page.await;
    is_a_page(&page, 403);
    says(&page, "Codes are not sent to numbers of this country.");

    let page = browser
        .press(&begin, "send", &[("mobile_number", PHONE)])
        .await;
    let code = stage.inbox.code_for(PHONE).await;
    let page = browser.press(&page, "verify", &[("otp", "12345x")]).await;
    is_a_page(&page, 422);
    says(&page, "The code must be 6 digits.");
    let page = browser
        .press(&page, "verify", &[("otp", &wrong_for(&code))])
        .await;
    is_a_page(&page, 400);
    says(&page, "4 attempts are left.");
    // After all that the way still leads where it should.
    let back = browser.press(&page, "verify", &[("otp", &code)]).await;
    assert_eq!(back.header("location"), "/orders");
}

#[tokio::test]
async fn a_burnt_code_is_told_from_the_page_and_a_new_one_can_be_had() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let page = browser.open("/api/auth/login").await;
    let mut page = browser
        .press(&page, "send", &[("mobile_number", PHONE)])
        .await;
    let wrong = wrong_for(&stage.inbox.code_for(PHONE).await);
    for _ in 0..5 {
        page = browser.press(&page, "verify", &[("otp", &wrong)]).await;
    }
    says(&page, "Ask for a new one.");
    let page = browser.press(&page, "send", &[]).await;
    is_a_page(&page, 200);
    let code = stage.inbox.nth_code_for(PHONE, 2).await;
    let back = browser.press(&page, "verify", &[("otp", &code)]).await;
    assert_eq!(back.status, 303);
}

#[tokio::test]
async fn the_limits_hold_on_the_page_too_and_the_code_can_still_be_entered() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let page = browser.open("/api/auth/login").await;
    let mut page = browser
        .press(&page, "send", &[("mobile_number", PHONE)])
        .await;
    for sent in 1..=2 {
        stage.inbox.nth_code_for(PHONE, sent).await;
        page = browser.press(&page, "send", &[]).await;
        is_a_page(&page, 200);
    }
    let page = browser.press(&page, "send", &[]).await;
    is_a_page(&page, 429);
    says(&page, "Too many requests");
    assert_eq!(page.header("retry-after"), "1800");
    stage
        .ask_for_code(PHONE)
        .await
        .is_refused(429, "rate_limited");
    let code = stage.inbox.nth_code_for(PHONE, 3).await;
    let back = browser.press(&page, "verify", &[("otp", &code)]).await;
    assert_eq!(back.status, 303);
}

#[tokio::test]
async fn nothing_that_was_typed_becomes_part_of_the_page() {
    const EVIL: &str = "\"><script>alert(1)</script>'&lt;";
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let begin = browser
        .open("/api/auth/login?return_to=%22%3E%3Cscript%3E")
        .await;
    let typed = browser
        .press(&begin, "send", &[("mobile_number", EVIL)])
        .await;
    let sent = browser
        .press(&begin, "send", &[("mobile_number", PHONE)])
        .await;
    let fields = format!(
        "step=verify&mobile_number=%2B14155550100&challenge_id={}",
        "%22%3E%3Cscript%3E"
    );
    let named = browser
        .post("/api/auth/login", &format!("{fields}&otp=1"))
        .await;
    for page in [&begin, &typed, &sent, &named] {
        assert!(!page.text().contains("<script"), "{}", page.text());
    }
    let kept = typed.text();
    assert!(
        kept.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{kept}"
    );
}

#[tokio::test]
async fn a_page_forbids_whatever_it_does_not_need() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    let number = browser.open("/api/auth/login").await;
    let code = browser
        .press(&number, "send", &[("mobile_number", PHONE)])
        .await;
    let wrong = browser.press(&code, "verify", &[("otp", "x")]).await;
    for page in [number, code, wrong] {
        let policy = page.header("content-security-policy");
        let rules: Vec<&str> = policy.split("; ").collect();
        for rule in [
            "default-src 'none'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(rules.contains(&rule), "{rule} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(!page.text().contains("<script"));
        assert!(!page.text().contains(" on"), "no inline handlers");
        let form = Form::with_button(&page.text(), "send");
        assert_eq!(form.action, "/api/auth/login");
    }
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let stage = Stage::new().await;
    let json = serde_json::json!({ "mobile_number": PHONE });
    let browser = Browser::new(&stage);
    let call = |method: &str| browser.call(method, "/api/auth/login");
    let answer = call("POST").json(&json).send().await;
    answer.is_refused(415, "unsupported_media_type");
    let site = ("sec-fetch-site", "same-origin");
    let twice = call("POST").form("step=send&mobile_number=1&mobile_number=2");
    let answer = twice.header(site.0, site.1).send().await;
    assert_eq!(answer.status, 422);
    let empty = call("POST").form("").header(site.0, site.1).send().await;
    is_a_page(&empty, 422);
    stage.settle().await;
    assert!(stage.inbox.messages_to(PHONE).is_empty());
}

#[track_caller]
fn is_a_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.text().starts_with("<!DOCTYPE html>"));
    let alarmed = answer.text().contains("role=\"alert\"");
    assert_eq!(alarmed, status != 200, "{}", answer.text());
}

#[track_caller]
fn says(page: &Answer, words: &str) {
    let text = page.text();
    let alert = text.split("role=\"alert\">").nth(1).expect("an alert");
    let alert = alert.split("</p>").next().expect("its end");
    assert!(alert.contains(words), "{alert}");
}
