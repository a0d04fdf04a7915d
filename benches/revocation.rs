//! How soon a logout at one gateway stops the token at another: two gateways in this process, a Redis of their own.
//!
//!     cargo bench --bench revocation -- --logouts 1000
//!
//! The token is sent to the other gateway again and again while it is logged out at the first one. What
//! counts is the time from the logout's answer to the first refusal, and that no request in between
//! asks Redis for anything.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]
#![expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream as StdStream},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use otp_gateway::{
    Clock,
    app::{App, Deps},
    config::Loaded,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    time::timeout,
};

/// How soon a logout is known everywhere.
#[derive(Debug, Parser)]
struct Options {
    /// Logouts, one after another
    #[arg(long, default_value_t = 500)]
    logouts: u64,
    /// Protected requests while nobody logs in or out
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A server with nothing in it, which ends with this process.
struct Redis {
    process: Child,
    address: SocketAddr,
    _home: TempDir,
}

/// A gateway in this process.
struct Gateway {
    app: Option<App>,
    address: SocketAddr,
    messages: Receiver<String>,
}

/// A keep-alive connection.
struct Line(TcpStream);

/// Where the console provider prints.
struct Console(Sender<String>);

/// How long anything may take before the benchmark is given up.
const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "a secret of the benchmark, which is as long as it has to be";
const LIMITS: &str = r#"["100000000/1h per ip"]"#;

fn main() {
    let options = Options::parse();
    let server = Redis::start();
    // Keys and all else that gateways of one installation share.
    let home = TempDir::new().expect("a directory");
    let start = || Gateway::start(&server, &home);
    let (a, b) = (start(), start());
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let whole = measure(&options, &server, &a, &b);
        timeout(PATIENCE * 10, whole).await.expect("an end in time");
    });
}

async fn measure(options: &Options, server: &Redis, a: &Gateway, b: &Gateway) {
    let (mut to_a, mut to_b) = (Line::to(a).await, Line::to(b).await);
    let token = a.log_in(&mut to_a, 0).await;
    let before = server.scripts();
    for _ in 0..options.requests {
        assert_eq!(to_b.get("/", &token).await, 200);
    }
    println!(
        "{} protected requests: {} scripts run by Redis",
        options.requests,
        server.scripts() - before
    );

    let (mut after_answer, mut after_request) = (Vec::new(), Vec::new());
    for n in 1..=options.logouts {
        let token = a.log_in(&mut to_a, n).await;
        assert_eq!(to_b.get("/", &token).await, 200);
        let asked_at = Instant::now();
        let logout = async {
            assert_eq!(to_a.post("logout", &token, &json!({})).await.0, 204);
            Instant::now()
        };
        let refusal = async {
            while to_b.get("/", &token).await != 401 {}
            Instant::now()
        };
        let (answered_at, refused_at) = tokio::join!(logout, refusal);
        after_answer.push(refused_at.saturating_duration_since(answered_at));
        after_request.push(refused_at - asked_at);
    }
    println!(
        "{} logouts, until the other gateway refuses:",
        options.logouts
    );
    show("from the logout's answer", after_answer);
    show("from the logout's request", after_request);
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let millis = |per_mille: usize| {
        let at = (times.len() * per_mille / 1000).min(times.len() - 1);
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "  {what:28} p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        millis(500),
        millis(990),
        millis(1000)
    );
}

impl Redis {
    fn start() -> Self {
        let home = TempDir::new().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let process = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(home.path())
            .stdout(Stdio::null())
            .spawn();
        let server = Self {
            process: process.expect("redis-server, see tests/run"),
            address,
            _home: home,
        };
        let since = Instant::now();
        while server.connect().is_err() {
            assert!(since.elapsed() < PATIENCE, "it does not listen");
            thread::yield_now();
        }
        server
    }

    fn connect(&self) -> io::Result<StdStream> {
        StdStream::connect(self.address)
    }

