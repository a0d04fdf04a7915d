//! A caller of gRPC that writes its own frames, one at a time.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request, Response, request};
use tokio::{net::TcpStream, time::timeout};

use super::{PATIENCE, h2_app};

/// A connection to a gateway.
#[derive(Clone)]
pub struct Caller(SendRequest<Bytes>);

/// One call under way.
pub struct Call {
    pub sending: SendStream<Bytes>,
    answer: ResponseFuture,
}

/// What a call ended with: the head, all messages, and the status, wherever it stood.
#[derive(Debug)]
pub struct Ended {
    pub head: HeaderMap,
    pub messages: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Caller {
    pub async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (sender, connection) = client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Begins a call; `more` adds to its head.
    pub async fn call(&self, more: &[(&str, &str)]) -> Call {
        self.begin(request().headers_of(more)).await
    }

    /// Begins whatever this is.
    pub async fn begin(&self, request: request::Builder) -> Call {
        let mut sender = self.0.clone().ready().await.expect("room");
        let request = request.body(()).expect("a request");
        let (answer, sending) = sender.send_request(request, false).expect("to be heard");
        Call { sending, answer }
    }

    /// One message there, and all that comes back.
    pub async fn ask(&self, more: &[(&str, &str)], message: &[u8]) -> Ended {
        let mut call = self.call(more).await;
        // Who is refused at once may not get as far as this.
        drop(call.sending.send_data(frame(message), true));
        call.end().await
    }
}

impl Call {
    /// The head of the answer.
    pub async fn head(&mut self) -> Response<RecvStream> {
        let answer = timeout(PATIENCE, &mut self.answer).await;
        answer.expect("an answer in time").expect("an answer")
    }

    /// Sends a message.
    pub fn say(&mut self, message: &[u8]) {
        let said = self.sending.send_data(frame(message), false);
        said.expect("to be heard");
    }

    /// All that comes back.
    pub async fn end(mut self) -> Ended {
        let (head, mut body) = self.head().await.into_parts();
        assert_eq!(head.status, 200);
        let (messages, trailers) = h2_app::rest(&mut body).await;
        Ended {
            head: head.headers,
            messages,
            trailers,
        }
    }
}

impl Ended {
    /// Asserts that it was refused, in a head without a body.
    #[track_caller]
    pub fn is_refused(&self, status: &str, code: &str) {
        assert_eq!(self.head["content-type"], "application/grpc", "{self:?}");
        assert_eq!(self.head["grpc-status"], status, "{self:?}");
        let message = self.head["grpc-message"].to_str().expect("text");
        assert!(message.starts_with(&format!("{code}: ")), "{message}");
        assert!(self.messages.is_empty() && self.trailers.is_none());
    }
}

/// The head of a call.
pub fn request() -> request::Builder {
    Request::post("http://h/echo.Echo/Say")
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
}

/// A head that more can be added to.
pub trait HeadersOf {
    /// With these headers.
    fn headers_of(self, more: &[(&str, &str)]) -> Self;
}

impl HeadersOf for request::Builder {
    fn headers_of(self, more: &[(&str, &str)]) -> Self {
        let add = |head: Self, (name, value): &(&str, &str)| head.header(*name, *value);
        more.iter().fold(self, add)
    }
}

/// A message as it goes over the wire.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("not that long"));
    frame.put_slice(message);
    frame.freeze()
}

/// The head of an answer.
pub fn answer() -> Response<()> {
    let answer = Response::builder().header("content-type", "application/grpc+proto");
    answer.body(()).expect("a head")
}

/// What stands at the end of one.
pub fn status(status: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().expect("a value"));
    trailers.insert("grpc-message", "said".parse().expect("a value"));
    trailers
}
