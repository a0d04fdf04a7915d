//! Whom a message goes to: by how its number begins, past who fails again and again, and by another channel where nobody takes it.

use std::time::Duration;

use super::{by, counted, created, down, stage};
use crate::stage::{
    PHONE, Stage,
    carrier::{Carrier, saying},
};

async fn send(stage: &Stage, phone: &str) {
    let asked = stage.ask_for_code(phone).await;
    assert_eq!(asked.status, 200, "{asked:?}");
}

/// How often an attempt of a provider has ended like this.
async fn count(stage: &Stage, provider: &str, result: &str) -> u64 {
    let name = format!("sms_messages_total{{provider=\"{provider}\",result=\"{result}\"}}");
    stage.metric(&name).await
}

#[tokio::test]
async fn numbers_go_to_those_who_are_named_for_how_they_begin() {
    let carrier = Carrier::start(created()).await;
    let program = Carrier::start(saying("200 OK", "", "{}")).await;
    let program_at = format!("sms.webhook.url = \"http://{}/send\"", program.address);
    let settings = by(
        &carrier,
        &[
            "sms.providers = \"console\"",
            "otp.countries = \"*\"",
            &program_at,
            "sms.webhook.secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
            "[[sms.routes]]\nprefix = [\"+33\", \"+1\"]\nproviders = \"twilio\"",
            "[[sms.routes]]\nprefix = \"+1415\"\nproviders = \"webhook\"",
        ],
    );
    let stage = stage(&settings).await;
    for phone in ["+447400123456", "+33612345678", "+16502530000", PHONE] {
        send(&stage, phone).await;
    }
    let asked = carrier.asked(2).await;
    let mut to: Vec<_> = asked.iter().filter_map(|it| it.field("To")).collect();
    to.sort();
    assert_eq!(to, ["+16502530000", "+33612345678"]);
    let asked = program.asked(1).await.remove(0);
    assert!(asked.body.contains(PHONE), "{}", asked.body);
    stage.inbox.code_for("+447400123456").await;
    assert_eq!(stage.inbox.lines().len(), 1);
}

#[tokio::test]
async fn a_provider_that_fails_in_a_row_is_left_alone_until_one_message_tries_it() {
    let carrier = Carrier::start(down()).await;
    let settings = by(
        &carrier,
        &["sms.breaker_failures = 2", "sms.breaker_pause = \"10m\""],
    );
    let stage = stage(&settings).await;
    for (phone, asked) in [(0, 1), (1, 2), (2, 2), (3, 2)] {
        let phone = format!("+1415555010{phone}");
        send(&stage, &phone).await;
        let code = stage.inbox.code_for(&phone).await;
        assert_eq!(stage.answer(&phone, &code).await.status, 200);
        assert_eq!(carrier.requests().len(), asked, "{phone}");
    }
    assert_eq!(count(&stage, "twilio", "left_alone").await, 2);
    let left_alone = "sms_left_alone{provider=\"twilio\"}";
    assert_eq!(stage.metric(left_alone).await, 1);

    stage.pass(Duration::from_mins(10));
    for (phone, asked) in [(4, 3), (5, 3)] {
        let phone = format!("+1415555010{phone}");
        send(&stage, &phone).await;
        stage.inbox.code_for(&phone).await;
        assert_eq!(carrier.requests().len(), asked, "{phone}");
    }
    assert_eq!(stage.metric(left_alone).await, 1);

    carrier.treat(created());
    stage.pass(Duration::from_mins(10));
    for (phone, asked) in [(6, 4), (7, 5)] {
        send(&stage, &format!("+1415555010{phone}")).await;
        carrier.asked(asked).await;
        counted(&stage, "twilio", "accepted").await;
    }
    assert_eq!(stage.metric(left_alone).await, 0);
}

#[tokio::test]
async fn a_provider_that_names_a_time_is_left_alone_so_long() {
    let headers = "retry-after: 60\r\n";
    let carrier = Carrier::start(saying("429 Too Many Requests", headers, "")).await;
    let stage = stage(&by(&carrier, &[])).await;
    for phone in ["+14155550101", "+14155550102"] {
        send(&stage, phone).await;
        stage.inbox.code_for(phone).await;
    }
    assert_eq!(carrier.requests().len(), 1);
    stage.pass(Duration::from_mins(1));
    send(&stage, "+14155550103").await;
    stage.inbox.code_for("+14155550103").await;
    assert_eq!(carrier.requests().len(), 2);
}

#[tokio::test]
async fn a_message_that_nobody_else_could_carry_is_tried_all_the_same() {
    let carrier = Carrier::start(saying("500 Internal Server Error", "", "")).await;
    let settings = by(
        &carrier,
        &["sms.providers = \"twilio\"", "sms.breaker_failures = 1"],
    );
    let stage = stage(&settings).await;
    for (at, phone) in [PHONE, "+14155550101", "+14155550102"].iter().enumerate() {
        send(&stage, phone).await;
        carrier.asked(at + 1).await;
    }
    counted(&stage, "twilio", "left_alone").await;
}

#[tokio::test]
async fn refusals_that_are_about_the_number_keep_nobody_from_the_provider() {
    let carrier = Carrier::start(saying("400 Bad Request", "", "{\"code\": 21610}")).await;
    let stage = stage(&by(&carrier, &["sms.breaker_failures = 1"])).await;
    for (at, phone) in [PHONE, "+14155550101", "+14155550102"].iter().enumerate() {
        send(&stage, phone).await;
        stage.inbox.code_for(phone).await;
        assert_eq!(carrier.requests().len(), at + 1);
    }
    assert_eq!(count(&stage, "twilio", "left_alone").await, 0);
}

#[tokio::test]
async fn a_number_without_text_messages_is_called_where_that_is_wished() {
    let carrier = Carrier::start(saying("400 Bad Request", "", "{\"code\": 21614}")).await;
    let settings = by(
        &carrier,
        &[
            "sms.providers = [\"twilio\", \"console\"]",
            "sms.fallback = [\"voice\"]",
            "sms.twilio.voice_from = \"+15550001112\"",
        ],
    );
    let stage = stage(&settings).await;
    send(&stage, PHONE).await;
    // Nobody else is asked for a text message; then Twilio calls, and so does the next one.
    let asked = carrier.asked(2).await;
    let resource = |at: usize| {
        asked[at]
            .head
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    assert!(resource(0).ends_with("/messages.json"), "{asked:?}");
    assert!(resource(1).ends_with("/calls.json"), "{asked:?}");
    counted(&stage, "twilio", "invalid_number").await;
    assert!(stage.inbox.messages_to(PHONE).is_empty());
}
