//! Messages on their way to providers: what these are asked, what their answers lead to, and that nothing is sent twice.

mod command;
mod failures;
mod languages;
mod providers;
mod routes;
mod secured;
mod test_numbers;

use std::net::SocketAddr;

use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage};

/// Settings of a gateway that sends by the account of Twilio at `address`, and by the console when
/// that is certain not to have sent.
fn twilio_at(address: SocketAddr) -> Vec<String> {
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

/// A gateway with these settings.
async fn stage(settings: &[String]) -> Stage {
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    Stage::with(&settings).await
}

/// Waits until an attempt of `provider` has ended like this.
async fn counted(stage: &Stage, provider: &str, result: &str) {
    let name = format!("sms_messages_total{{provider=\"{provider}\",result=\"{result}\"}}");
    let waiting = async {
        while stage.metric(&name).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let counted = timeout(PATIENCE, waiting).await;
    let metrics = stage.operators("/metrics").await.text();
    assert!(counted.is_ok(), "{metrics}");
}
