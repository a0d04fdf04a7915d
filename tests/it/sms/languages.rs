//! In which language people are written to, and the line that is for their machines.

use serde_json::json;

use crate::stage::{PHONE, Stage, client::Call};

/// The text that this request leads to, without its code.
async fn text(stage: &Stage, call: Call, phone: &str) -> String {
    let before = stage.inbox.messages_to(phone).len();
    assert_eq!(call.send().await.status, 200);
    let code = stage.inbox.nth_code_for(phone, before + 1).await;
    let line = stage.inbox.messages_to(phone).remove(before);
    let text = line.split_once(": ").expect("a message").1;
    text.replace(&code, "…")
}

#[tokio::test]
async fn a_message_is_in_the_language_of_the_request_the_browser_or_the_country() {
    let stage = Stage::with(&[
        "otp.countries = \"*\"",
        "sms.sender = \"Shop\"",
        "otp.limits = []",
    ])
    .await;
    let in_locale = stage
        .post("/api/auth/send-otp")
        .json(&json!({ "mobile_number": PHONE, "locale": "fr-CA" }))
        .header("accept-language", "de");
    assert_eq!(
        text(&stage, in_locale, PHONE).await,
        "… est votre code Shop. Il est valable 5 minutes."
    );
    let by_browser = stage
        .send_otp(PHONE)
        .header("accept-language", "en;q=0.1, de-AT");
    assert_eq!(
        text(&stage, by_browser, PHONE).await,
        "… ist Ihr Code für Shop. Er gilt 5 Minuten."
    );
    let swedish = "+46701234567";
    assert_eq!(
        text(&stage, stage.send_otp(swedish), swedish).await,
        "… är din kod för Shop. Den gäller i 5 minuter."
    );
}

#[tokio::test]
async fn no_language_that_a_client_makes_up_stands_in_a_message_or_stops_one() {
    let stage = Stage::with(&["otp.limits = []"]).await;
    let plain = text(&stage, stage.send_otp(PHONE), PHONE).await;
    for locale in ["", "xx", "visit http://evil.example", "en\nde", "{sender}"] {
        let body = json!({ "mobile_number": PHONE, "locale": locale });
        let call = stage.post("/api/auth/send-otp").json(&body);
        let call = call.header("accept-language", "visit http://evil.example");
        assert_eq!(text(&stage, call, PHONE).await, plain, "{locale}");
    }
}

#[tokio::test]
async fn the_last_line_is_for_browsers_and_apps() {
    let stage = Stage::with(&[
        "server.public_url = \"https://login.example.com\"",
        "sms.webotp = \"on\"",
        "sms.app_hash = \"FA+9qCX9VSu\"",
    ])
    .await;
    let text = text(&stage, stage.send_otp(PHONE), PHONE).await;
    // The console writes a message in one line.
    assert!(
        text.ends_with(" @login.example.com #… FA+9qCX9VSu"),
        "{text}"
    );
}

#[tokio::test]
async fn the_login_page_writes_in_the_language_of_the_browser() {
    let stage = Stage::new().await;
    let form = "step=send&mobile_number=%2B14155550100";
    let call = stage
        .post("/api/auth/login")
        .header("accept-language", "de")
        .header("origin", &format!("http://{}", stage.address))
        .form(form);
    assert!(text(&stage, call, PHONE).await.contains(" ist Ihr Code "));
}
