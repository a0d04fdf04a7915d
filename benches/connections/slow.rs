//! Clients that send a byte a second, one half of them of a head and one of a body, and come back whenever they are cut off: what
//! they do to a client as there are many. It knows nothing of what cuts them off.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    runtime::{self, Runtime},
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    Goal, Report, app,
    honest::Honest,
    millis,
    stage::{Gateway, PATIENCE},
};

/// How long a quiet time lasts, and a slow one.
const SPAN: Duration = Duration::from_secs(5);

/// Between two bytes.
const PAUSE: Duration = Duration::from_secs(1);

/// So many times the quiet value it may take at most.
const TARGET: f64 = 2.0;

/// How many come from one address.
const PER_ADDRESS: u32 = 50;

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
const BODY: &[u8] = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n";

/// Measures quiet and slow times in turn.
pub fn measure(count: u32, rounds: u32, report: &mut Report) {
    report.part(format!(
        "{count} slow clients, and how long an answer takes another one (99 of 100)"
    ));
    let home = TempDir::new().expect("a directory");
    let (gateway, _lines) = Gateway::start(&home, &app::settings(app::start()));
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let quiet = Honest::alone(gateway.address, SPAN);
        let crowd = Crowd::gather(count, gateway.address);
        let before = gateway.usage();
        let slow = Honest::alone(gateway.address, SPAN);
        let cpu = gateway.usage().cpu.saturating_sub(before.cpu).as_secs_f64() / SPAN.as_secs_f64();
        crowd.disperse();
        let ratio = slow.as_secs_f64() / quiet.as_secs_f64();
        ratios.push(ratio);
        report.line(format!(
            "quiet {:.2} ms, with them {:.2} ms: {ratio:.2} times; {:.0} % of a core",
            millis(quiet),
            millis(slow),
            cpu * 100.0
        ));
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().expect("rounds");
    let goal = Goal::of(median < TARGET);
    report.judged(
        format!("median {median:.2} times"),
        format!("< {TARGET} times"),
        goal,
    );
}

/// All of them, on a thread of their own.
struct Crowd(Runtime);

impl Crowd {
    /// Comes together within a second, and waits until everybody is there.
    fn gather(count: u32, address: SocketAddr) -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let there = Arc::new(AtomicU32::new(0));
        for n in 0..count {
            let there = Arc::clone(&there);
            runtime.spawn(async move {
                // So that they do not all send at the same moment.
                sleep(PAUSE * n / count).await;
                there.fetch_add(1, Relaxed);
                loop {
                    dawdle(n, address).await;
                }
            });
        }
        let since = Instant::now();
        while there.load(Relaxed) < count {
            assert!(since.elapsed() < PATIENCE, "they are not all connected");
            thread::sleep(Duration::from_millis(20));
        }
        Self(runtime)
    }

    fn disperse(self) {
        self.0.shutdown_timeout(PATIENCE);
        // What the gateway does about it is no part of the next quiet time.
        thread::sleep(PAUSE);
    }
}

/// One of them, until it is cut off.
async fn dawdle(n: u32, address: SocketAddr) {
    let (start, byte) = if n.is_multiple_of(2) {
        (HEAD, b"a")
    } else {
        (BODY, b"b")
    };
    let Some(mut stream) = connect(n, address).await else {
        return sleep(PAUSE).await;
    };
    if stream.write_all(start).await.is_err() {
        return;
    }
    let mut seconds = interval(PAUSE);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let mut answer = [0; 512];
        let is_cut_off = matches!(stream.try_read(&mut answer), Ok(0));
        if is_cut_off || stream.write_all(byte).await.is_err() {
            return;
        }
    }
}

async fn connect(n: u32, address: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    let from = Ipv4Addr::from_bits(0x7f02_0001 + n / PER_ADDRESS);
    socket.bind((from, 0).into()).ok()?;
    socket.connect(address).await.ok()
}
