//! A client that speaks HTTP/2 with prior knowledge, several requests at once on one connection.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::{PATIENCE, client::Answer};

/// What a request is sent with.
pub type Sent = BoxBody<Bytes, Infallible>;

/// A connection; clones send on the same one.
#[derive(Clone)]
pub struct H2(http2::SendRequest<Sent>);

impl H2 {
    /// Connects; the task ends with the connection.
    pub async fn to(address: SocketAddr) -> (Self, JoinHandle<hyper::Result<()>>) {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self::over(stream).await
    }

    /// Speaks HTTP/2 over `stream`.
    pub async fn over<S>(stream: S) -> (Self, JoinHandle<hyper::Result<()>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Small windows, and room for many streams in that of the connection.
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1 << 16)
            .initial_connection_window_size(1 << 24)
            .handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        (Self(sender), tokio::spawn(connection))
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn begin(&self, request: Request<Sent>) -> hyper::Result<Response<Incoming>> {
        timeout(PATIENCE, self.0.clone().send_request(request))
            .await
            .expect("an answer in time")
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, request: Request<Sent>) -> Answer {
        whole(self.begin(request).await.expect("an answer")).await.0
    }
}

/// A request without a body; `url` is absolute.
pub fn get(url: &str) -> Request<Sent> {
    Request::get(url).body(body("")).expect("a request")
}

/// A whole body.
pub fn body(text: impl Into<Bytes>) -> Sent {
    Full::new(text.into()).boxed()
}

/// The rest of an answer, and its trailers.
pub async fn whole(response: Response<Incoming>) -> (Answer, Option<HeaderMap>) {
    let (head, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect())
        .await
        .expect("a body in time")
        .expect("a body");
    let trailers = body.trailers().cloned();
    let answer = Answer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    };
    (answer, trailers)
}
