//! A WebSocket library on both ends (`websockets`, from PyPI): whatever it says passes through the gateway untouched.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::stage::{HTTPS, PATIENCE, PHONE, Stage, papers::Papers};

/// Where `tests/run` installs it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");

/// The scripts beside this file.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/websocket/python");

/// A server that says everything back; ends when it is dropped.
pub struct Echo {
    pub port: u16,
    _process: Child,
}

impl Echo {
    pub async fn start() -> Self {
        let mut process = Command::new(PYTHON)
            .arg(format!("{SCRIPTS}/echo.py"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python with websockets, which tests/run installs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let started = timeout(PATIENCE, lines.next_line()).await;
        let port = started.expect("a start in time").expect("text");
        Self {
            port: port.expect("a port").parse().expect("a number"),
            _process: process,
        }
    }

    pub fn setting(&self) -> String {
        format!("upstreams.app.servers = \"http://127.0.0.1:{}\"", self.port)
    }
}

/// Runs the client, which fails at the first thing that is not as it should be.
async fn converse(url: &str, token: &str, authority: &str) {
    let client = Command::new(PYTHON)
        .arg(format!("{SCRIPTS}/client.py"))
        .args([url, token, authority])
        .kill_on_drop(true)
        .output();
    let ended = timeout(PATIENCE * 3, client).await.expect("an end in time");
    let ended = ended.expect("python");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
}

#[tokio::test]
async fn a_library_on_both_ends_finds_nothing_changed() {
    let echo = Echo::start().await;
    let stage = Stage::with(&[&echo.setting()]).await;
    let tokens = stage.log_in(PHONE).await;
    let url = format!("ws://{}/live", stage.address);
    converse(&url, &tokens.access, "").await;
}

#[tokio::test]
async fn neither_does_it_through_tls() {
    let papers = Papers::new();
    let certificates = papers.server("server", "DNS:localhost").setting();
    let echo = Echo::start().await;
    let stage = Stage::with(&[&echo.setting(), HTTPS, &certificates]).await;
    let tokens = stage.log_in(PHONE).await;
    let url = format!("wss://localhost:{}/live", stage.https().port());
    let authority = papers.authority();
    converse(&url, &tokens.access, authority.to_str().expect("text")).await;
}
