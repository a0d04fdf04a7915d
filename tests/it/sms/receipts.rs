//! What Twilio tells of messages: who is believed, what follows, and that nothing said twice, late or in another order does harm.

mod logs;
mod next_way;
mod program;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};

use serde_json::Value;
use tokio::time::timeout;

use super::{SID, counted, created, reached, stage, twilio_at};
use crate::stage::{
    PATIENCE, PHONE, Stage,
    carrier::{Asked, Carrier},
    client::{Answer, Call},
};

const HOME: &str = "https://login.example.com";

/// Settings of a gateway that Twilio finds, behind a proxy that speaks TLS for it.
fn settings(carrier: &Carrier) -> Vec<String> {
    let mut settings = twilio_at(carrier.address);
    settings.push(format!("server.public_url = \"{HOME}\""));
    settings
}

/// One with these, and some more.
async fn found(carrier: &Carrier, more: &[&str]) -> Stage {
    let mut settings = settings(carrier);
    settings.extend(more.iter().map(|&line| line.to_owned()));
    stage(&settings).await
}

/// Where Twilio is to tell what becomes of a message.
fn hook(asked: &Asked) -> String {
    asked.field("StatusCallback").expect("a place to tell")
}

/// What Twilio says of a message with this status.
fn form(status: &str) -> String {
    format!("MessageSid={SID}&MessageStatus={status}&ErrorCode=30003&To=%2B14155550100")
}

/// How Twilio signs it for `url`.
fn signature(url: &str, form: &str, token: &str) -> String {
    let mut fields: Vec<_> = form_urlencoded::parse(form.as_bytes()).collect();
    fields.sort();
    let fields: String = fields.iter().flat_map(|(k, v)| [&**k, &**v]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, format!("{url}{fields}").as_bytes()))
}

/// Asks `stage` as the proxy does: another scheme and another host than Twilio was given.
fn unsigned(stage: &Stage, url: &str, form: &str) -> Call {
    let target = url.strip_prefix(HOME).expect("our own URL");
    stage.post(target).header("host", "internal").form(form)
}

fn told(stage: &Stage, url: &str, status: &str) -> Call {
    let form = form(status);
    let signature = signature(url, &form, "hunter2");
    unsigned(stage, url, &form).header("x-twilio-signature", &signature)
}

/// Has Twilio tell it, and be thanked without a word.
async fn tell(stage: &Stage, url: &str, status: &str) {
    let answer = told(stage, url, status).send().await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(answer.body.is_empty());
}

/// How often it was learnt from Twilio.
async fn learnt(stage: &Stage, outcome: &str) -> u64 {
    let name = format!("sms_receipts_total{{provider=\"twilio\",outcome=\"{outcome}\"}}");
    stage.metric(&name).await
}

/// The part of it that says so.
fn named<'u>(url: &'u str, name: &str) -> &'u str {
    let (_, rest) = url.split_once(&format!("{name}=")).expect(name);
    rest.split('&').next().expect(name)
}

/// What whoever asked for the code is told of its message.
async fn shown(stage: &Stage, url: &str) -> Value {
    let path = format!("/api/auth/challenges/{}", named(url, "challenge"));
    stage.get(&path).send().await.json()
}

/// Waits until that is how far it has come.
async fn is_shown(stage: &Stage, url: &str, status: &str) {
    let waiting = async {
        while shown(stage, url).await["status"] != status {
            tokio::task::yield_now().await;
        }
    };
    let end = timeout(PATIENCE, waiting).await;
    assert!(end.is_ok(), "{:?}", shown(stage, url).await);
}

/// Waits until it was learnt from a provider.
async fn learnt_by(stage: &Stage, provider: &str, outcome: &str) {
    let name = format!("sms_receipts_total{{provider=\"{provider}\",outcome=\"{outcome}\"}}");
    reached(stage, &name).await;
}

/// A code on its way: what Twilio was asked.
async fn sent(stage: &Stage, carrier: &Carrier) -> Asked {
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    counted(stage, "twilio", "accepted").await;
    asked
}

fn is_forged(answer: &Answer) {
    answer.is_refused(403, "invalid_signature");
}

#[tokio::test]
async fn a_message_arrives_when_twilio_says_so() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let url = hook(&sent(&stage, &carrier).await);
    assert!(
        url.starts_with(&format!("{HOME}/api/auth/receipts/twilio?challenge=")),
        "{url}"
    );
    is_shown(&stage, &url, "sent").await;
    for status in ["queued", "sent"] {
        tell(&stage, &url, status).await;
        assert_eq!(shown(&stage, &url).await["status"], "sent");
    }
    tell(&stage, &url, "delivered").await;
    assert_eq!(shown(&stage, &url).await["status"], "delivered");
    assert_eq!(learnt(&stage, "under_way").await, 2);
    assert_eq!(learnt(&stage, "arrived").await, 1);
    let measured = stage
        .metric("sms_arrival_seconds_count{provider=\"twilio\"}")
        .await;
    assert_eq!(measured, 1);
}

