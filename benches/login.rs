//! What a login costs: codes sent and answered by a running gateway, every number a new one.
//!
//!     cargo bench --bench login -- --connections 256 --store memory:
//!
//! The codes are read where the console provider prints them. The limits are those that a gateway
//! has without any configuration, with room for the one client that asks here. `TMPDIR` says on
//! which disk the store lies.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]
#![expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]

mod stage;

use std::sync::mpsc::Receiver;

use bytes::Bytes;
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{Gateway, Mebibytes, PATIENCE, load::Load};

/// What a login costs.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    load: Load,
    /// embedded: or memory:
    #[arg(long, default_value = "embedded:")]
    store: String,
}

const LIMITS: &str = r#"["3/30m per phone", "100000000/1h per ip", "100000000/1h per country", "100000000/1d per all"]"#;

/// Messages on their way at once: more than ask at once, or their line would grow until nobody may join it.
const IN_FLIGHT: usize = 512;

fn main() {
    let Options { load, store } = Options::parse();
    let home = TempDir::new().expect("a directory");
    let settings = format!(
        "store.url = \"{store}\"\nstore.max_size = \"8gb\"\notp.limits = {LIMITS}\notp.guard.mode = \"off\"\n\
         sms.max_in_flight = {IN_FLIGHT}\n"
    );
    let (gateway, lines) = Gateway::start(&home, &settings);
    println!("{store} {load}, idle {}", Mebibytes(gateway.usage().rss));

    let mut numbers = 2_010_000_000_u64..;
    let sends = move || {
        let number = format!("+1{}", numbers.next()?);
        Some(post("send-otp", &json!({ "mobile_number": number })))
    };
    let sent = load.run("send-otp", &gateway, sends);
    println!("{sent}");

    // The last messages may still be on their way; whoever answers needs them all.
    let codes = sent.latencies.iter().map(|_| next_code(&lines));
    let mut codes = codes.collect::<Vec<_>>().into_iter();
    let answers = move || Some(post("verify-otp", &codes.next()?));
    println!("{}", load.run("verify-otp", &gateway, answers));
}

/// What answers the next message: `SMS to +12010000000: 123456 is your ...`.
fn next_code(lines: &Receiver<String>) -> Value {
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("a message");
        let message = line.strip_prefix("SMS to ");
        if let Some((number, text)) = message.and_then(|message| message.split_once(": ")) {
            let code = text.split(' ').next();
            return json!({ "mobile_number": number, "otp": code, "device_info": "bench" });
        }
    }
}

fn post(endpoint: &str, body: &Value) -> Bytes {
    let body = body.to_string();
    let head = format!(
        "POST /api/auth/{endpoint} HTTP/1.1\r\nhost: bench.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into()
}
