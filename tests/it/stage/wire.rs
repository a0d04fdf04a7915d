//! Connections in raw bytes: a client that writes what no HTTP library would, and an app whose every word a test speaks.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{PATIENCE, client::Answer};

/// Who takes nothing for so long takes nothing at all.
const QUIET: Duration = Duration::from_millis(200);

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// What came and was not asked for yet.
    unread: Vec<u8>,
}

/// A request as it came, its body included.
#[derive(Debug)]
pub struct Heard {
    /// `GET / HTTP/1.1`.
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An app that does nothing by itself: the test takes its connections and answers on them.
#[derive(Debug)]
pub struct Puppet {
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Puppet {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { address, listener }
    }

    /// The setting that makes it the app of a stage.
    pub fn setting(&self) -> String {
        format!("upstreams.app.servers = \"http://{}\"", self.address)
    }

    /// The next connection of the gateway.
    pub async fn accept(&self) -> Wire {
        let (stream, _) = timeout(PATIENCE, self.listener.accept())
            .await
            .expect("a connection in time")
            .expect("a connection");
        Wire::over(stream)
    }

    /// Whether a connection waits to be accepted at this moment.
    pub fn is_wanted(&self) -> bool {
        let accepted = self.listener.accept();
        tokio::pin!(accepted);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        accepted.poll(&mut cx).is_ready()
    }
}

impl Wire {
    /// A connection that is already there.
    pub const fn over(stream: TcpStream) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub async fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("a connection"))
    }

    /// The connection itself, of which nothing has been read.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("to be heard");
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref()))
            .await
            .expect("to be heard in time")
    }

    /// Writes until nobody takes anything any more, but not beyond `limit`; says how much was taken.
    pub async fn flood(&mut self, limit: usize) -> usize {
        let block = vec![b'x'; 1 << 16];
        let mut taken = 0;
        while taken < limit
            && let Ok(Ok(count)) = timeout(QUIET, self.stream.write(&block)).await
        {
            taken += count;
        }
        taken
    }

    /// Whether anything comes before the end.
    pub async fn begins(&mut self) -> bool {
        if self.unread.is_empty() {
            let more = timeout(PATIENCE, self.read_more()).await;
            more.expect("something in time");
        }
        !self.unread.is_empty()
    }

    /// Shuts down the sending side: nothing more will be said.
    pub async fn hush(&mut self) {
        self.stream.shutdown().await.expect("a connection");
    }

    /// Asserts that for so long nothing comes and nobody hangs up.
    pub async fn stays_quiet(&mut self, span: Duration) {
        let more = timeout(span, self.read_more()).await;
        assert!(more.is_err(), "not quiet: {:?}", self.unread());
    }

    /// Everything up to and including `mark`.
    pub async fn until(&mut self, mark: &str) -> String {
        let search = async {
            loop {
                let found = find(&self.unread, mark.as_bytes());
                if let Some(at) = found {
                    let taken = self.unread.drain(..at + mark.len()).collect();
                    return String::from_utf8(taken).expect("text");
                }
                let ended = self.read_more().await;
                assert!(!ended, "no {mark:?} in {:?}", self.unread());
            }
        };
        timeout(PATIENCE, search)
            .await
            .unwrap_or_else(|_| panic!("no {mark:?} in time"))
    }

    /// Takes at most so many bytes and forgets them.
    pub async fn sip(&mut self, bytes: usize) {
        let mut taken = vec![0; bytes];
        drop(self.stream.read(&mut taken).await);
    }

    /// Everything until the other end closes or breaks the connection.
    pub async fn rest(&mut self) -> String {
        let reading = async { while !self.read_more().await {} };
        timeout(PATIENCE, reading)
            .await
            .unwrap_or_else(|_| panic!("no end in time"));
        let rest = self.unread();
        self.unread.clear();
        rest
    }

    /// The first byte that comes, which stays unread; `None` when nothing does.
    pub async fn first_byte(&mut self) -> Option<u8> {
        while self.unread.is_empty() {
            let ended = timeout(PATIENCE, self.read_more()).await;
            if ended.unwrap_or_else(|_| panic!("nothing in time")) {
                return None;
            }
        }
        self.unread.first().copied()
    }

    /// Takes what comes next and forgets it; says whether that was the end.
    pub async fn is_over(&mut self) -> bool {
        self.unread.clear();
        timeout(PATIENCE, self.read_more())
            .await
            .unwrap_or_else(|_| panic!("no end in time"))
    }

    /// An answer with its body.
    pub async fn answer(&mut self) -> Answer {
        let (line, headers) = self.head().await;
        let status = line.split(' ').nth(1).expect("a status");
        let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
        let body = self.body(&headers).await;
        Answer {
            status,
            headers,
            body,
        }
    }

    /// A request with its body.
    pub async fn request(&mut self) -> Heard {
        let (line, headers) = self.head().await;
        let body = self.body(&headers).await;
        Heard {
            line,
            headers,
            body,
        }
    }

    /// A first line and the headers.
    pub async fn head(&mut self) -> (String, HeaderMap) {
        let head = self.until("\r\n\r\n").await;
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().expect("a line").to_owned();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_str(value.trim()).expect("a value"))
        });
        (first, headers.collect())
    }

    async fn body(&mut self, headers: &HeaderMap) -> Bytes {
        if headers.contains_key("transfer-encoding") {
            return self.chunks().await.into();
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        while self.unread.len() < length {
            let ended = timeout(PATIENCE, self.read_more()).await.expect("in time");
            assert!(!ended, "the body broke off");
        }
        self.unread.drain(..length).collect()
    }

    /// All chunks of a chunked body.
    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = self.until("\r\n").await;
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            while self.unread.len() < size + 2 {
                let ended = timeout(PATIENCE, self.read_more()).await.expect("in time");
                assert!(!ended, "the body broke off");
            }
            body.extend(self.unread.drain(..size));
            assert_eq!(self.until("\r\n").await, "\r\n");
            if size == 0 {
                return body;
            }
        }
    }

    /// Whether the other end is gone. A reset is as good an end as any.
    async fn read_more(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.unread).await;
        read.map_or(true, |count| count == 0)
    }

    fn unread(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }
}

impl Heard {
    /// The values of one header, in order.
    pub fn told(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().expect("text")).collect()
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
