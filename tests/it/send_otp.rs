//! Asking for a code: what is answered, what is sent, and to whom.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::stage::{PHONE, Stage, client::Answer, inbox::wrong_for};

const MINUTE: Duration = Duration::from_mins(1);

/// No limit stands in the way of these scenarios.
const UNLIMITED: &str = "otp.limits = []";

#[tokio::test]
async fn a_request_for_a_code_is_answered_word_for_word() {
    let stage = Stage::new().await;
    let answer = stage.ask_for_code(PHONE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.headers.contains_key("set-cookie"));
    let body = answer.json();
    let challenge = answer.challenge();
    assert_eq!(challenge.len(), 32);
    assert!(challenge.bytes().all(|b| b.is_ascii_hexdigit()));
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

    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(code.len(), 6);
    assert_eq!(
        stage.inbox.lines(),
        [format!(
            "SMS to {PHONE}: {code} is your otp-gateway code. It is valid for 5 minutes."
        )]
    );
    assert!(!answer.text().contains(&code));
}

#[tokio::test]
async fn codes_are_not_all_alike() {
    let stage = Stage::with(&[UNLIMITED]).await;
    let mut codes = std::collections::HashSet::new();
    for last in 10..30 {
        let phone = format!("+141555501{last}");
        stage.ask_for_code(&phone).await;
        codes.insert(stage.inbox.code_for(&phone).await);
    }
    // Two of twenty alike happens once in five thousand runs; three never.
    assert!(codes.len() >= 19, "{codes:?}");
}

#[tokio::test]
async fn every_spelling_of_a_number_is_the_same_number() {
    let stage = Stage::new().await;
    let mut challenges = Vec::new();
    for spelling in ["(415) 555-0100", "1.415.555.0100", " +1 415 555-0100 "] {
        let answer = stage.ask_for_code(spelling).await;
        assert_eq!(answer.status, 200, "{spelling}");
        challenges.push(answer.challenge());
        stage.inbox.nth_code_for(PHONE, challenges.len()).await;
    }
    challenges.dedup();
    assert_eq!(challenges.len(), 1);
    // They count as one number, too.
    let answer = stage.ask_for_code("4155550100").await;
    answer.is_refused(429, "rate_limited");
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer("415 5550100", &code).await.status, 200);
}

#[tokio::test]
async fn a_country_code_says_whose_a_national_number_is() {
    let stage = Stage::with(&["otp.countries = [\"+1\", \"+44\"]"]).await;
    let british = json!({ "mobile_number": "2070313000", "country_code": "+44" });
    let answer = stage.post("/api/auth/send-otp").json(&british).send().await;
    assert_eq!(answer.json()["mobile_number"], "+44********00");
    let code = stage.inbox.code_for("+442070313000").await;
    let mut answered = british;
    answered["otp"] = json!(code);
    answered["device_info"] = json!("test");
    let answer = stage.post("/api/auth/verify-otp").json(&answered).send();
    assert_eq!(answer.await.status, 200);

    // A number that names its country is of that country, whatever stands beside it.
    let body = json!({ "mobile_number": PHONE, "country_code": "+44" });
    let answer = stage.post("/api/auth/send-otp").json(&body).send().await;
    assert_eq!(answer.json()["mobile_number"], "+1********00");
}

#[tokio::test]
async fn the_default_country_is_a_setting() {
    let stage = Stage::with(&["otp.default_country = \"+44\""]).await;
    let answer = stage.ask_for_code("2070313000").await;
    assert_eq!(answer.json()["mobile_number"], "+44********00");
    // It alone is served when no countries are named.
    let answer = stage.ask_for_code(PHONE).await;
    answer.is_refused(403, "country_not_allowed");
}

