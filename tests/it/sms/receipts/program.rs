//! What a program of the operator's tells of messages, signed as what it is told.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    sms::{KEY, by_webhook, counted},
    stage::{
        PHONE, Stage,
        carrier::{Carrier, saying},
        client::Call,
    },
};

/// When the gateway's clock starts.
const NOW: u64 = 1_900_000_000;

/// A code on its way by the program, and what that was told.
async fn sent(stage: &Stage, carrier: &Carrier) -> Value {
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    counted(stage, "webhook", "accepted").await;
    serde_json::from_str(&asked.body).expect("JSON")
}

async fn program() -> Carrier {
    Carrier::start(saying("200 OK", "", "{\"reference\": \"a-1\"}")).await
}

/// What the program says of the message that it was told of.
fn event(kind: &str, told: &Value) -> Value {
    let data = json!({
        "challenge_id": told["challenge_id"],
        "message_id": told["message_id"],
        "reference": "a-1",
        "reason": "no such phone",
    });
    json!({ "type": kind, "timestamp": "2030-03-17T17:46:40Z", "data": data })
}

/// It, as who has this key says it at this moment.
fn signed(stage: &Stage, event: &Value, key: &str, at: u64) -> Call {
    let body = event.to_string();
    let key = key.strip_prefix("whsec_").expect("a key");
    let key = BASE64_STANDARD.decode(key).expect("a key");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signature = hmac::sign(&key, format!("evt_1.{at}.{body}").as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(signature));
    stage
        .post("/api/auth/receipts/webhook")
        .json(event)
        .header("webhook-id", "evt_1")
        .header("webhook-timestamp", &at.to_string())
        .header("webhook-signature", &signature)
}

async fn learnt(stage: &Stage, outcome: &str) -> u64 {
    let name = format!("sms_receipts_total{{provider=\"webhook\",outcome=\"{outcome}\"}}");
    stage.metric(&name).await
}

#[tokio::test]
async fn a_message_arrives_when_the_program_says_so() {
    let carrier = program().await;
    let stage = by_webhook(&carrier, &[]).await;
    let told = sent(&stage, &carrier).await;
    for kind in ["sms.queued", "sms.delivered", "sms.delivered", "sms.failed"] {
        let call = signed(&stage, &event(kind, &told), KEY, NOW);
        assert_eq!(call.send().await.status, 204, "{kind}");
    }
    assert_eq!(learnt(&stage, "under_way").await, 1);
    assert_eq!(learnt(&stage, "arrived").await, 1);
    assert_eq!(learnt(&stage, "nothing_new").await, 2);
}

#[tokio::test]
async fn a_message_that_the_program_lost_goes_to_the_next_provider_with_the_same_code() {
    let carrier = program().await;
    let stage = by_webhook(&carrier, &["sms.providers = [\"webhook\", \"console\"]"]).await;
    let told = sent(&stage, &carrier).await;
    let call = signed(&stage, &event("sms.failed", &told), KEY, NOW);
    assert_eq!(call.send().await.status, 204);
    assert_eq!(stage.inbox.code_for(PHONE).await, told["code"]);
    assert_eq!(learnt(&stage, "lost").await, 1);
}

#[tokio::test]
async fn only_the_program_is_believed_and_only_for_five_minutes() {
    let carrier = program().await;
    let stage = by_webhook(&carrier, &[]).await;
    let told = sent(&stage, &carrier).await;
    let lost = event("sms.failed", &told);
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for call in [
        stage.post("/api/auth/receipts/webhook").json(&lost),
        signed(&stage, &lost, other, NOW),
        signed(&stage, &lost, KEY, NOW - 301),
        signed(&stage, &lost, KEY, NOW + 301),
        signed(&stage, &lost, KEY, NOW).body(event("sms.delivered", &told).to_string()),
        signed(&stage, &lost, KEY, NOW).header("webhook-id", "evt_2"),
    ] {
        call.send().await.is_refused(403, "invalid_signature");
    }
    assert_eq!(learnt(&stage, "lost").await, 0);
    let nameless = json!({ "type": "sms.failed", "data": {} });
    let answer = signed(&stage, &nameless, KEY, NOW).send().await;
    answer.is_refused(422, "validation_failed");
}