#[tokio::test]
async fn what_is_told_twice_or_too_late_changes_nothing() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let url = hook(&sent(&stage, &carrier).await);
    for status in ["delivered", "delivered", "sent", "undelivered", "failed"] {
        tell(&stage, &url, status).await;
    }
    assert_eq!(shown(&stage, &url).await["status"], "delivered");
    assert_eq!(learnt(&stage, "arrived").await, 1);
    assert_eq!(learnt(&stage, "nothing_new").await, 3);
    assert_eq!(learnt(&stage, "lost").await, 0);
    assert_eq!(stage.inbox.lines(), [""; 0], "nobody sent it once more");
}

#[tokio::test]
async fn only_twilio_is_believed_and_only_for_what_it_was_asked() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let url = hook(&sent(&stage, &carrier).await);
    let lost = form("undelivered");
    is_forged(&unsigned(&stage, &url, &lost).send().await);
    let other = url.replace("message=msg_", "message=msg_0");
    for (signed, token) in [
        (url.as_str(), "hunter3"),
        (&url.replace("https", "http"), "hunter2"),
        (&url.replace("login", "logout"), "hunter2"),
        (&other, "hunter2"),
        ("http://internal/api/auth/receipts/twilio", "hunter2"),
    ] {
        let signature = signature(signed, &lost, token);
        let call = unsigned(&stage, &url, &lost).header("x-twilio-signature", &signature);
        is_forged(&call.send().await);
    }
    // What was signed is told in other words, or twice.
    let signature = signature(&url, &lost, "hunter2");
    let sign = |call: Call| call.header("x-twilio-signature", &signature);
    is_forged(
        &sign(unsigned(&stage, &url, &form("delivered")))
            .send()
            .await,
    );
    is_forged(&sign(sign(unsigned(&stage, &url, &lost))).send().await);
    for outcome in ["arrived", "lost", "under_way", "nothing_new"] {
        assert_eq!(learnt(&stage, outcome).await, 0, "{outcome}");
    }
    assert_eq!(stage.inbox.lines(), [""; 0]);
}

#[tokio::test]
async fn whether_there_is_such_a_message_is_told_to_nobody() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let url = hook(&sent(&stage, &carrier).await);
    let place = url.split('?').next().expect("a place");
    let (challenge, message) = ("ab".repeat(16), format!("msg_{}", "cd".repeat(16)));
    let mine = named(&url, "challenge");
    for about in [
        format!("challenge={challenge}&message={message}"),
        // Ours, but not the last message of it.
        format!("challenge={mine}&message={message}"),
    ] {
        tell(&stage, &format!("{place}?{about}"), "undelivered").await;
    }
    assert_eq!(learnt(&stage, "nothing_new").await, 2);
    is_shown(&stage, &url, "sent").await;
    let odd = format!("{place}?challenge=1&message=2");
    let answer = told(&stage, &odd, "delivered").send().await;
    answer.is_refused(422, "validation_failed");
    assert_eq!(stage.inbox.lines(), [""; 0]);
}

#[tokio::test]
async fn nobody_is_listened_to_who_was_not_asked_to_tell() {
    let carrier = Carrier::start(created()).await;
    // Twilio does not find this one, and the console tells nothing.
    let stage = stage(&twilio_at(carrier.address)).await;
    assert_eq!(sent(&stage, &carrier).await.field("StatusCallback"), None);
    for place in ["/api/auth/receipts/twilio", "/api/auth/receipts/webhook"] {
        let answer = stage
            .post(place)
            .form("MessageStatus=delivered")
            .send()
            .await;
        answer.is_refused(404, "not_found");
    }
    for place in ["/api/auth/receipts", "/api/auth/receipts/sns"] {
        let answer = stage.post(place).form("a=b").send().await;
        answer.is_refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_receipt_is_a_form_of_the_size_of_any_other_body() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &["auth.max_body = \"1kb\""]).await;
    let place = "/api/auth/receipts/twilio";
    let get = stage.get(place).send().await;
    get.is_refused(405, "method_not_allowed");
    assert_eq!(get.header("allow"), "POST");
    let json = stage.post(place).json(&serde_json::json!({})).send().await;
    json.is_refused(415, "unsupported_media_type");
    let large = stage.post(place).form(&"x".repeat(2000)).send().await;
    large.is_refused(413, "body_too_large");
}
