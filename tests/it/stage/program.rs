//! The program itself, as an operator runs it: the real binary, what it prints, and its end.

use std::{net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    PATIENCE,
    client::{Answer, Call},
    inbox::Inbox,
};

/// A running process. Dropping it kills it.
pub struct Program {
    child: Child,
    copies: [JoinHandle<()>; 2],
    /// What it prints.
    pub out: Inbox,
    /// What it complains about.
    pub err: Inbox,
}

impl Program {
    /// Runs `otp-gateway` with these arguments in `dir`.
    pub fn run(dir: &Path, args: &[&str]) -> Self {
        Self::run_where(dir, args, &[])
    }

    /// The same, with these variables in its environment.
    pub fn run_where(dir: &Path, args: &[&str], variables: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_otp-gateway"))
            .args(args)
            .envs(variables.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program");
        let (out, err) = (Inbox::default(), Inbox::default());
        let stdout = copy(child.stdout.take().expect("a pipe"), out.clone());
        let stderr = copy(child.stderr.take().expect("a pipe"), err.clone());
        let copies = [tokio::spawn(stdout), tokio::spawn(stderr)];
        Self {
            child,
            copies,
            out,
            err,
        }
    }

    /// Where clients connect, as soon as it says so.
    pub async fn address(&self) -> SocketAddr {
        self.address_behind("listening  ").await
    }

    /// What operators see.
    pub async fn operators(&self, path: &str) -> Answer {
        let address = self.address_behind("operators  ").await;
        Call::new(address, "GET", path).send().await
    }

    async fn address_behind(&self, word: &str) -> SocketAddr {
        let line = self.out.line(|line| line.contains(word)).await;
        let url = line.split("http://").nth(1).expect("a URL");
        let address = url.split('/').next().expect("an address");
        address.parse().expect("an address")
    }

    /// Sends it a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("running").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.expect("kill").success());
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(mut self) {
        let killed = timeout(PATIENCE, self.child.kill());
        killed.await.expect("an end in time").expect("its end");
    }

    /// Waits for its own end: the exit code.
    pub async fn ends(&mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("an end in time").expect("its end");
        status.code().expect("no signal")
    }

    /// All it printed and all it complained about, once it has ended.
    pub async fn said(self) -> (String, String) {
        for copied in self.copies {
            copied.await.expect("all of it");
        }
        let text = |inbox: Inbox| inbox.lines().join("\n");
        (text(self.out), text(self.err))
    }
}

async fn copy(from: impl AsyncRead + Unpin, mut to: Inbox) {
    use std::io::Write;
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        writeln!(to, "{line}").expect("an inbox takes everything");
    }
}
