//! The stage of benchmarks that measure a running gateway: its process on a core of its own, and what it used; knows nothing of the load.
//!
//! Loopback charges the kernel's work to whoever sends, so what a process used is its own share.

pub mod load;

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio, id},
    sync::{
        LazyLock,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// How long anything may take before the benchmark is given up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in a process of its own, which ends with it.
pub struct Gateway {
    process: Process,
    /// Where clients connect.
    pub address: SocketAddr,
}

/// Any process, which ends with this.
pub struct Process(pub Child);

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
        let mut command = on_its_core(env!("CARGO_BIN_EXE_otp-gateway"));
        command.arg("--config").arg(file).stdout(Stdio::piped());
        let mut process = Process(command.spawn().expect("a gateway"));
        let lines = lines_of(&mut process.0);
        let address = address_in(&lines, "http");
        (Self { process, address }, lines)
    }

    /// What it has used.
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }
}

/// A program on the core of what is measured.
pub fn on_its_core(program: &str) -> Command {
    match CORE.as_deref() {
        Some(core) => {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", core, program]);
            taskset
        }
        None => Command::new(program),
    }
}

impl Process {
    /// What it has used.
    pub fn usage(&self) -> Usage {
        Usage::of(self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        drop(self.0.kill());
        drop(self.0.wait());
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

/// The core that gateways run on, once this process has moved to another one. None when there is
/// but one core, or no `taskset` to say who gets which.
static CORE: LazyLock<Option<String>> = LazyLock::new(|| {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    // A list of ranges: "0-3,8".
    let bounds: Vec<&str> = allowed.trim().split([',', '-']).collect();
    let (first, last) = (bounds.first()?, bounds.last()?);
    if first == last {
        return None;
    }
    // Threads that are started later stay on the core of the one that starts them.
    let mut taskset = Command::new("taskset");
    let moved = taskset.args(["-cp", first, &id().to_string()]).output();
    moved.ok()?.status.success().then(|| (*last).to_owned())
});

/// The next address of this scheme in its greeting, which says that it accepts connections.
pub fn address_in(lines: &Receiver<String>, scheme: &str) -> SocketAddr {
    let scheme = format!("{scheme}://");
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("a greeting");
        if let Some((_, url)) = line.split_once(&scheme) {
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
