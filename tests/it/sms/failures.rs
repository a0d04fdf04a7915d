//! Providers that refuse, dawdle, break off and talk too much: what was certainly not sent goes to the next one, what may have been goes to nobody.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{counted, stage, twilio_at};
use crate::stage::{
    PHONE,
    carrier::{Carrier, Manner, saying},
};

/// A provider that treats a message like this has certainly not sent it: the next one gets it, with
/// the same code, and the client notices nothing.
async fn is_definite(manner: Manner, result: &str) {
    let carrier = Carrier::start(manner).await;
    goes_on(carrier.address, result).await;
}

async fn goes_on(address: SocketAddr, result: &str) {
    let stage = stage(&twilio_at(address)).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let code = stage.inbox.code_for(PHONE).await;
    assert_eq!(stage.answer(PHONE, &code).await.status, 200);
    counted(&stage, "twilio", result).await;
    counted(&stage, "console", "accepted").await;
}

/// A provider that treats a message like this may have sent it, or nobody could: it is asked once, and
/// nobody else is.
async fn ends_there(manner: Manner, result: &str) {
    ends_there_with(&[], manner, result).await;
}

async fn ends_there_with(more: &[&str], manner: Manner, result: &str) {
    let carrier = Carrier::start(manner).await;
    let mut settings = twilio_at(carrier.address);
    settings.extend(more.iter().map(|&line| line.to_owned()));
    let stage = stage(&settings).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    counted(&stage, "twilio", result).await;
    assert_eq!(carrier.requests().len(), 1);
    assert_eq!(stage.inbox.lines(), [""; 0]);
}

fn refusing(status: &str, body: &str) -> Manner {
    saying(status, "content-type: application/json\r\n", body)
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_has_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    goes_on(address, "down").await;
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_has_not_sent() {
    let headers = "retry-after: 2\r\n";
    is_definite(saying("429 Too Many Requests", headers, ""), "throttled").await;
    is_definite(
        refusing("429 Too Many Requests", "{\"code\": 20429}"),
        "throttled",
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_know_us_has_not_sent() {
    is_definite(
        refusing("401 Unauthorized", "{\"code\": 20003}"),
        "misconfigured",
    )
    .await;
    is_definite(
        saying("302 Found", "location: /elsewhere\r\n", ""),
        "misconfigured",
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_may_not_write_to_the_country_has_not_sent() {
    is_definite(refusing("400 Bad Request", "{\"code\": 21408}"), "blocked").await;
}

#[tokio::test]
async fn a_provider_that_says_it_is_down_has_not_sent() {
    is_definite(
        refusing("503 Service Unavailable", "{\"code\": 20503}"),
        "down",
    )
    .await;
}

#[tokio::test]
async fn a_number_that_cannot_be_written_to_is_nobodys() {
    ends_there(
        refusing("400 Bad Request", "{\"code\": 21211}"),
        "invalid_number",
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_fails_in_the_middle_may_have_sent() {
    ends_there(
        refusing("500 Internal Server Error", "{\"code\": 20500}"),
        "unknown",
    )
    .await;
    ends_there(saying("502 Bad Gateway", "", "<html>"), "unknown").await;
    ends_there(
        saying("503 Service Unavailable", "", "no healthy upstream"),
        "unknown",
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_may_have_sent() {
    let soon = "sms.timeout = \"200ms\"";
    ends_there_with(&[soon], Manner::Silent, "unknown").await;
}

#[tokio::test]
async fn a_provider_that_breaks_off_may_have_sent() {
    ends_there(Manner::Breaks(String::new()), "unknown").await;
    ends_there(Manner::Breaks("HTTP/1.1 2".to_owned()), "unknown").await;
    let half = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"sid\":";
    ends_there(Manner::Breaks(half.to_owned()), "unknown").await;
}

#[tokio::test]
async fn a_provider_that_talks_too_much_is_not_listened_to_for_ever() {
    let endless = "HTTP/1.1 201 Created\r\ncontent-length: 1000000000\r\n\r\n";
    ends_there(Manner::Chatters(endless.to_owned()), "unknown").await;
    let endless = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 1000000000\r\n\r\n";
    is_definite(Manner::Chatters(endless.to_owned()), "throttled").await;
}

#[tokio::test]
async fn a_yes_in_other_words_may_be_anybodys() {
    ends_there(
        saying("200 OK", "", "<html>Welcome to our hotel</html>"),
        "unknown",
    )
    .await;
}

#[tokio::test]
async fn metrics_tell_how_long_it_took_and_neither_number_nor_code_nor_secret() {
    let carrier = Carrier::start(refusing("400 Bad Request", "{\"code\": 21408}")).await;
    let stage = stage(&twilio_at(carrier.address)).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    let code = stage.inbox.code_for(PHONE).await;
    counted(&stage, "console", "accepted").await;
    let metrics = stage.operators("/metrics").await.text();
    for secret in [&*code, PHONE, "hunter2"] {
        assert!(!metrics.contains(secret), "{secret}");
    }
    assert!(metrics.contains("sms_duration_seconds_count{provider=\"twilio\"} 1"));
}
