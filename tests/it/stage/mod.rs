//! The stage: a whole gateway on free ports, an app behind it that does as told, and a phone that receives the codes.

pub mod browser;
pub mod carrier;
pub mod chromium;
pub mod client;
pub mod frames;
pub mod grpc;
pub mod h2;
pub mod h2_app;
pub mod inbox;
pub mod jwt;
pub mod papers;
pub mod program;
pub mod redis;
pub mod siteverify;
pub mod steps;
pub mod tls;
pub mod upstream;
pub mod wire;
pub mod witness;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use otp_gateway::{
    Clock, Timestamp,
    app::{App, Deps, Ending},
    config::{Flags, Source},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use self::{
    client::{Answer, Call},
    inbox::Inbox,
    upstream::Upstream,
};

/// A gateway and everything around it. Dropping it stops the gateway.
pub struct Stage {
    app: Option<App>,
    /// Where clients connect in the clear.
    pub address: SocketAddr,
    /// All addresses: in the clear, by TLS, to be led there.
    pub addresses: Vec<SocketAddr>,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// The app behind the gateway.
    pub upstream: Upstream,
    /// Every phone.
    pub inbox: Inbox,
    /// The access log.
    pub access_log: Inbox,
    /// The gateway's time.
    pub clock: Clock,
    /// Its data and its configuration.
    pub dir: TempDir,
}

/// What a login gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub session: String,
}

/// A number that libphonenumber knows as possible, and so are its neighbours.
pub const PHONE: &str = "+14155550100";

/// When the gateway's clock starts: a moment with nothing special about it.
const START: Timestamp = Timestamp::from_secs(1_900_000_000);

/// The setting that puts a trusted proxy in front: this very machine, which speaks for every client
/// that [`client::Call::sent_from`] names.
pub const BEHIND_A_PROXY: &str = "server.trusted_proxies = [\"127.0.0.1\"]";

/// The setting that adds an address for HTTPS; its certificates are further ones.
pub const HTTPS: &str = "server.tls.listen = \"127.0.0.1:0\"";

/// The setting that adds an address that only leads there.
pub const REDIRECT: &str = "server.tls.redirect = \"127.0.0.1:0\"";

/// Where [`Stage::settle`] sends its message.
const SENTINEL: &str = "+14155559999";

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The last moment at which `span` is not over yet.
pub fn just_before(span: Duration) -> Duration {
    span.saturating_sub(Duration::from_millis(1))
}

impl Stage {
    /// A gateway with the defaults, a memory store and one route that needs a token.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, with further settings as lines of TOML: dotted keys first (`otp.ttl = "1m"`),
    /// which replace the stage's own, then tables; tables of routes replace the stage's route.
    pub async fn with(settings: &[&str]) -> Self {
        Self::over(Upstream::start().await, settings).await
    }

    /// The same over an app that is already there.
    pub async fn over(upstream: Upstream, settings: &[&str]) -> Self {
        Self::open(upstream, settings, Clock::manual(START)).await
    }

    /// The same with the time of this machine, which no test moves.
    pub async fn at_present(settings: &[&str]) -> Self {
        Self::open(Upstream::start().await, settings, Clock::System).await
    }

    async fn open(upstream: Upstream, settings: &[&str], clock: Clock) -> Self {
        let dir = TempDir::new().expect("a directory");
        let text = configuration(&dir, upstream.address, settings);
        let file = dir.path().join("gateway.toml");
        std::fs::write(&file, text).expect("a file");
        Self::start(dir, upstream, clock).await
    }

    /// Starts from the configuration in `dir`.
    async fn start(dir: TempDir, upstream: Upstream, clock: Clock) -> Self {
        let source = Source {
            file: Some(dir.path().join("gateway.toml")),
            flags: Flags::default(),
        };
        let loaded = source.load().unwrap_or_else(|error| panic!("{error}"));
        let inbox = Inbox::default();
        let access_log = Inbox::default();
        let deps = Deps {
            clock: clock.clone(),
            console: Box::new(inbox.clone()),
            access_log: Box::new(access_log.clone()),
        };
        let app = spawn_blocking(|| App::start(loaded.config, deps))
            .await
            .expect("no panic")
            .unwrap_or_else(|error| panic!("{error}"));
        let listeners = app.listeners().iter();
        let addresses: Vec<_> = listeners.map(|listener| listener.address).collect();
        Self {
            address: addresses[0],
            addresses,
            admin: app.admin().expect("an admin listener"),
            app: Some(app),
            upstream,
            inbox,
            access_log,
            clock,
            dir,
        }
    }

    /// Stops the gateway in order and starts another one on what it left behind.
    pub async fn restart(mut self) -> Self {
        let app = self.app.take().expect("running");
        app.stop();
        let ending = spawn_blocking(|| app.wait()).await.expect("no panic");
        assert_eq!(ending, Ending::Asked);
        let dir = std::mem::replace(&mut self.dir, TempDir::new().expect("a directory"));
        let upstream = self.upstream.clone();
        Self::start(dir, upstream, self.clock.clone()).await
    }

