//! An app that speaks HTTP/2 and does nothing by itself: the test takes its connections and its streams, and answers on them.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    server::{self, SendResponse},
};
use http::{HeaderMap, Request, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::PATIENCE;

/// See the file.
#[derive(Debug)]
pub struct H2Puppet {
    pub address: SocketAddr,
    listener: TcpListener,
}

/// One connection of the gateway.
#[derive(Debug)]
pub struct Line {
    streams: mpsc::UnboundedReceiver<Exchange>,
    leave: Option<oneshot::Sender<()>>,
}

/// One stream of it.
#[derive(Debug)]
pub struct Exchange {
    pub request: Request<RecvStream>,
    pub respond: SendResponse<Bytes>,
}

impl H2Puppet {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { address, listener }
    }

    /// The settings that make it the app of a stage.
    pub fn setting(&self) -> String {
        let address = self.address;
        format!("upstreams.app.servers = \"http://{address}\"\nupstreams.app.protocol = \"h2\"")
    }

    /// The next connection of the gateway.
    pub async fn accept(&self) -> Line {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (stream, _) = accepted
            .expect("a connection in time")
            .expect("a connection");
        let (sender, streams) = mpsc::unbounded_channel();
        let (leave, asked) = oneshot::channel();
        tokio::spawn(drive(stream, sender, asked));
        Line {
            streams,
            leave: Some(leave),
        }
    }
}

async fn drive(
    stream: TcpStream,
    streams: mpsc::UnboundedSender<Exchange>,
    mut leave: oneshot::Receiver<()>,
) {
    let mut connection = server::handshake(stream).await.expect("HTTP/2");
    let mut stays = true;
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            _ = &mut leave, if stays => {
                stays = false;
                connection.graceful_shutdown();
                continue;
            }
        };
        let Some(Ok((request, respond))) = accepted else {
            return;
        };
        drop(streams.send(Exchange { request, respond }));
    }
}

impl Line {
    /// The next request on it.
    pub async fn next(&mut self) -> Exchange {
        let next = timeout(PATIENCE, self.streams.recv()).await;
        next.expect("a request in time").expect("a request")
    }

    /// Takes no more requests; those that came already go on.
    pub fn leaves(&mut self) {
        let leave = self.leave.take().expect("only once");
        leave.send(()).expect("a connection");
    }
}

impl Exchange {
    /// Begins an answer.
    pub fn begin(&mut self, response: Response<()>) -> SendStream<Bytes> {
        let begun = self.respond.send_response(response, false);
        begun.expect("to be heard")
    }

    /// A whole answer.
    pub fn answer(mut self, text: &'static str) {
        let mut body = self.begin(Response::new(()));
        body.send_data(Bytes::from_static(text.as_bytes()), true)
            .expect("to be heard");
    }

    /// Says that nothing was done.
    pub fn refuse(mut self) {
        self.respond.send_reset(Reason::REFUSED_STREAM);
    }

    /// The next piece of the request's body.
    pub async fn piece(&mut self) -> Option<Bytes> {
        piece(self.request.body_mut()).await
    }

    /// The rest of the request's body, and its trailers.
    pub async fn rest(&mut self) -> (Vec<u8>, Option<HeaderMap>) {
        rest(self.request.body_mut()).await
    }

    /// Waits until the gateway gives the stream up before its answer, and says why.
    pub async fn is_given_up(&mut self) -> Reason {
        let reset = std::future::poll_fn(|cx| self.respond.poll_reset(cx));
        let reset = timeout(PATIENCE, reset).await;
        reset.expect("a reset in time").expect("a reset")
    }
}

/// Waits until the gateway gives up a stream whose answer has begun.
pub async fn is_given_up(body: &mut SendStream<Bytes>) {
    let reset = std::future::poll_fn(|cx| body.poll_reset(cx));
    let reset = timeout(PATIENCE, reset).await;
    reset.expect("a reset in time").expect("a reset");
}

/// The next piece of a body.
pub async fn piece(body: &mut RecvStream) -> Option<Bytes> {
    let piece = timeout(PATIENCE, body.data()).await;
    let piece = piece.expect("a piece in time")?.expect("a piece");
    let room = body.flow_control().release_capacity(piece.len());
    room.expect("a window");
    Some(piece)
}

/// The rest of a body, and its trailers.
pub async fn rest(body: &mut RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut whole = Vec::new();
    while let Some(more) = piece(body).await {
        whole.extend(more);
    }
    let trailers = timeout(PATIENCE, body.trailers()).await;
    (whole, trailers.expect("an end in time").expect("an end"))
}
