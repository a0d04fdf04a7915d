//! The honest client: asks every millisecond, on a thread of its own, and notes how long each answer took. It knows nothing of those beside it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{app, stage::PATIENCE};

/// What it asks, on one connection.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(1);

/// A client at work.
pub struct Honest {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Honest {
    /// Begins to ask there.
    pub fn at(address: SocketAddr) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        Self {
            enough,
            thread: thread::spawn(move || ask(address, &told)),
        }
    }

    /// Ends, and says how long the 99th of a hundred answers took.
    pub fn p99(self) -> Duration {
        self.enough.store(true, Relaxed);
        let mut took = self.thread.join().expect("every answer");
        took.sort_unstable();
        let at = took.len() * 99 / 100;
        took.get(at).copied().expect("answers")
    }

    /// How long it is for so long, when nothing else happens.
    pub fn alone(address: SocketAddr, span: Duration) -> Duration {
        let honest = Self::at(address);
        thread::sleep(span);
        honest.p99()
    }
}

fn ask(address: SocketAddr, enough: &AtomicBool) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut took = Vec::new();
    while !enough.load(Relaxed) {
        let asked_at = Instant::now();
        stream.write_all(REQUEST).expect("to be heard");
        read(&mut stream);
        took.push(asked_at.elapsed());
        thread::sleep(PAUSE);
    }
    took
}

/// Reads one answer of the app.
fn read(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(app::SAYS) {
        let length = stream.read(&mut piece).expect("an answer in time");
        assert_ne!(length, 0, "the honest client was cut off");
        answer.extend(piece.get(..length).unwrap_or_default());
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
