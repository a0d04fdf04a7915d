//! The program itself, as an operator runs it: the real binary, what it prints, and its end.

use std::{net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, inbox::Inbox};

/// A running process. Dropping it kills it.
pub struct Program {
    child: Child,
    /// What it prints.
    pub out: Inbox,
    /// What it complains about.
    pub err: Inbox,
}

impl Program {
    /// Runs `otp-gateway` with these arguments in `dir`.
    pub fn run(dir: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_otp-gateway"))
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program");
        let (out, err) = (Inbox::default(), Inbox::default());
        tokio::spawn(copy(child.stdout.take().expect("a pipe"), out.clone()));
        tokio::spawn(copy(child.stderr.take().expect("a pipe"), err.clone()));
        Self { child, out, err }
    }

    /// Where clients connect, as soon as it says so.
    pub async fn address(&self) -> SocketAddr {
        let line = self.out.line(|line| line.contains("listening  ")).await;
        let url = line.split("http://").nth(1).expect("a URL");
        let address = url.split('/').next().expect("an address");
        address.parse().expect("an address")
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
}

async fn copy(from: impl AsyncRead + Unpin, mut to: Inbox) {
    use std::io::Write;
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        writeln!(to, "{line}").expect("an inbox takes everything");
    }
}