#[tokio::test]
async fn a_number_of_a_country_that_is_not_served_gets_nothing_and_costs_nothing() {
    let stage = Stage::with(&["otp.limits = [\"1/1h per all\"]"]).await;
    let answer = stage.ask_for_code("+442070313000").await;
    answer.is_refused(403, "country_not_allowed");
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    stage.inbox.code_for(PHONE).await;
    assert!(stage.inbox.messages_to("+442070313000").is_empty());
}

#[tokio::test]
async fn a_resend_brings_the_same_code_and_the_same_challenge_with_new_time() {
    let stage = Stage::with(&[UNLIMITED]).await;
    let first = stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    for (sends, minutes) in [(2, 4), (3, 5)] {
        stage.pass(MINUTE * if sends == 2 { 4 } else { 1 });
        let again = stage.ask_for_code(PHONE).await;
        assert_eq!(again.challenge(), first.challenge());
        assert_eq!(again.json()["expires_in"], 300, "after {minutes} min");
        assert_eq!(stage.inbox.nth_code_for(PHONE, sends).await, code);
    }
    // Seven and a half minutes after it was made it is sent for the last time: what is left of
    // its ten minutes is still half of a code's life.
    stage.pass(MINUTE * 5 / 2);
    let last = stage.ask_for_code(PHONE).await;
    assert_eq!(last.challenge(), first.challenge());
    assert_eq!(last.json()["expires_in"], 150);
    let message = stage.inbox.nth_code_for(PHONE, 4).await;
    assert_eq!(message, code);
    assert!(stage.inbox.lines()[3].contains("valid for 2 minutes"));

    stage.pass(Duration::from_millis(1));
    let next = stage.ask_for_code(PHONE).await;
    assert_ne!(next.challenge(), first.challenge());
    assert_eq!(next.json()["expires_in"], 300);
}

