//! The example of an app that has the layers inside of it.

#[path = "../../examples/axum.rs"]
#[expect(dead_code, reason = "its main is for people")]
mod example;

use std::net::SocketAddr;

use otp_gateway::{Console, Secret, Sms};
use serde_json::json;
use tokio::net::TcpListener;

use crate::stage::{PHONE, Tokens, client::Call, inbox::Inbox};

#[tokio::test]
async fn an_axum_app_logs_people_in_by_itself() {
    let inbox = Inbox::default();
    let sms = Sms::console(Console::new(Box::new(inbox.clone())));
    let app = example::app(sms, &Secret::new([1; 32]))
        .await
        .expect("an app");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let call = |method: &str, path: &str| Call::new(address, method, path);

    assert_eq!(call("GET", "/").send().await.status, 200);
    call("GET", "/me")
        .send()
        .await
        .is_refused(401, "missing_token");

    let asked = call("POST", "/api/auth/send-otp").json(&json!({ "mobile_number": PHONE }));
    assert_eq!(asked.send().await.status, 200);
    let answer = json!({
        "mobile_number": PHONE,
        "otp": inbox.code_for(PHONE).await,
        "device_info": "test",
    });
    let answered = call("POST", "/api/auth/verify-otp")
        .json(&answer)
        .send()
        .await;
    let tokens = Tokens::of(&answered.json());

    let me = call("GET", "/me").bearer(&tokens.access).send().await;
    assert!(me.text().starts_with("You are "), "{me:?}");
    let forged = call("GET", "/headers")
        .bearer(&tokens.access)
        .header("x-auth-phone", "+15550001111")
        .header("x_auth_phone", "+15550001111");
    assert_eq!(
        forged.send().await.text(),
        format!("Your number is {PHONE}.\n")
    );

    let logout = call("POST", "/api/auth/logout").bearer(&tokens.access);
    assert_eq!(logout.send().await.status, 204);
    let after = call("GET", "/me").bearer(&tokens.access).send().await;
    after.is_refused(401, "session_revoked");
}