    /// Scripts that it has run so far.
    fn scripts(&self) -> u64 {
        let mut line = self.connect().expect("a connection");
        line.write_all(b"INFO commandstats\r\nQUIT\r\n")
            .expect("to be heard");
        let mut stats = String::new();
        line.read_to_string(&mut stats).expect("an answer");
        let mut lines = stats.lines();
        let evalsha = lines.find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls = evalsha.and_then(|rest| rest.split(',').next()?.parse().ok());
        calls.expect("a number")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Gateway {
    fn start(server: &Redis, home: &TempDir) -> Self {
        let text = format!(
            "server.listen = \"127.0.0.1:0\"\nserver.workers = 1\nserver.access_log = false\n\
             server.secret = \"{SECRET}\"\nserver.data_dir = \"{}\"\nadmin.listen = \"off\"\n\
             store.url = \"redis://{}\"\notp.limits = {LIMITS}\notp.guard.mode = \"off\"\n\
             tokens.issuer = \"https://bench.example\"\n\
             [[routes]]\npath = \"/\"\n[upstreams.app]\nservers = [\"demo:\"]\n",
            home.path().display(),
            server.address,
        );
        let loaded: Loaded = text.parse().expect("a configuration");
        let (printed, messages) = channel();
        let deps = Deps {
            clock: Clock::System,
            console: Box::new(Console(printed)),
            access_log: Box::new(io::sink()),
        };
        let app = App::start(loaded.config, deps).expect("a gateway");
        let address = app.listeners().first().expect("an address").address;
        Self {
            app: Some(app),
            address,
            messages,
        }
    }

    /// Logs the `n`th person in: the access token.
    async fn log_in(&self, line: &mut Line, n: u64) -> String {
        let number = format!("+1{}", 2_010_000_000 + n);
        let asked = json!({ "mobile_number": number });
        assert_eq!(line.post("send-otp", "", &asked).await.0, 200);
        let message = self.messages.recv_timeout(PATIENCE).expect("a message");
        let text = message.split_once(": ").map(|(_, text)| text);
        let code = text.and_then(|text| text.split(' ').next());
        let answer = json!({ "mobile_number": number, "otp": code, "device_info": "bench" });
        let (status, tokens) = line.post("verify-otp", "", &answer).await;
        assert_eq!(status, 200, "{tokens}");
        let token = tokens.get("access_token").and_then(Value::as_str);
        token.expect("a token").to_owned()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.abort();
            app.wait();
        }
    }
}

impl Line {
    async fn to(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.address).await;
        let stream = stream.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    /// The status of the answer.
    async fn get(&mut self, path: &str, token: &str) -> u16 {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: bench.example\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        self.exchange(&request).await.0
    }

    /// The status of the answer, and its body.
    async fn post(&mut self, endpoint: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let token = match token {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let request = format!(
            "POST /api/auth/{endpoint} HTTP/1.1\r\nhost: bench.example\r\n{token}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange(&request).await
    }

    async fn exchange(&mut self, request: &str) -> (u16, Value) {
        self.0
            .write_all(request.as_bytes())
            .await
            .expect("to be heard");
        let mut answer = Vec::with_capacity(4096);
        let (head, length) = loop {
            assert_ne!(self.0.read_buf(&mut answer).await.expect("an answer"), 0);
            if let Some((head, length)) =
                extent(&answer).filter(|(head, length)| answer.len() >= head + length)
            {
                break (head, length);
            }
        };
        let text = String::from_utf8_lossy(&answer);
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = text.get(head..head + length).unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or_default();
        (status.expect("a status"), body)
    }
}

/// How long head and body are, as soon as the whole head is there.
fn extent(answer: &[u8]) -> Option<(usize, usize)> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(answer.get(..head)?).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())?
    });
    Some((head, length.unwrap_or(0)))
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // Whoever reads no more has ended.
        drop(self.0.send(text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
