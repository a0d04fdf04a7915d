//! Messages on their way to providers: what these are asked, what their answers lead to, and that nothing is sent twice.

mod command;
mod courier;
mod crashes;
mod failures;
mod languages;
mod providers;
mod receipts;
mod routes;
mod secured;
mod test_numbers;

use std::net::SocketAddr;

use tokio::time::timeout;

use crate::stage::{
    PATIENCE, Stage,
    carrier::{Carrier, Manner, saying},
};

/// What programs are told and tell is signed with.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What Twilio calls a message.
const SID: &str = "SM0123456789abcdef0123456789abcdef";

/// Settings of a gateway that sends by the account of Twilio at `address`, and by the console when
/// that is certain not to have sent.
pub fn twilio_at(address: SocketAddr) -> Vec<String> {
    [
        "sms.providers = [\"twilio\", \"console\"]",
        "sms.twilio.account_sid = \"AC0123456789abcdef0123456789abcdef\"",
        "sms.twilio.auth_token = \"hunter2\"",
        "sms.twilio.from = \"+15550001111\"",
        &format!("sms.twilio.base_url = \"http://{address}\""),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// How Twilio takes a message.
fn created() -> Manner {
    let body = format!("{{\"sid\": \"{SID}\", \"status\": \"queued\"}}");
    saying("201 Created", "", &body)
}

/// How Twilio says that it cannot.
fn down() -> Manner {
    saying("503 Service Unavailable", "", "{\"code\": 20503}")
}

/// Settings of a gateway that sends by the account of Twilio at `carrier`, with further ones.
fn by(carrier: &Carrier, more: &[&str]) -> Vec<String> {
    let mut settings = twilio_at(carrier.address);
    settings.extend(more.iter().map(|&line| line.to_owned()));
    settings
}

/// A gateway that sends by the program of `carrier`.
async fn by_webhook(carrier: &Carrier, more: &[&str]) -> Stage {
    let url = format!("sms.webhook.url = \"http://{}/send?k=1\"", carrier.address);
    let secret = format!("sms.webhook.secret = \"{KEY}\"");
    let settings = [&url, &secret, "sms.providers = \"webhook\""];
    Stage::with(&[&settings, more].concat()).await
}

/// A gateway with these settings.
async fn stage(settings: &[String]) -> Stage {
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    Stage::with(&settings).await
}

/// Waits until an attempt of `provider` has ended like this.
async fn counted(stage: &Stage, provider: &str, result: &str) {
    let name = format!("sms_messages_total{{provider=\"{provider}\",result=\"{result}\"}}");
    reached(stage, &name).await;
}

/// Waits until it was counted once.
async fn reached(stage: &Stage, metric: &str) {
    let waiting = async {
        while stage.metric(metric).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let counted = timeout(PATIENCE, waiting).await;
    let metrics = stage.operators("/metrics").await.text();
    assert!(counted.is_ok(), "{metrics}");
}
