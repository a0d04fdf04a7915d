//! The steps of a login at any address, for gateways that are no [`super::Stage`]. It knows nothing of how they were started.

use std::net::SocketAddr;

use serde_json::json;

use super::{
    Tokens,
    client::{Answer, Call},
    program::Program,
};

/// Asks for a code.
pub async fn send(address: SocketAddr, phone: &str) -> Answer {
    let call = Call::new(address, "POST", "/api/auth/send-otp");
    call.json(&json!({ "mobile_number": phone })).send().await
}

/// Answers one.
pub async fn verify(address: SocketAddr, phone: &str, code: &str) -> Answer {
    let body = json!({ "mobile_number": phone, "otp": code, "device_info": "test" });
    let call = Call::new(address, "POST", "/api/auth/verify-otp");
    call.json(&body).send().await
}

/// Uses the refresh token.
pub async fn refresh(address: SocketAddr, tokens: &Tokens) -> Answer {
    let call = Call::new(address, "POST", "/api/auth/refresh");
    let body = json!({ "refresh_token": tokens.refresh });
    call.json(&body).send().await
}

/// Asks who the access token is.
pub async fn me(address: SocketAddr, tokens: &Tokens) -> Answer {
    let call = Call::new(address, "GET", "/api/auth/me");
    call.bearer(&tokens.access).send().await
}

/// Logs somebody in, the whole way, with the code that the program prints.
pub async fn log_in(program: &Program, address: SocketAddr, phone: &str) -> Tokens {
    let before = program.out.messages_to(phone).len();
    assert_eq!(send(address, phone).await.status, 200);
    let code = program.out.nth_code_for(phone, before + 1).await;
    Tokens::of(&verify(address, phone, &code).await.json())
}
