//! What becomes of messages that are stored: each is sent once, again only when nobody had it, and at last by another channel.

use std::{collections::BTreeSet, time::Duration};

use tokio::task::JoinSet;

use super::{by, created, down, stage};
use crate::stage::{
    PHONE, Stage,
    carrier::{Carrier, Manner},
};

/// Nobody else is asked.
const ALONE: &str = "sms.providers = \"twilio\"";

/// A call follows a message of which nothing is heard.
const THEN_A_CALL: [&str; 4] = [
    ALONE,
    "sms.fallback = [\"voice\"]",
    "sms.fallback_after = \"45s\"",
    "sms.twilio.voice_from = \"+15550001112\"",
];

/// Waits until so many messages have come to this.
async fn come_to(stage: &Stage, outcome: &str, count: u64) {
    let name = format!("sms_outcomes_total{{outcome=\"{outcome}\"}}");
    let waiting = async {
        while stage.metric(&name).await < count {
            tokio::task::yield_now().await;
        }
    };
    let come = tokio::time::timeout(crate::stage::PATIENCE, waiting).await;
    assert!(come.is_ok(), "{}", stage.operators("/metrics").await.text());
}

#[tokio::test]
async fn two_hundred_messages_at_once_are_two_hundred_messages() {
    let carrier = Carrier::start(created()).await;
    let settings = by(&carrier, &[ALONE, "otp.limits = [\"1000/1h per all\"]"]);
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    // In real time: what waits for too long is found by those who look for what was left behind.
    let stage = Stage::at_present(&settings).await;
    let phones: BTreeSet<_> = (0..200).map(|n| format!("+1415555{n:04}")).collect();
    let mut sends = JoinSet::new();
    for phone in &phones {
        let send = stage.send_otp(phone);
        sends.spawn(async move { send.send().await.status });
    }
    let statuses = sends.join_all().await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    come_to(&stage, "taken", 200).await;
    let asked = carrier.requests();
    assert_eq!(asked.len(), 200);
    let to: BTreeSet<_> = asked.iter().filter_map(|it| it.field("To")).collect();
    assert_eq!(to, phones);
}

#[tokio::test]
async fn what_nobody_took_is_sent_again_with_the_same_code_while_it_lives() {
    let carrier = Carrier::start(down()).await;
    let stage = stage(&by(&carrier, &[ALONE])).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    come_to(&stage, "again", 1).await;
    carrier.treat(created());
    stage.pass(Duration::from_secs(2));
    let asked = carrier.asked(2).await;
    assert_eq!(asked[0].field("Body"), asked[1].field("Body"));
    come_to(&stage, "taken", 1).await;
    let text = asked[1].field("Body").expect("a text");
    let code = text.split(' ').next().expect("a code");
    assert_eq!(stage.answer(PHONE, code).await.status, 200);
}

#[tokio::test]
async fn a_resend_goes_out_though_the_message_before_it_may_have_been_sent() {
    let carrier = Carrier::start(Manner::Breaks(String::new())).await;
    let stage = stage(&by(&carrier, &[ALONE])).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    come_to(&stage, "unsure", 1).await;
    carrier.treat(created());
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    come_to(&stage, "taken", 1).await;
    let asked = carrier.requests();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].field("Body"), asked[1].field("Body"));
}

#[tokio::test]
async fn a_message_of_which_nothing_is_heard_is_followed_by_a_call_where_that_is_wished() {
    let carrier = Carrier::start(created()).await;
    let stage = stage(&by(&carrier, &THEN_A_CALL)).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    come_to(&stage, "taken", 1).await;
    stage.pass(Duration::from_secs(45));
    let asked = carrier.asked(2).await;
    assert!(asked[0].head.contains("/messages.json "), "{asked:?}");
    assert!(asked[1].head.contains("/calls.json "), "{asked:?}");
    come_to(&stage, "taken", 2).await;
}

#[tokio::test]
async fn nothing_is_sent_to_whoever_has_answered_in_the_meantime() {
    let carrier = Carrier::start(created()).await;
    let stage = stage(&by(&carrier, &THEN_A_CALL)).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let asked = carrier.asked(1).await.remove(0);
    come_to(&stage, "taken", 1).await;
    let text = asked.field("Body").expect("a text");
    let code = text.split(' ').next().expect("a code");
    assert_eq!(stage.answer(PHONE, code).await.status, 200);
    stage.pass(Duration::from_secs(45));
    // Somebody else's message, after which hers would have come.
    assert_eq!(stage.ask_for_code("+14155550101").await.status, 200);
    come_to(&stage, "taken", 2).await;
    stage.pass(Duration::from_secs(45));
    let asked = carrier.asked(3).await;
    let to: Vec<_> = asked.iter().filter_map(|it| it.field("To")).collect();
    assert_eq!(to, [PHONE, "+14155550101", "+14155550101"]);
}
