//! What a protected request costs: a thousand people, each with a token of their own, ask an app behind a running gateway for 13 bytes.
//!
//!     cargo bench --bench proxy -- --connections 256
//!
//! The app lives in this process, on the core of the load.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]
#![expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]

mod stage;

use std::{net::TcpListener as StdListener, path::Path, sync::Arc, thread, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use clap::Parser;
use otp_gateway::{
    Algorithm, Clock, Grant, Keyring, Masters, Secret, SessionId, TokenSpec, Tokens,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

use crate::stage::{
    Gateway, Mebibytes,
    load::{Load, block_on},
};

/// What a protected request costs.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    load: Load,
}

/// People, each with a token.
const PEOPLE: u64 = 1000;

const ISSUER: &str = "https://login.example";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, world!";

fn main() {
    let Options { load } = Options::parse();
    let home = TempDir::new().expect("a directory");
    let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
    let app = listener.local_addr().expect("an address");
    let mut listener = Some(listener);
    for algorithm in [Algorithm::Es256, Algorithm::Hs256] {
        let keys = home.path().join(algorithm.to_string());
        let requests = requests(&keys, algorithm);
        let settings = format!(
            "store.url = \"memory:\"\ntokens.issuer = \"{ISSUER}\"\ntokens.audience = \"{ISSUER}\"\n\
             tokens.algorithm = \"{algorithm}\"\ntokens.keys = \"{}\"\n\
             upstreams.app.servers = \"http://{app}\"\n[[routes]]\npath = \"/\"\n",
            keys.display()
        );
        let (gateway, _lines) = Gateway::start(&home, &settings);
        // After the gateway is started this process keeps to its core, and so do its threads.
        if let Some(listener) = listener.take() {
            thread::spawn(|| block_on(serve(listener)));
        }
        let idle = Mebibytes(gateway.usage().rss);
        println!("{algorithm} {load}, idle {idle}");
        let mut next = requests.into_iter().cycle();
        println!("{}", load.run("proxied", &gateway, move || next.next()));
    }
}

/// A request by each person.
fn requests(keys: &Path, algorithm: Algorithm) -> Vec<Bytes> {
    let now = Clock::System.now();
    Keyring::generate(keys, algorithm, now).expect("keys");
    let ring = Keyring::load(keys, algorithm, now, Duration::ZERO).expect("keys");
    let spec = TokenSpec {
        issuer: ISSUER.to_owned(),
        audience: ISSUER.to_owned(),
        access_ttl: Duration::from_hours(1),
        leeway: Duration::ZERO,
        extra_claims: serde_json::Map::new(),
    };
    let masters = Masters::of(&Secret::new([7; 32])).expect("long enough");
    let tokens = Tokens::new(spec, &masters, Arc::new(ArcSwap::from_pointee(ring)));
    let request = |person: u64| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&person.to_be_bytes());
        let grant = Grant {
            subject: SessionId::new(id).to_string(),
            session: SessionId::new(id),
            phone: format!("+1{}", 2_010_000_000 + person),
            auth_time: now,
            amr: vec!["otp".to_owned(), "sms".to_owned()],
        };
        let token = tokens.issue_access(&grant, id, now).expect("signed");
        let head = "GET /hello HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer";
        Bytes::from(format!("{head} {token}\r\n\r\n"))
    };
    (0..PEOPLE).map(request).collect()
}

/// The app: whatever it is asked, it says the same.
async fn serve(listener: StdListener) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = TcpListener::from_std(listener).expect("a socket");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        drop(spawn_local(answer(stream)));
    }
}

async fn answer(mut stream: TcpStream) {
    let mut asked = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut asked).await {
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