    /// Gives the gateway away, to watch its end.
    pub fn take_app(&mut self) -> App {
        self.app.take().expect("running")
    }

    /// Lets the gateway's time pass.
    pub fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Where HTTPS is spoken, by [`HTTPS`].
    pub fn https(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// Where clients are led there, by [`REDIRECT`].
    pub fn redirect(&self) -> SocketAddr {
        self.addresses[2]
    }

    pub fn get(&self, path: &str) -> Call {
        Call::new(self.address, "GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        Call::new(self.address, "POST", path)
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address, method, path)
    }

    /// What operators see.
    pub async fn operators(&self, path: &str) -> Answer {
        Call::new(self.admin, "GET", path).send().await
    }

    /// The number behind a metric's name and labels; what never happened was counted zero times.
    pub async fn metric(&self, name: &str) -> u64 {
        let metrics = self.operators("/metrics").await.text();
        let line = format!("otp_gateway_{name} ");
        let count = metrics.lines().find_map(|found| found.strip_prefix(&line));
        count.map_or(0, |count| count.parse().expect("a number"))
    }

    /// How many connections of clients were ended for this reason.
    pub async fn ended(&self, reason: &str) -> u64 {
        self.metric(&format!("connections_ended_total{{reason=\"{reason}\"}}"))
            .await
    }

    /// A request for a code.
    pub fn send_otp(&self, phone: &str) -> Call {
        self.post("/api/auth/send-otp")
            .json(&json!({ "mobile_number": phone }))
    }

    /// An answer to one.
    pub fn verify_otp(&self, phone: &str, code: &str) -> Call {
        self.post("/api/auth/verify-otp")
            .json(&json!({ "mobile_number": phone, "otp": code, "device_info": "test" }))
    }

    /// Asks for a code.
    pub async fn ask_for_code(&self, phone: &str) -> Answer {
        self.send_otp(phone).send().await
    }

    /// Answers one.
    pub async fn answer(&self, phone: &str, code: &str) -> Answer {
        self.verify_otp(phone, code).send().await
    }

    /// Waits until every message that was queued has arrived: messages go out in their order, so
    /// that one more tells. At most three times per stage, and it counts as a send from this machine.
    pub async fn settle(&self) {
        let before = self.inbox.messages_to(SENTINEL).len();
        let asked = self.ask_for_code(SENTINEL).await;
        assert_eq!(asked.status, 200, "{asked:?}");
        self.inbox.nth_code_for(SENTINEL, before + 1).await;
    }

    /// Asks for a code and waits for its message, whose place a further one would else take.
    pub async fn receive_code(&self, phone: &str) -> String {
        let before = self.inbox.messages_to(phone).len();
        let asked = self.ask_for_code(phone).await;
        assert_eq!(asked.status, 200, "{asked:?}");
        self.inbox.nth_code_for(phone, before + 1).await
    }

    /// Logs somebody in, the whole way.
    pub async fn log_in(&self, phone: &str) -> Tokens {
        let code = self.receive_code(phone).await;
        let answered = self.answer(phone, &code).await;
        assert_eq!(answered.status, 200, "{answered:?}");
        Tokens::of(&answered.json())
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/auth/refresh")
            .json(&json!({ "refresh_token": token }))
            .send()
            .await
    }
}

impl Tokens {
    /// From the answer to a login or a refresh.
    pub fn of(answer: &Value) -> Self {
        let text = |name: &str| {
            answer[name]
                .as_str()
                .unwrap_or_else(|| panic!("{name}"))
                .to_owned()
        };
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            session: text("session_id"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.abort();
            // The next test may want the file or the ports; nothing of this one stays behind.
            app.wait();
        }
    }
}

fn configuration(dir: &TempDir, upstream: SocketAddr, settings: &[&str]) -> String {
    let data = dir.path().display();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut tables = String::new();
    for setting in [
        "server.listen = \"127.0.0.1:0\"",
        "server.workers = 2",
        "admin.listen = \"127.0.0.1:0\"",
        "store.url = \"memory:\"",
        // Most tests are about something else, and answer few of their codes.
        "otp.guard.mode = \"off\"",
        &format!("server.data_dir = \"{data}\""),
        &format!("upstreams.app.servers = \"http://{upstream}\""),
    ]
    .into_iter()
    .chain(settings.iter().copied())
    {
        if setting.trim_start().starts_with('[') {
            tables.push_str(setting);
            tables.push('\n');
        } else {
            let key = setting.split('=').next().expect("a key").trim();
            keys.insert(key.to_owned(), setting.to_owned());
        }
    }
    if !tables.contains("[[routes]]") {
        tables.push_str("[[routes]]\npath = \"/\"\nupstream = \"app\"\n");
    }
    let keys: Vec<String> = keys.into_values().collect();
    format!("{}\n\n{tables}", keys.join("\n"))
}
