//! What every endpoint answers when all is well, word for word.

use serde_json::json;

use super::stage::{Ask, NUMBER, Stage};

#[tokio::test]
async fn a_login_from_the_number_to_the_tokens() {
    let stage = Stage::new().await;
    let sent = stage.send("(650) 253-0000").await;
    assert_eq!(sent.status, 200);
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.headers["cache-control"], "no-store");
    assert_eq!(sent.headers["x-content-type-options"], "nosniff");
    let body = sent.json();
    let challenge = body["challenge_id"].as_str().unwrap();
    assert_eq!(challenge.len(), 32);
    assert_eq!(
        body,
        json!({
            "challenge_id": challenge,
            "expires_in": 300,
            "resend_in": 30,
            "channel": "sms",
            "mobile_number": "+1********00",
        })
    );
    let messages = stage.messages().await;
    let [(number, code)] = messages.as_slice() else {
        panic!("one message: {messages:?}");
    };
    assert_eq!(number, NUMBER);
    let login = stage
        .ask(Ask::post(
            "/verify-otp",
            &json!({
                "mobile_number": NUMBER, "otp": code, "challenge_id": challenge,
                "device_info": { "model": "Phone 7" },
            }),
        ))
        .await;
    assert_eq!(login.status, 200);
    assert!(login.headers.get("set-cookie").is_none());
    let body = login.json();
    assert_eq!(
        body,
        json!({
            "access_token": body["access_token"],
            "refresh_token": body["refresh_token"],
            "token_type": "bearer",
            "expires_in": 900,
            "refresh_expires_in": 30 * 86_400,
            "session_id": body["session_id"],
        })
    );
}
