//! Messages that Twilio lost: they go the next way, to another provider or by another channel, with the same code.

use tokio::task::JoinSet;

use super::{SID, found, hook, learnt, sent, settings, shown, signature, tell, told, unsigned};
use crate::{
    sms::created,
    stage::{
        PHONE, Stage,
        carrier::{Carrier, Manner},
        inbox::code_in,
        redis::RedisServer,
    },
};

#[tokio::test]
async fn a_message_that_was_lost_goes_to_the_next_provider_with_the_same_code() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let asked = sent(&stage, &carrier).await;
    let body = asked.field("Body").expect("a text");
    let url = hook(&asked);
    tell(&stage, &url, "undelivered").await;
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(code, code_in(&format!(": {body}")));
    // Said once more, it is about what nobody waits for any more.
    tell(&stage, &url, "failed").await;
    assert_eq!(learnt(&stage, "lost").await, 1);
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    assert_eq!(stage.inbox.messages_to(PHONE).len(), 1);
}

#[tokio::test]
async fn a_message_that_was_lost_becomes_a_call_with_the_same_code() {
    let carrier = Carrier::start(created()).await;
    let stage = found(
        &carrier,
        &[
            "sms.providers = [\"twilio\"]",
            "sms.fallback = [\"voice\"]",
            "sms.twilio.voice_from = \"+15550003333\"",
        ],
    )
    .await;
    let asked = sent(&stage, &carrier).await;
    tell(&stage, &hook(&asked), "undelivered").await;
    let call = carrier.asked(2).await.remove(1);
    assert!(call.head.contains("/calls.json "), "{}", call.head);
    let code = code_in(&format!(": {}", asked.field("Body").expect("a text")));
    let twiml = call.field("Twiml").expect("TwiML");
    let digits: String = twiml.chars().filter(char::is_ascii_digit).collect();
    assert!(digits.contains(&code), "{twiml}");
    // Nobody takes it up: there is no further way, and it has failed.
    let url = hook(&call);
    let form = format!("CallSid={SID}&CallStatus=no-answer");
    let signature = signature(&url, &form, "hunter2");
    let answer = unsigned(&stage, &url, &form)
        .header("x-twilio-signature", &signature)
        .send()
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(learnt(&stage, "lost").await, 2);
    let shown = shown(&stage, &url).await;
    assert_eq!(
        (&shown["status"], &shown["reason"]),
        (&"failed".into(), &"undelivered".into())
    );
    assert_eq!(carrier.requests().len(), 2);
}

#[tokio::test]
async fn of_many_receipts_at_once_one_is_learnt_from() {
    let carrier = Carrier::start(created()).await;
    let stage = found(&carrier, &[]).await;
    let url = hook(&sent(&stage, &carrier).await);
    let mut receipts = JoinSet::new();
    for _ in 0..20 {
        receipts.spawn(told(&stage, &url, "undelivered").send());
    }
    for answer in receipts.join_all().await {
        assert_eq!(answer.status, 204);
    }
    assert_eq!(learnt(&stage, "lost").await, 1);
    assert_eq!(learnt(&stage, "nothing_new").await, 19);
    stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.inbox.messages_to(PHONE).len(), 1);
}

/// It is on its way while the provider has not even said yes.
#[tokio::test]
async fn a_receipt_that_is_faster_than_the_answer_waits_for_it() {
    let carrier = Carrier::start(Manner::Silent).await;
    let stage = found(&carrier, &["sms.timeout = \"500ms\""]).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let url = hook(&carrier.asked(1).await.remove(0));
    let tell = || told(&stage, &url, "undelivered").send();
    while tell().await.status == 503 {}
    stage.inbox.code_for(PHONE).await;
    assert_eq!(learnt(&stage, "lost").await, 1);
}

/// A load balancer knows nothing of who has sent what.
#[tokio::test]
async fn a_receipt_may_reach_another_gateway_than_the_one_that_has_sent() {
    let (redis, carrier) = (RedisServer::start(), Carrier::start(created()).await);
    let mut settings = settings(&carrier);
    settings.push(format!("store.url = \"redis://{}\"", redis.address()));
    settings.push("server.secret = \"a secret that all of the gateways know\"".to_owned());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let (a, b) = (
        Stage::at_present(&settings).await,
        Stage::at_present(&settings).await,
    );
    let asked = sent(&a, &carrier).await;
    tell(&b, &hook(&asked), "undelivered").await;
    let code = tokio::select! {
        code = a.inbox.code_for(PHONE) => code,
        code = b.inbox.code_for(PHONE) => code,
    };
    let body = asked.field("Body").expect("a text");
    assert_eq!(code, code_in(&format!(": {body}")));
    assert_eq!(a.answer(PHONE, &code).await.status, 200);
    let messages = [&a, &b].map(|it| it.inbox.messages_to(PHONE).len());
    assert_eq!(messages.iter().sum::<usize>(), 1);
}
