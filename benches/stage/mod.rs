//! The stage of benchmarks that measure a running gateway: its process on a core of its own, and what it used; knows nothing of the load.
//!
//! Loopback charges the kernel's work to whoever sends, so what a process used is its own share.

pub mod load;

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio, id},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// How long anything may take before the benchmark is given up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in a process of its own. Dropping it ends it and removes its data.
pub struct Gateway {
    process: Child,
    /// Where clients connect.
    pub address: SocketAddr,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Time on a processor, all threads together.
    pub cpu: Duration,
    /// Bytes of memory that it holds now.
    pub rss: u64,
}

/// A size in memory, for people.
pub struct Mebibytes(pub u64);

impl Gateway {
    /// Starts the gateway with one worker and quiet logs, its data in `home`. `settings` are further
    /// lines of its configuration, dotted keys before tables. What it prints from then on comes along.
    ///
    /// On a machine with two cores or more it has the last one, and this process the first.
    pub fn start(home: &TempDir, settings: &str) -> (Self, Receiver<String>) {
        let path = home.path();
        let file = path.join("gateway.toml");
        let text = format!(
            "server.listen = \"127.0.0.1:0\"\nserver.workers = 1\nserver.access_log = false\n\
             server.data_dir = \"{}\"\nadmin.listen = \"off\"\nlog.level = \"warn\"\n{settings}",
            path.join("data").display()
        );
        fs::write(&file, text).expect("a configuration");
        let program = env!("CARGO_BIN_EXE_otp-gateway");
        let mut command = match Cores::ours() {
            Some(Cores { first, last }) => {
                pin_this_process(&first);
                let mut taskset = Command::new("taskset");
                taskset.args(["-c", &last, program]);
                taskset
            }
            None => Command::new(program),
        };
        let mut process = command
            .arg("--config")
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a gateway");
        let lines = lines_of(&mut process);
        let address = address_in(&lines);
        (Self { process, address }, lines)
    }

    /// What it has used.
    pub fn usage(&self) -> Usage {
        Usage::of(self.process.id())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().expect("a running gateway");
        self.process.wait().expect("an end");
    }
}

impl Usage {
    /// As Linux counts it, to the nanosecond (`schedstat`).
    fn of(process: u32) -> Self {
        let home = format!("/proc/{process}");
        let threads = fs::read_dir(format!("{home}/task")).expect("Linux");
        let nanos = threads.flatten().map(|thread| {
            let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let spent = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
            spent.unwrap_or(0)
        });
        let status = fs::read_to_string(format!("{home}/status")).expect("Linux");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = rss.and_then(|rss| rss.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Self {
            cpu: Duration::from_nanos(nanos.sum()),
            rss: kib.expect("a size in kB") * 1024,
        }
    }
}

impl fmt::Display for Mebibytes {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

/// Two cores that we may use.
struct Cores {
    first: String,
    last: String,
}

impl Cores {
    /// None when there is but one, or no `taskset` to say who gets which.
    fn ours() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        // A list of ranges: "0-3,8".
        let bounds: Vec<&str> = allowed.trim().split([',', '-']).collect();
        let (first, last) = (bounds.first()?, bounds.last()?);
        let has_taskset = Command::new("taskset").arg("--version").output().is_ok();
        (first != last && has_taskset).then(|| Self {
            first: (*first).to_owned(),
            last: (*last).to_owned(),
        })
    }
}

/// Threads that are started later stay on the core of the one that starts them.
fn pin_this_process(core: &str) {
    let mut taskset = Command::new("taskset");
    let pinned = taskset.args(["-cp", core, &id().to_string()]).output();
    assert!(pinned.expect("taskset").status.success(), "taskset failed");
}

/// The address in its greeting, which says that it accepts connections.
fn address_in(lines: &Receiver<String>) -> SocketAddr {
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("a greeting");
        if let Some((_, url)) = line.split_once("http://") {
            let address = url.split('/').next().and_then(|text| text.parse().ok());
            return address.expect("an address");
        }
    }
}

fn lines_of(process: &mut Child) -> Receiver<String> {
    let out = process.stdout.take().expect("a pipe");
    let (sender, lines) = channel();
    thread::spawn(move || {
        let read = BufReader::new(out).lines().map_while(Result::ok);
        // It ends with the gateway, or when nobody wants the lines any more.
        read.into_iter().try_for_each(|line| sender.send(line).ok())
    });
    lines
}
