//! Gateways that share a store: the store's clock is the one that counts, whatever their own say.

use std::time::Duration;

use serde_json::{Value, json};
use tower::ServiceExt;

use super::stage::{Answer, Ask, NUMBER, START, Stage};
use crate::{
    auth::{AuthService, Parts},
    clock::Clock,
};

/// Less than the leeway of tokens, else a gateway would not even take its own.
const OFF: Duration = Duration::from_secs(20);

/// Two gateways on the store of `stage`: one whose clock is slow, and one whose clock is fast.
fn gateways(stage: &Stage) -> [AuthService; 2] {
    [START.minus(OFF), START + OFF].map(|now| {
        AuthService::new(Parts {
            clock: Clock::manual(now),
            ..stage.parts.clone()
        })
    })
}

async fn ask(gateway: &AuthService, path: &str, body: &Value) -> Answer {
    let reply = gateway.clone().oneshot(Ask::post(path, body).build());
    Answer::read(reply.await.unwrap()).await
}

/// The times in an access token.
fn times(stage: &Stage, pair: &Value) -> [u64; 4] {
    let token = pair["access_token"].as_str().unwrap();
    let access = stage.parts.tokens.verify_access(token, START).unwrap();
    ["iat", "nbf", "exp", "auth_time"].map(|name| access.claims[name].as_u64().unwrap())
}

#[tokio::test]
async fn gateways_whose_clocks_differ_issue_the_same_tokens() {
    let stage = Stage::new().await;
    let now = START.as_secs();
    for gateway in &gateways(&stage) {
        let sent = ask(gateway, "/send-otp", &json!({ "mobile_number": NUMBER })).await;
        assert_eq!(sent.json()["expires_in"], 300);
        let answer = json!({
            "mobile_number": NUMBER, "otp": stage.code().await, "device_info": "",
        });
        let opened = ask(gateway, "/verify-otp", &answer).await.json();
        assert_eq!(times(&stage, &opened), [now, now, now + 900, now]);
        assert_eq!(opened["refresh_expires_in"], 30 * 86_400);

        let mut successors = Vec::new();
        for gateway in &gateways(&stage) {
            let token = json!({ "refresh_token": opened["refresh_token"] });
            let pair = ask(gateway, "/refresh", &token).await.json();
            assert_eq!(times(&stage, &pair), [now, now, now + 900, now]);
            assert_eq!(pair["refresh_expires_in"], 30 * 86_400);
            successors.push(pair["refresh_token"].clone());
        }
        assert_eq!(successors[0], successors[1]);
    }
}

#[tokio::test]
async fn gateways_whose_clocks_differ_ask_for_the_same_patience() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.send(NUMBER).await;
    }
    for gateway in &gateways(&stage) {
        let refused = ask(gateway, "/send-otp", &json!({ "mobile_number": NUMBER })).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.headers["retry-after"], "1800");
    }
}

#[tokio::test]
async fn what_one_worker_ends_the_others_refuse() {
    let stage = Stage::new().await;
    let pair = stage.login(NUMBER).await;
    let workers = [stage.service.for_worker(), stage.service.for_worker()];
    let me = || Ask::get("/me").bearer(&pair["access_token"]).build();
    let status = async |worker: &AuthService| {
        let reply = worker.clone().oneshot(me()).await.unwrap();
        reply.status().as_u16()
    };
    assert_eq!(status(&workers[0]).await, 200);
    assert_eq!(status(&workers[1]).await, 200);
    let logout = Ask::post("/logout", &json!({})).bearer(&pair["access_token"]);
    let reply = workers[0].clone().oneshot(logout.build()).await.unwrap();
    assert_eq!(reply.status(), 204);
    assert_eq!(status(&workers[1]).await, 401);
}
