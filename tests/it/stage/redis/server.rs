//! One Redis server in a directory of its own: told what to do, frozen, killed and started again.

use std::{
    env, fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, JoinHandle},
};

use tempfile::TempDir;

use super::{PATIENCE, frame, port::Port, reply::Reply, wait_for};

/// A server. Dropping it kills it and removes what it kept.
#[derive(Debug)]
pub struct Server {
    port: Port,
    dir: TempDir,
    args: Vec<&'static str>,
    process: Option<Child>,
    is_frozen: AtomicBool,
}

/// Settings of a server that has acknowledged nothing it would not know after `kill -9`.
pub const DURABLE: [&str; 2] = ["appendonly yes", "appendfsync always"];

/// Names the program in the environment, to test with one of another version.
const PROGRAM: &str = "REDIS_SERVER";

/// What every server of a test has. Nothing is kept unless a test says so, and the stage has an account
/// of its own, so that it is heard whatever a test does to the others.
const SETTINGS: [&str; 9] = [
    "bind 127.0.0.1",
    "daemonize no",
    "logfile log",
    "unixsocket socket",
    "save \"\"",
    "appendonly no",
    "repl-diskless-sync yes",
    "repl-diskless-sync-delay 0",
    "user stage on >stage ~* &* +@all",
];

/// Its files.
const CONFIGURATION: &str = "redis.conf";
const LOG: &str = "log";
const SOCKET: &str = "socket";

impl Server {
    /// A server that has nothing but a port.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with further lines for its configuration: `requirepass hush`.
    pub fn with(settings: &[&str]) -> Self {
        let mut server = Self::at(Port::free(), settings);
        server.launch();
        server.is_up();
        server
    }

    /// One that is not started yet.
    pub fn at(port: Port, settings: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let has = |key: &str| settings.iter().any(|line| line.starts_with(key));
        let plain = format!("port {}", port.number());
        let mut lines = SETTINGS.to_vec();
        lines.push(if has("tls-port ") { "port 0" } else { &plain });
        lines.extend(settings);
        fs::write(dir.path().join(CONFIGURATION), lines.join("\n") + "\n").expect("a file");
        let mut args = vec![CONFIGURATION];
        args.extend(has("sentinel ").then_some("--sentinel"));
        Self {
            port,
            dir,
            args,
            process: None,
            is_frozen: AtomicBool::new(false),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its unix socket, where it speaks without TLS also if it has that.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(SOCKET)
    }

    /// Where it runs, and keeps what it keeps.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its answer to a command, as text: of a list, a member on each line.
    #[track_caller]
    pub fn cli(&self, command: &[&str]) -> String {
        match self.ask(command) {
            Ok(Reply::Error(error)) => panic!("{command:?}: {error}"),
            Ok(reply) => reply.text(),
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Its answer to a command, if it is there to give one.
    pub fn ask(&self, command: &[&str]) -> io::Result<Reply> {
        ask(&self.socket(), command)
    }

    /// The same, without waiting for the answer.
    pub fn background(&self, command: &[&str]) -> JoinHandle<io::Result<Reply>> {
        let socket = self.socket();
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        thread::spawn(move || {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            ask(&socket, &command)
        })
    }

    /// The value of a line in what it tells of itself.
    pub fn info(&self, name: &str) -> Option<String> {
        let reply = self.ask(&["INFO", "everything"]).ok()?.text();
        let mut pairs = reply.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Some(value.to_owned())
    }

    /// Whether it was started, and neither killed nor frozen.
    pub fn is_running(&self) -> bool {
        self.process.is_some() && !self.is_frozen.load(Ordering::Relaxed)
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("to be killed");
            process.wait().expect("its end");
        }
    }

    /// Stops it in the middle of whatever it does. The system still takes connections in its name.
    pub fn freeze(&self) {
        self.signal("STOP");
        self.is_frozen.store(true, Ordering::Relaxed);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
        self.is_frozen.store(false, Ordering::Relaxed);
    }

    /// Kills it if it runs, and starts it on the same port with what is left on its disk.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
        self.is_up();
    }

    /// The same, with nothing left.
    pub fn restart_empty(&mut self) {
        self.kill();
        for entry in fs::read_dir(self.dir()).expect("its directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() {
                fs::remove_dir_all(&path).expect("to be removed");
            } else if name.ends_with(".aof") || name.ends_with(".rdb") {
                fs::remove_file(&path).expect("to be removed");
            }
        }
        self.launch();
        self.is_up();
    }

    /// Starts it and does not wait.
    pub fn launch(&mut self) {
        // What an earlier one left.
        drop(fs::remove_file(self.socket()));
        let program = env::var(PROGRAM).unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(&program)
            .args(&self.args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("{program}, see tests/run: {error}"));
        self.process = Some(process);
        self.is_frozen.store(false, Ordering::Relaxed);
    }

    /// Waits until it answers, with all its data read.
    pub fn is_up(&mut self) {
        let socket = self.socket();
        let process = self.process.as_mut().expect("started");
        wait_for("a server that answers", || {
            let ended = process.try_wait().expect("a process");
            if let Some(status) = ended {
                let log = fs::read_to_string(self.dir.path().join(LOG));
                panic!("{status}: {}", log.unwrap_or_default());
            }
            let reply = ask(&socket, &["PING"]).ok()?;
            (reply.text() == "PONG").then_some(())
        });
    }

    fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("running");
        let sent = Command::new("kill")
            .args(["-s", name, &process.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// On a connection of its own, with the stage's account.
fn ask(socket: &Path, command: &[&str]) -> io::Result<Reply> {
    let mut line = UnixStream::connect(socket)?;
    line.set_read_timeout(Some(PATIENCE))?;
    let mut unread = Vec::new();
    let mut reply = Reply::Nothing;
    for command in [&["AUTH", "stage", "stage"], command] {
        line.write_all(&frame::of(command))?;
        reply = Reply::read(&mut line, &mut unread)?;
    }
    Ok(reply)
}
