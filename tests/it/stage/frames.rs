//! HTTP/2 frame by frame (RFC 9113): a client that says what no library would, and hears what becomes of it.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

/// One frame.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A connection that the test speaks for. Its own SETTINGS are sent, nothing else is.
#[derive(Debug)]
pub struct Frames(TcpStream);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with this body.
    Answered(String),
    /// Its stream was reset for this reason.
    Reset(u32),
    /// The whole connection was given up for this reason.
    GoneAway(u32),
    /// The connection ended without a word.
    Over,
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What every request says, but for its path.
pub const GET: [(&str, &str); 3] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "app.test"),
];

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.into(),
        }
    }

    /// The head of a request, in one frame.
    pub fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Self {
        Self::new(HEADERS, END_HEADERS | flags, stream, block(fields))
    }

    /// A whole GET.
    pub fn get(stream: u32, path: &str) -> Self {
        let fields = [&GET[..], &[(":path", path)]].concat();
        Self::head(stream, END_STREAM, &fields)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a short payload");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    fn code(&self, at: usize) -> u32 {
        let code = self.payload.get(at..at + 4).expect("a code");
        u32::from_be_bytes(code.try_into().expect("four bytes"))
    }
}

impl Frames {
    pub async fn to(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let settings = Frame::new(SETTINGS, 0, 0, []).bytes();
        let opening = [PREFACE, &settings].concat();
        stream.write_all(&opening).await.expect("to be heard");
        Self(stream)
    }

    pub async fn send(&mut self, frames: &[Frame]) {
        self.try_send(frames).await.expect("to be heard");
    }

    pub async fn try_send(&mut self, frames: &[Frame]) -> io::Result<()> {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        timeout(PATIENCE, self.0.write_all(&bytes))
            .await
            .expect("to be heard in time")
    }

    /// Sends what need not be a whole frame.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("to be heard");
    }

    /// Says the same again and again, and listens to nothing, until the gateway has hung up or `times`
    /// are over: whether it has hung up.
    pub async fn repeat(&mut self, times: u32, frames: impl Fn(u32) -> Vec<Frame>) -> bool {
        for time in 0..times {
            if self.try_send(&frames(time)).await.is_err() {
                return true;
            }
        }
        false
    }

    /// What comes next; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read())
            .await
            .expect("a frame in time")
    }

    /// What becomes of the request on `stream`.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        let mut body = Vec::new();
        while let Some(frame) = self.next().await {
            match frame.kind {
                GOAWAY if frame.code(4) != 0 => return Outcome::GoneAway(frame.code(4)),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(frame.code(0)),
                DATA | HEADERS if frame.stream == stream => {
                    if frame.kind == DATA {
                        body.extend(&frame.payload);
                    }
                    if frame.flags & END_STREAM != 0 {
                        let body = String::from_utf8_lossy(&body).into_owned();
                        return Outcome::Answered(body);
                    }
                }
                _ => {}
            }
        }
        Outcome::Over
    }

    /// The body of the answer that ends next, whichever stream it is on; `None` when there is no more.
    /// For answers that come in one piece.
    pub async fn next_answer(&mut self) -> Option<String> {
        loop {
            let frame = self.next().await?;
            if frame.kind == DATA && frame.flags & END_STREAM != 0 {
                return Some(String::from_utf8_lossy(&frame.payload).into_owned());
            }
        }
    }

    /// Listens until the connection has ended: the reason that was given for it, if one was.
    pub async fn farewell(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                reason = Some(frame.code(4));
            }
        }
        reason
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        // A reset is as good an end as any.
        self.0.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Some(Frame::new(kind, flags, stream, payload))
    }
}

/// Fields as HPACK writes them that remembers nothing: name and value in full (RFC 7541 §6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A length in seven bits, or in as many more as it takes (RFC 7541 §5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        block.push(u8::try_from(length).expect("seven bits"));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("seven bits"));
}
