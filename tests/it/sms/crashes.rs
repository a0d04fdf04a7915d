//! Processes that end in the middle of it: what was promised and not yet begun is sent by whoever lives, what may have been sent is not sent again.

use std::{fs, net::SocketAddr};

use tempfile::TempDir;

use super::{by, created};
use crate::stage::{
    carrier::{Carrier, Manner},
    client::{Answer, Call},
    program::Program,
    redis::RedisServer,
    steps,
};

const ANN: &str = "+14155550101";
const BOB: &str = "+14155550102";
const EVE: &str = "+14155550103";

/// One message at a time, so that a provider that says nothing keeps all others waiting.
const IN_LINE: &str = "sms.max_in_flight = 1";

/// Where one program after the other runs, or several do.
struct House(TempDir);

impl House {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    /// A gateway on the store at `store` that sends by `carrier` alone.
    async fn open(
        &self,
        name: &str,
        store: &str,
        carrier: &Carrier,
        more: &[&str],
    ) -> (Program, SocketAddr) {
        let dir = self.0.path().join(name);
        fs::create_dir_all(&dir).expect("a directory");
        let mut settings = by(carrier, more);
        settings[0] = "sms.providers = \"twilio\"".to_owned();
        let keys = self.0.path().join("keys");
        let configuration = format!(
            "{}\nserver.listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\nstore.url = \"{store}\"\n\
             server.secret = \"a secret that all of the gateways know\"\n\
             tokens.keys = \"{}\"\ntokens.issuer = \"https://login.test\"\n\
             upstreams.app.servers = \"demo:\"\n[[routes]]\npath = \"/\"\n",
            settings.join("\n"),
            keys.display(),
        );
        fs::write(dir.join("gateway.toml"), configuration).expect("a file");
        let program = Program::run(&dir, &[]);
        let address = program.address().await;
        (program, address)
    }
}

async fn send(address: SocketAddr, phone: &str) -> Answer {
    let asked = steps::send(address, phone).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    asked
}

/// Whom the provider was asked to write to, in that order.
async fn receivers(carrier: &Carrier, count: usize) -> Vec<String> {
    let asked = carrier.asked(count).await;
    let to = asked.iter().map(|it| it.field("To").expect("a receiver"));
    to.collect()
}

#[tokio::test]
async fn what_waited_when_the_process_was_killed_is_sent_once_by_the_next_one() {
    let (house, carrier) = (House::new(), Carrier::start(Manner::Silent).await);
    let slow = ["sms.timeout = \"60s\"", IN_LINE];
    let (program, address) = house.open("a", "embedded:", &carrier, &slow).await;
    send(address, ANN).await;
    carrier.asked(1).await;
    send(address, BOB).await;
    program.kill().await;

    carrier.treat(created());
    let (program, address) = house.open("a", "embedded:", &carrier, &slow).await;
    assert_eq!(receivers(&carrier, 2).await, [ANN, BOB]);
    // What the provider may have been sent for Ann is hers alone, and Bob has his.
    let code = carrier.requests()[1].field("Body").expect("a text");
    let code = code.split(' ').next().expect("a code");
    let right = steps::verify(address, BOB, code).await;
    assert_eq!(right.status, 200, "{right:?}");
    send(address, EVE).await;
    assert_eq!(receivers(&carrier, 3).await, [ANN, BOB, EVE]);
    program.kill().await;
    let (_program, address) = house.open("a", "embedded:", &carrier, &slow).await;
    send(address, EVE).await;
    assert_eq!(receivers(&carrier, 4).await, [ANN, BOB, EVE, EVE]);
}

#[tokio::test]
async fn what_the_provider_had_when_the_process_was_killed_is_never_sent_again() {
    let (house, carrier) = (House::new(), Carrier::start(Manner::Silent).await);
    let quick = ["sms.timeout = \"3s\""];
    let (program, address) = house.open("a", "embedded:", &carrier, &quick).await;
    let asked = send(address, ANN).await;
    carrier.asked(1).await;
    let first = program.out.clone();
    program.kill().await;

    carrier.treat(created());
    let (program, address) = house.open("a", "embedded:", &carrier, &quick).await;
    // If the first process had the time to say it, it did.
    let doubt = |line: &str| line.contains("may have been sent");
    if !first.lines().iter().any(|line| doubt(line)) {
        program.out.line(doubt).await;
    }
    let shown = format!("/api/auth/challenges/{}", asked.challenge());
    let shown = Call::new(address, "GET", &shown).send().await;
    assert_eq!(shown.json()["status"], "sent");
    send(address, BOB).await;
    assert_eq!(receivers(&carrier, 2).await, [ANN, BOB]);
}

#[tokio::test]
async fn what_one_gateway_promised_another_one_sends_when_it_is_killed() {
    let (house, redis) = (House::new(), RedisServer::start());
    let store = format!("redis://{}", redis.address());
    let (silent, other) = (
        Carrier::start(Manner::Silent).await,
        Carrier::start(created()).await,
    );
    let slow = ["sms.timeout = \"60s\"", IN_LINE];
    let (_other, _) = house.open("b", &store, &other, &slow).await;
    let (program, address) = house.open("a", &store, &silent, &slow).await;
    send(address, ANN).await;
    silent.asked(1).await;
    send(address, BOB).await;
    program.kill().await;
    assert_eq!(receivers(&other, 1).await, [BOB]);
    assert_eq!(silent.requests().len(), 1);
}

#[tokio::test]
async fn what_waits_at_a_stop_that_takes_too_long_stays_for_the_next_one() {
    let (house, carrier) = (House::new(), Carrier::start(Manner::Silent).await);
    let slow = [
        "sms.timeout = \"60s\"",
        IN_LINE,
        "server.limits.drain = \"100ms\"",
    ];
    let (mut program, address) = house.open("a", "embedded:", &carrier, &slow).await;
    send(address, ANN).await;
    carrier.asked(1).await;
    send(address, BOB).await;
    program.signal("TERM").await;
    assert_eq!(program.ends().await, 0);
    carrier.treat(created());
    let (_program, _) = house.open("a", "embedded:", &carrier, &slow).await;
    assert_eq!(receivers(&carrier, 2).await, [ANN, BOB]);
}
