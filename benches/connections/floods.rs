//! Floods of HTTP/2 frames on one connection: how soon it is closed, what it has cost by then, and what another client noticed.
//! It knows nothing of what each is stopped by.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Goal, Report, app,
    frames::{self, END_HEADERS, END_STREAM, frame, kind},
    honest::Honest,
    millis,
    stage::Gateway,
};

/// A flood that is not stopped by then is given up.
const LONGEST: Duration = Duration::from_secs(3);

/// As soon as this the connection is to be closed.
const TARGET: Duration = Duration::from_secs(1);

/// Frames in one write.
const BATCH: u32 = 50;

/// How long the other client is watched without a flood.
const QUIET: Duration = Duration::from_secs(1);

/// What it is flooded with.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// Requests that make the server reset them (CVE-2025-8671).
    MadeYouReset,
    /// A header block that goes on and on (CVE-2024-27316).
    Continuation,
    /// The same without a single header.
    EmptyContinuation,
    /// PING (CVE-2019-9512).
    Ping,
    /// SETTINGS (CVE-2019-9515).
    Settings,
    /// A body in pieces of nothing (CVE-2019-9518).
    EmptyData,
    /// PRIORITY (CVE-2019-9513).
    Priority,
    /// Window updates for the connection, a byte each.
    WindowUpdate,
    /// Frames that nobody has defined.
    Unknown,
}

const FLOODS: [(Flood, &str); 10] = [
    (Flood::RapidReset, "rapid reset"),
    (Flood::MadeYouReset, "made you reset"),
    (Flood::Continuation, "CONTINUATION"),
    (Flood::EmptyContinuation, "empty CONTINUATION"),
    (Flood::Ping, "PING"),
    (Flood::Settings, "SETTINGS"),
    (Flood::EmptyData, "empty DATA"),
    (Flood::Priority, "PRIORITY"),
    (Flood::WindowUpdate, "WINDOW_UPDATE"),
    (Flood::Unknown, "unknown frames"),
];

/// What became of one.
struct Fall {
    frames: u64,
    /// None when it was not stopped.
    closed_after: Option<Duration>,
}

/// Measures one after the other.
pub fn measure(report: &mut Report) {
    report.part("Floods on one HTTP/2 connection");
    let home = TempDir::new().expect("a directory");
    let (gateway, _lines) = Gateway::start(&home, &app::settings(app::start()));
    for (flood, name) in FLOODS {
        let quiet = Honest::alone(gateway.address, QUIET);
        let honest = Honest::at(gateway.address);
        let (before, began) = (gateway.usage(), Instant::now());
        let fall = flood.run(gateway.address);
        let (after, took) = (gateway.usage(), began.elapsed());
        // Long enough for more than a hundred answers.
        thread::sleep(QUIET.saturating_sub(took));
        let beside = honest.p99();
        let closed = match fall.closed_after {
            Some(after) => format!("closed after {:6.1} ms", millis(after)),
            None => format!("open after {:8.1} ms", millis(LONGEST)),
        };
        let figures = format!(
            "{name:19}{closed}, {:>8} frames, CPU {:6.1} ms, memory {:+5.1} MiB; others {:.2} ms, quiet {:.2} ms",
            fall.frames,
            millis(after.cpu.saturating_sub(before.cpu)),
            mebibytes(after.rss) - mebibytes(before.rss),
            millis(beside),
            millis(quiet),
        );
        let goal = Goal::of(fall.closed_after.is_some_and(|after| after < TARGET));
        report.judged(figures, format!("< {} s", TARGET.as_secs()), goal);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Flood {
    fn run(self, address: SocketAddr) -> Fall {
        let mut stream = TcpStream::connect(address).expect("a connection");
        // A gateway that has stopped reading may still close.
        stream.set_write_timeout(Some(TARGET)).expect("a socket");
        let closed = Closed::watch(stream.try_clone().expect("a socket"));
        let began = Instant::now();
        stream.write_all(frames::OPENING).expect("to be heard");
        stream.write_all(&self.opening()).expect("to be heard");
        let mut batches = 0;
        while !closed.is_known() && began.elapsed() < LONGEST {
            match stream.write_all(&self.batch(batches)) {
                Ok(()) => batches += 1,
                // Half a frame may have been written: nothing that follows means anything.
                Err(_) => break,
            }
        }
        while !closed.is_known() && began.elapsed() < LONGEST {
            thread::sleep(Duration::from_millis(1));
        }
        Fall {
            frames: u64::from(batches) * u64::from(BATCH),
            closed_after: closed.at().map(|at| at - began),
        }
    }

    /// What comes first.
    fn opening(self) -> Vec<u8> {
        match self {
            Self::Continuation | Self::EmptyContinuation => {
                frame(kind::HEADERS, END_STREAM, 1, &frames::get())
            }
            Self::EmptyData => frame(kind::HEADERS, END_HEADERS, 1, &frames::post()),
            Self::RapidReset
            | Self::MadeYouReset
            | Self::Ping
            | Self::Settings
            | Self::Priority
            | Self::WindowUpdate
            | Self::Unknown => Vec::new(),
        }
    }

    /// The next frames, at least [`BATCH`] of them.
    fn batch(self, batch: u32) -> Vec<u8> {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        numbers.flat_map(|n| self.frames(2 * n + 1)).collect()
    }

    /// The next frame, or two on a stream of their own.
    fn frames(self, stream: u32) -> Vec<u8> {
        match self {
            Self::RapidReset => {
                let request = frame(
                    kind::HEADERS,
                    END_HEADERS | END_STREAM,
                    stream,
                    &frames::get(),
                );
                [
                    request,
                    frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
                ]
                .concat()
            }
            Self::MadeYouReset => {
                let request = frame(kind::HEADERS, END_HEADERS, stream, &frames::post());
                // A window cannot grow beyond 2^31 - 1.
                let overflow = frame(
                    kind::WINDOW_UPDATE,
                    0,
                    stream,
                    &0x7fff_ffff_u32.to_be_bytes(),
                );
                [request, overflow].concat()
            }
            Self::Continuation => {
                let header = frames::header(&format!("x-{stream}"), &"a".repeat(100));
                frame(kind::CONTINUATION, 0, 1, &header)
            }
            Self::EmptyContinuation => frame(kind::CONTINUATION, 0, 1, &[]),
            Self::Ping => frame(kind::PING, 0, 0, b"12345678"),
            // INITIAL_WINDOW_SIZE, as it is.
            Self::Settings => frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]),
            Self::EmptyData => frame(kind::DATA, 0, 1, &[]),
            Self::Priority => frame(kind::PRIORITY, 0, stream, &[0, 0, 0, 0, 1]),
            Self::WindowUpdate => frame(kind::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
            Self::Unknown => frame(kind::UNKNOWN, 0, 0, b"ABCDEFGH"),
        }
    }
}

/// Whether the other side has closed, and when: somebody reads all the while.
#[derive(Clone, Default)]
struct Closed(Arc<(AtomicBool, Mutex<Option<Instant>>)>);

impl Closed {
    fn watch(mut stream: TcpStream) -> Self {
        let closed = Self::default();
        let told = closed.clone();
        thread::spawn(move || {
            let mut piece = vec![0; 65536];
            while let Ok(1..) = stream.read(&mut piece) {}
            told.lock().replace(Instant::now());
            told.0.0.store(true, Relaxed);
        });
        closed
    }

    fn is_known(&self) -> bool {
        self.0.0.load(Relaxed)
    }

    fn at(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
