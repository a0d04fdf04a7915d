//! What providers are asked, as they see it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{by_webhook, counted, created, stage, twilio_at};
use crate::stage::{
    PHONE, Stage,
    carrier::{Carrier, Manner, saying},
    inbox::code_in,
};

#[tokio::test]
async fn a_code_that_twilio_carried_logs_somebody_in() {
    let carrier = Carrier::start(created()).await;
    let stage = stage(&twilio_at(carrier.address)).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    let account = "ac0123456789abcdef0123456789abcdef";
    let begin = format!("post /2010-04-01/accounts/{account}/messages.json http/1.1");
    assert!(asked.head.starts_with(&begin), "{}", asked.head);
    assert_eq!(asked.field("To").as_deref(), Some(PHONE));
    assert_eq!(asked.field("From").as_deref(), Some("+15550001111"));
    let body = asked.field("Body").expect("a text");
    let answer = stage.answer(PHONE, &code_in(&format!(": {body}"))).await;
    assert_eq!(answer.status, 200);
    counted(&stage, "twilio", "accepted").await;
    assert_eq!(stage.inbox.lines(), [""; 0], "nobody else was asked");
}

#[tokio::test]
async fn connections_to_a_provider_are_used_again() {
    let carrier = Carrier::start(created()).await;
    let mut settings = twilio_at(carrier.address);
    settings.push("sms.max_in_flight = 1".to_owned());
    let stage = stage(&settings).await;
    for last in 0..5 {
        let phone = format!("+1415555010{last}");
        assert_eq!(stage.ask_for_code(&phone).await.status, 200);
        carrier.asked(last + 1).await;
    }
    assert_eq!(carrier.connections(), 1);
}

#[tokio::test]
async fn several_messages_are_under_way_at_once_but_not_more_than_may_be() {
    let carrier = Carrier::start(Manner::Silent).await;
    let mut settings = twilio_at(carrier.address);
    settings.push("sms.max_in_flight = 3".to_owned());
    settings.push("sms.timeout = \"60s\"".to_owned());
    let stage = stage(&settings).await;
    for last in 0..5 {
        let phone = format!("+1415555010{last}");
        assert_eq!(stage.ask_for_code(&phone).await.status, 200);
    }
    carrier.asked(3).await;
    // Served by the thread that sends messages: whatever it had to begin has begun by then.
    for _ in 0..3 {
        assert_eq!(stage.operators("/health").await.status, 200);
    }
    assert_eq!(carrier.requests().len(), 3);
}

#[tokio::test]
async fn the_way_of_a_code_is_what_the_client_asks_for() {
    let carrier = Carrier::start(created()).await;
    let mut settings = twilio_at(carrier.address);
    settings.push("sms.channels = [\"sms\", \"whatsapp\", \"voice\"]".to_owned());
    settings.push("sms.twilio.whatsapp_from = \"+15550002222\"".to_owned());
    settings.push("sms.twilio.voice_from = \"+15550003333\"".to_owned());
    let stage = stage(&settings).await;
    let ask = |channel: &str| {
        let body = json!({ "mobile_number": PHONE, "channel": channel });
        stage.post("/api/auth/send-otp").json(&body).send()
    };
    assert_eq!(ask("whatsapp").await.json()["channel"], "whatsapp");
    let asked = carrier.asked(1).await.remove(0);
    assert_eq!(asked.field("To"), Some(format!("whatsapp:{PHONE}")));
    assert_eq!(
        asked.field("From").as_deref(),
        Some("whatsapp:+15550002222")
    );
    assert_eq!(ask("voice").await.json()["channel"], "voice");
    let asked = carrier.asked(2).await.remove(1);
    assert!(asked.head.contains("/calls.json "), "{}", asked.head);
    assert!(asked.field("Twiml").expect("TwiML").matches("<Say").count() == 2);
    let refused = ask("pigeon").await;
    refused.is_refused(422, "validation_failed");
    let message = &refused.json()["errors"][0]["message"];
    assert_eq!(message, "must be sms or whatsapp or voice");
}

#[tokio::test]
async fn a_program_of_yours_gets_all_it_needs_and_can_tell_that_it_is_from_us() {
    let carrier = Carrier::start(saying("204 No Content", "", "")).await;
    let stage = by_webhook(&carrier, &[]).await;
    let answer = stage.ask_for_code(PHONE).await;
    assert_eq!(answer.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    assert!(asked.head.starts_with("post /send?k=1 http/1.1"));
    let body: Value = serde_json::from_str(&asked.body).expect("JSON");
    let code = body["code"].as_str().expect("a code");
    let id = asked.header("webhook-id").expect("an id");
    let challenge = &answer.json()["challenge_id"];
    assert_eq!(
        body,
        json!({
            "message_id": id,
            "challenge_id": challenge,
            "to": PHONE,
            "channel": "sms",
            "locale": "en",
            "text": format!("{code} is your otp-gateway code. It is valid for 5 minutes."),
            "code": code,
            "expires_in": 300,
        })
    );
    assert!(id.starts_with("msg_") && id.len() == 36, "{id}");
    assert_eq!(asked.header("webhook-timestamp"), Some("1900000000"));
    let signature = asked.header("webhook-signature").expect("a signature");
    assert!(
        signature.starts_with("v1,") && signature.len() == 47,
        "{signature}"
    );
    assert_eq!(stage.answer(PHONE, code).await.status, 200);
}

#[tokio::test]
async fn a_resend_is_another_message_with_the_same_code() {
    let carrier = Carrier::start(saying("200 OK", "", "{\"reference\": \"a-1\"}")).await;
    let stage = by_webhook(&carrier, &[]).await;
    for sends in 1..=2 {
        assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
        carrier.asked(sends).await;
        stage.pass(Duration::from_secs(30));
    }
    let asked = carrier.asked(2).await;
    assert_ne!(asked[0].header("webhook-id"), asked[1].header("webhook-id"));
    let code = |at: usize| {
        let body: Value = serde_json::from_str(&asked[at].body).expect("JSON");
        body["code"].clone()
    };
    assert_eq!(code(0), code(1));
}

#[tokio::test]
async fn sns_is_asked_to_publish_by_a_signed_request() {
    let xml = "<PublishResponse><PublishResult><MessageId>567910cd</MessageId></PublishResult></PublishResponse>";
    let carrier = Carrier::start(saying("200 OK", "content-type: text/xml\r\n", xml)).await;
    let stage = Stage::with(&[
        "sms.providers = \"sns\"",
        "sms.sns.region = \"eu-west-1\"",
        "sms.sns.access_key_id = \"AKIDEXAMPLE\"",
        "sms.sns.secret_access_key = \"hunter2\"",
        "sms.sns.sender_id = \"MyShop\"",
        &format!("sms.sns.base_url = \"http://{}\"", carrier.address),
    ])
    .await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    for (name, value) in [
        ("Action", "Publish"),
        ("PhoneNumber", PHONE),
        ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SMSType"),
        (
            "MessageAttributes.entry.1.Value.StringValue",
            "Transactional",
        ),
        ("MessageAttributes.entry.2.Name", "AWS.SNS.SMS.SenderID"),
        ("MessageAttributes.entry.2.Value.StringValue", "MyShop"),
    ] {
        assert_eq!(asked.field(name).as_deref(), Some(value), "{name}");
    }
    let signature = asked.header("authorization").expect("a signature");
    assert!(
        signature.starts_with(
            "aws4-hmac-sha256 credential=akidexample/20300317/eu-west-1/sns/aws4_request"
        ),
        "{signature}"
    );
    counted(&stage, "sns", "accepted").await;
}
