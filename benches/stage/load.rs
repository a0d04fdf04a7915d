//! The load: keep-alive connections that send one request after the other and check every answer; knows nothing of what is asked.

use std::{
    cell::RefCell,
    fmt, io, mem,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    task::{JoinSet, LocalSet},
    time::timeout,
};

use super::{Gateway, Mebibytes, PATIENCE};

/// How hard, and for how long.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Load {
    /// Seconds that each phase lasts; codes live for some minutes only
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What came of it.
pub struct Report {
    name: &'static str,
    took: Duration,
    /// One for every answer of 200, sorted.
    pub latencies: Vec<Duration>,
    /// Other answers, and connections that broke.
    errors: Vec<String>,
    cpu: Duration,
    rss: u64,
}

/// What all connections of a phase share.
struct Phase<N> {
    to: SocketAddr,
    ends: Instant,
    next: N,
    latencies: Vec<Duration>,
    errors: Vec<String>,
}

impl Load {
    /// Sends what `next` says until it says nothing more or the time is over.
    pub fn run<N>(self, name: &'static str, gateway: &Gateway, next: N) -> Report
    where
        N: FnMut() -> Option<Bytes> + 'static,
    {
        let began = Instant::now();
        let span = Duration::from_secs(self.seconds);
        let phase = Rc::new(RefCell::new(Phase {
            to: gateway.address,
            ends: began + span,
            next,
            latencies: Vec::new(),
            errors: Vec::new(),
        }));
        let before = gateway.usage();
        let everybody = async {
            let mut clients = JoinSet::new();
            for _ in 0..self.connections {
                clients.spawn_local(client(Rc::clone(&phase)));
            }
            timeout(span + PATIENCE, clients.join_all()).await
        };
        let all = block_on(everybody).expect("answers in time");
        let (took, after) = (began.elapsed(), gateway.usage());
        let mut phase = phase.borrow_mut();
        let mut report = Report {
            name,
            took,
            latencies: mem::take(&mut phase.latencies),
            errors: mem::take(&mut phase.errors),
            cpu: after.cpu.saturating_sub(before.cpu),
            rss: after.rss,
        };
        report.latencies.sort_unstable();
        let broken = all.into_iter().filter_map(Result::err);
        report.errors.extend(broken.map(|error| error.to_string()));
        report
    }
}

impl Report {
    fn quantile(&self, per_cent: usize) -> Duration {
        let at = self.latencies.len() * per_cent / 100;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections, {} s", self.connections, self.seconds)
    }
}

impl fmt::Display for Report {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.latencies.len() as f64;
        let (took, cpu) = (self.took.as_secs_f64(), self.cpu.as_secs_f64());
        let millis = |per_cent| self.quantile(per_cent).as_secs_f64() * 1e3;
        write!(f, "{:12}{:>7.0} req/s", self.name, answers / took)?;
        write!(f, "{:>8.1} us of CPU each", cpu * 1e6 / answers)?;
        write!(f, " ({:.0} % of a core)", cpu / took * 100.0)?;
        write!(f, "  p50 {:.2} ms, p99 {:.2} ms", millis(50), millis(99))?;
        write!(f, "  {}", Mebibytes(self.rss))?;
        match self.errors.first() {
            None => f.write_str("  no errors"),
            Some(first) => write!(f, "  {} ERRORS: {first}", self.errors.len()),
        }
    }
}

/// Runs a future on this thread, and the local tasks that it starts.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, future)
}

/// One connection.
async fn client<N>(phase: Rc<RefCell<Phase<N>>>) -> io::Result<()>
where
    N: FnMut() -> Option<Bytes>,
{
    let to = phase.borrow().to;
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut answer = BytesMut::with_capacity(4096);
    loop {
        let asked_at = Instant::now();
        let request = {
            let mut phase = phase.borrow_mut();
            if asked_at >= phase.ends {
                return Ok(());
            }
            (phase.next)()
        };
        let Some(request) = request else {
            return Ok(());
        };
        stream.write_all(&request).await?;
        read(&mut stream, &mut answer).await?;
        let mut phase = phase.borrow_mut();
        if answer.starts_with(b"HTTP/1.1 200 ") {
            phase.latencies.push(asked_at.elapsed());
        } else {
            let text = String::from_utf8_lossy(&answer).into_owned();
            phase.errors.push(text);
        }
    }
}

/// Reads one answer, head and body. All that are met here say how long they are.
async fn read(stream: &mut TcpStream, answer: &mut BytesMut) -> io::Result<()> {
    answer.clear();
    while length(answer).is_none_or(|length| answer.len() < length) {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Of head and body together, as soon as the whole head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(answer.get(..head)?).ok()?;
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().ok())?
    });
    Some(head + body.unwrap_or(0))
}