#[tokio::test]
async fn the_first_of_two_messages_is_as_good_as_the_second() {
    let stage = Stage::new().await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    stage.pass(MINUTE * 4);
    stage.ask_for_code(PHONE).await;
    stage.pass(MINUTE * 4);
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn a_language_is_taken_note_of_and_another_channel_is_not_there() {
    let stage = Stage::new().await;
    let ask = |more: Value| {
        let mut body = json!({ "mobile_number": PHONE });
        let members = body.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        stage.post("/api/auth/send-otp").json(&body).send()
    };
    let answer = ask(json!({ "channel": "sms", "locale": "de", "whatever": [1] })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["channel"], "sms");
    let answer = ask(json!({ "channel": "voice" })).await;
    assert_eq!(answer.wrong_fields(), ["channel"]);
}

#[tokio::test]
async fn the_endpoints_answer_under_their_alias_too_and_are_the_same_ones() {
    let stage = Stage::new().await;
    let body = json!({ "mobile_number": PHONE });
    let asked = stage.post("/api/v1/auth/send-otp").json(&body).send().await;
    assert_eq!(asked.status, 200);
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    let elsewhere = stage.post("/api/v2/auth/send-otp").json(&body).send().await;
    elsewhere.is_refused(401, "missing_token");
}

#[tokio::test]
async fn the_endpoints_are_where_the_configuration_puts_them() {
    let stage = Stage::with(&["auth.base = \"/id\"", "auth.aliases = []"]).await;
    let body = json!({ "mobile_number": PHONE });
    assert_eq!(
        stage.post("/id/send-otp").json(&body).send().await.status,
        200
    );
    for gone in ["/api/auth/send-otp", "/api/v1/auth/send-otp", "/idx"] {
        let answer = stage.post(gone).json(&body).send().await;
        answer.is_refused(401, "missing_token");
    }
}

#[tokio::test]
async fn codes_have_as_many_digits_as_the_configuration_says() {
    let stage = Stage::with(&["otp.length = 8"]).await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(code.len(), 8);
    let short = stage.answer(PHONE, &code[..6]).await;
    assert_eq!(short.wrong_fields(), ["otp"]);
    assert_eq!(short.json()["errors"][0]["message"], "must be 8 digits");
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
}

#[tokio::test]
async fn the_text_of_a_message_is_a_setting() {
    let stage = Stage::with(&[
        "sms.templates.en = \"{sender}: {code} ({minutes} min)\"",
        "sms.sender = \"Shop {code}\"",
        "otp.ttl = \"90s\"",
    ])
    .await;
    stage.ask_for_code(PHONE).await;
    let line = stage.inbox.line(|line| line.contains("Shop")).await;
    let code = line.split_whitespace().rev().nth(2).expect("a code");
    assert_eq!(
        line,
        format!("SMS to {PHONE}: Shop {{code}}: {code} (1 min)")
    );
    assert_eq!(stage.answer(PHONE, code).await.status, 200);
}

#[tokio::test]
async fn a_test_number_is_told_from_others_by_nothing_but_its_silence() {
    const TESTED: &str = "+15550001111";
    let stage = Stage::with(&[
        "[[otp.test_numbers]]\nnumber = \"+15550001111\"\ncode = \"123456\"\nuntil = 2030-03-18",
    ])
    .await;
    let (tested, other) = (
        stage.ask_for_code(TESTED).await,
        stage.ask_for_code(PHONE).await,
    );
    let plain = |answer: &Answer| {
        let mut body = answer.json();
        body["challenge_id"] = json!("");
        let digits = answer.header("content-length").to_owned();
        (
            answer.status,
            digits,
            body.to_string().replace("11\"", "00\""),
        )
    };
    assert_eq!(plain(&tested), plain(&other));
    stage.inbox.code_for(PHONE).await;
    assert!(stage.inbox.messages_to(TESTED).is_empty());
    let wrong = stage.answer(TESTED, "123457").await;
    wrong.is_refused(400, "invalid_otp");
    assert_eq!(wrong.json()["attempts_left"], 4);
    assert_eq!(stage.answer(TESTED, "123456").await.status, 200);
    // Like everybody's, its code is good once.
    let again = stage.answer(TESTED, "123456").await;
    again.is_refused(400, "invalid_otp");
    assert_eq!(
        stage
            .metric("otp_sends_total{result=\"test_number\"}")
            .await,
        1
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_at_once_gets_what_it_is_counted_for() {
    let stage = Stage::with(&[UNLIMITED]).await;
    let phones: Vec<String> = (0..40).map(|n| format!("+141555501{n:02}")).collect();
    for phone in &phones {
        let body = json!({ "mobile_number": phone }).to_string();
        let request = format!(
            "POST /api/auth/send-otp HTTP/1.1\r\nhost: a.test\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Closed without waiting for any answer.
        drop(stream);
    }
    stage.settle().await;
    // Those whose end came first are never begun; all others are counted, and sent to. Each worker
    // does so in its own time.
    let mut counted = 0;
    loop {
        let sent = stage.inbox.messages(counted).await.len() as u64;
        let before = counted;
        counted = stage.metric("otp_sends_total{result=\"sent\"}").await;
        if counted == before {
            return assert_eq!(sent, counted);
        }
    }
}

#[tokio::test]
async fn a_test_number_past_its_day_is_a_number_like_any_other() {
    const TESTED: &str = "+15550001111";
    let stage = Stage::with(&[
        "[[otp.test_numbers]]\nnumber = \"+15550001111\"\ncode = \"123456\"\nuntil = 2030-03-18",
    ])
    .await;
    stage.pass(MINUTE * 60 * 24 * 2);
    stage.ask_for_code(TESTED).await;
    let code = stage.inbox.code_for(TESTED).await;
    let fixed = if code == "123456" {
        wrong_for(&code)
    } else {
        "123456".to_owned()
    };
    let answer = stage.answer(TESTED, &fixed).await;
    answer.is_refused(400, "invalid_otp");
    assert_eq!(stage.answer(TESTED, &code).await.status, 200);
}
