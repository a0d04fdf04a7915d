//! Logging in by phone number and reaching the app.

use serde_json::json;

use crate::stage::{PHONE, Stage, upstream::told};

#[tokio::test]
async fn a_phone_number_and_its_code_lead_to_an_app_that_knows_nothing_of_login() {
    let stage = Stage::new().await;
    let refused = stage.get("/orders?id=7").send().await;
    refused.is_refused(401, "missing_token");

    let tokens = stage.log_in(PHONE).await;
    let answer = stage
        .get("/orders?id=7")
        .bearer(&tokens.access)
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let seen = answer.json();
    assert_eq!(seen["target"], "/orders?id=7");
    assert_eq!(told(&seen, "x-auth-phone"), [PHONE]);
    assert_eq!(told(&seen, "x-auth-session"), [tokens.session.as_str()]);
    assert_eq!(told(&seen, "authorization"), [] as [String; 0]);
}

#[tokio::test]
async fn me() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let answer = stage
        .get("/api/auth/me")
        .bearer(&tokens.access)
        .send()
        .await;
    assert_eq!(answer.json()["phone_number"], json!(PHONE));
}
