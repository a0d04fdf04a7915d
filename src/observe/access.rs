//! The access log: one line per request, gathered by each worker and written by one thread; never waits for whoever reads it.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use serde::Serialize;

/// For whom the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People.
    Text,
    /// Machines: one JSON object per line.
    Json,
}

/// The log of the process. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct AccessLog {
    format: Format,
    chunks: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

/// One worker's end of the log.
#[derive(Debug)]
pub struct Lines {
    log: AccessLog,
    gathered: RefCell<Vec<u8>>,
}

/// What is said of a request.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When it was answered.
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    /// Its method.
    pub method: &'a str,
    /// Its canonical path. Queries stay out of logs: they hold what people type.
    pub path: &'a str,
    /// The status it was answered with.
    pub status: u16,
    /// Why the gateway refused it, as in the `code` of the answer, or why the answer broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Bytes of the answer's body that were handed on.
    pub bytes: u64,
    /// From its head to the end of the answer.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub took: Duration,
    /// The route it met.
    pub route: &'a str,
    /// Who sent it.
    pub client: Option<IpAddr>,
    /// Its id.
    pub request_id: &'a str,
}

/// Chunks that may wait for the writer; further ones are dropped and counted.
const WAITING: usize = 256;

/// A worker hands its lines on when it has gathered so many bytes, or at its next tick.
const CHUNK: usize = 16 * 1024;

impl AccessLog {
    /// Starts the thread that writes to `out`. It ends when all clones of the log are gone.
    pub fn start(
        format: Format,
        out: Box<dyn Write + Send>,
    ) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let (chunks, waiting) = sync_channel(WAITING);
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&waiting, out))?;
        let log = Self {
            format,
            chunks,
            lost: Arc::default(),
        };
        Ok((log, writer))
    }

    /// A worker's end.
    pub const fn lines(self) -> Lines {
        Lines {
            log: self,
            gathered: RefCell::new(Vec::new()),
        }
    }

    /// How many chunks of lines were dropped since nobody took them in time.
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}

impl Lines {
    /// Adds one line.
    pub fn push(&self, line: &Line<'_>) {
        let mut gathered = self.gathered.borrow_mut();
        // Writing into memory cannot fail; a line that did would be lost, not the request.
        let written = match self.log.format {
            Format::Text => writeln!(gathered, "{line}"),
            Format::Json => serde_json::to_writer(&mut *gathered, line)
                .map_err(io::Error::from)
                .and_then(|()| gathered.write_all(b"\n")),
        };
        debug_assert!(written.is_ok());
        let full = gathered.len() >= CHUNK;
        drop(gathered);
        if full {
            self.flush();
        }
    }

    /// Hands on what was gathered.
    pub fn flush(&self) {
        let chunk = self.gathered.take();
        if chunk.is_empty() {
            return;
        }
        match self.log.chunks.try_send(chunk) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.log.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(waiting: &Receiver<Vec<u8>>, mut out: Box<dyn Write + Send>) {
    while let Ok(chunk) = waiting.recv() {
        // A reader that went away must not stop the gateway; there is nobody left to tell.
        if out.write_all(&chunk).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_rfc3339_millis(self.time);
        let Self {
            method,
            path,
            status,
            route,
            bytes,
            ..
        } = self;
        write!(
            f,
            "{time} {status} {method} {path} {:?} {bytes}B route={route}",
            self.took
        )?;
        if let Some(code) = self.code {
            write!(f, " code={code}")?;
        }
        if let Some(client) = self.client {
            write!(f, " client={client}")?;
        }
        write!(f, " id={}", self.request_id)
    }
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(*time))
}

fn micros<S: serde::Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Mutex, time::UNIX_EPOCH};

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(path: &str) -> Line<'_> {
        Line {
            time: UNIX_EPOCH + Duration::from_millis(1_500),
            method: "GET",
            path,
            status: 401,
            code: Some("missing_token"),
            bytes: 12,
            took: Duration::from_micros(1_250),
            route: "app",
            client: Some(IpAddr::from([192, 0, 2, 1])),
            request_id: "abc",
        }
    }

    fn written(format: Format, paths: &[&str]) -> String {
        let shown = Shown::default();
        let (log, writer) = AccessLog::start(format, Box::new(shown.clone())).expect("a thread");
        let lines = log.lines();
        for path in paths {
            lines.push(&line(path));
        }
        drop(lines);
        writer.join().expect("no panic");
        let bytes = shown.0.lock().unwrap().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn people_read_one_line_per_request() {
        assert_eq!(
            written(Format::Text, &["/a"]),
            "1970-01-01T00:00:01.500Z 401 GET /a 1.25ms 12B route=app code=missing_token client=192.0.2.1 id=abc\n"
        );
    }

    #[test]
    fn machines_read_one_object_per_request_whatever_the_path_holds() {
        let shown = written(Format::Json, &["/a\"},{\"x", "/b"]);
        let lines: Vec<serde_json::Value> = shown
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["path"], "/a\"},{\"x");
        assert_eq!(lines[1]["duration_us"], 1250);
        assert_eq!(lines[1]["time"], "1970-01-01T00:00:01.500Z");
    }
}
