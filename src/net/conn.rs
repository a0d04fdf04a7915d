//! One client connection: HTTP/1.1 or HTTP/2, its deadlines, its graceful end; knows nothing of what is served.

use std::{
    cell::RefCell,
    convert::Infallible,
    error::Error as StdError,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::Service;

use crate::net::{
    Limits,
    progress::{InFlight, Progress, Version},
    socket::Socket,
    stream::Streams,
    switch::{Handover, Side, Switch},
    tls::Secured,
    tunnel::Duplex,
    watched::Watched,
};

/// What every HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room for the first read: a whole request without a body, usually.
const FIRST_READ: usize = 2048;

/// Streams one client may have open at once.
const MAX_STREAMS: u32 = 100;

/// Serves one connection until it ends by itself, breaks a deadline, or is drained.
///
/// `service` is called without asking `poll_ready` first: the gateway's layers hold no
/// back-pressure in them, they are always ready.
pub async fn serve<S, B>(arrived: Arrived, service: S, progress: Rc<Progress>, limits: &Limits)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
{
    let (version, socket) = match arrived {
        // What was agreed on holds: nothing the client sends makes it another protocol.
        Arrived::Secured(Secured {
            version, stream, ..
        }) => (version, Socket::Tls(stream)),
        Arrived::Plain(stream) => match listen(stream, &progress).await {
            Some((version, stream)) => (version, Socket::Plain(stream)),
            None => return,
        },
    };
    let io = TokioIo::new(socket);
    let service = RefCell::new(service);
    match version {
        Version::Http1 => {
            let handover = Handover::default();
            let service = Tracked {
                service,
                progress: Rc::clone(&progress),
                handover: Some(handover.clone()),
            };
            let conn = http1::Builder::new()
                .max_buf_size(limits.max_header_bytes)
                .half_close(false)
                .serve_connection(io, service);
            let mut serving = Serving::new(conn, Rc::clone(&progress));
            if let End::Over = (&mut serving).await {
                let left = serving.conn.into_parts();
                let io = left.io.into_inner();
                // In a box: few connections go on after HTTP, and those that do need much room.
                Box::pin(go_on(io, left.read_buf, handover, progress)).await;
            }
        }
        Version::Http2 => {
            let service = Tracked {
                service,
                progress: Rc::clone(&progress),
                handover: None,
            };
            let conn = http2::Builder::new(Streams::of(Rc::clone(&progress)))
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
                .enable_connect_protocol()
                .serve_connection(io, service);
            Serving::new(conn, progress).await;
        }
    }
}

/// What becomes of a connection on which HTTP/1 is over: a tunnel, if an app has switched, or nothing.
async fn go_on<B>(mut io: Socket, first: Bytes, handover: Handover<B>, progress: Rc<Progress>)
where
    B: Duplex,
    B::Error: StdError,
{
    let mut rest = pin!(async {
        match handover.take() {
            Some(side) => side.tunnel(io, first).await,
            // hyper leaves that to us where a switch was asked for; done twice it does no harm.
            None => drop(io.shutdown().await),
        }
    });
    poll_fn(|cx| match progress.poll_broken(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => rest.as_mut().poll(cx),
    })
    .await;
}

/// A connection that HTTP has not been spoken on yet.
#[derive(Debug)]
pub enum Arrived {
    /// In the clear, as it was accepted.
    Plain(TcpStream),
    /// After its TLS handshake.
    Secured(Secured),
}

/// Waits until a client in the clear has said enough to know its protocol.
async fn listen(mut stream: TcpStream, progress: &Rc<Progress>) -> Option<(Version, Watched)> {
    let (version, first) = {
        let mut opening = pin!(read_opening(&mut stream));
        poll_fn(|cx| {
            if let Poll::Ready(read) = opening.as_mut().poll(cx) {
                return Poll::Ready(read.ok());
            }
            // Who has said nothing yet loses nothing when the gateway stops.
            if progress.is_draining() {
                return Poll::Ready(None);
            }
            progress.poll_broken(cx).map(|_| None)
        })
        .await?
    };
    progress.speaks(version);
    Some((version, Watched::new(stream, first, Rc::clone(progress))))
}

/// Reads until it is clear which protocol the client speaks. What was read goes on to the parser.
async fn read_opening(stream: &mut TcpStream) -> io::Result<(Version, BytesMut)> {
    let mut first = BytesMut::with_capacity(FIRST_READ);
    loop {
        if stream.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let seen = first.len().min(PREFACE.len());
        if first.get(..seen) != PREFACE.get(..seen) {
            return Ok((Version::Http1, first));
        }
        if seen == PREFACE.len() {
            return Ok((Version::Http2, first));
        }
    }
}

/// Connections that can be asked to end after what they are doing.
trait Drain: Future {
    fn drain(self: Pin<&mut Self>);
}

impl<S, B> Drain for http1::Connection<TokioIo<Socket>, Tracked<S, B>>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Drain for http2::Connection<TokioIo<Socket>, Tracked<S, B>, Streams>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

pin_project! {
    /// A connection under its deadlines.
    struct Serving<C> {
        #[pin]
        conn: C,
        progress: Rc<Progress>,
        told_to_end: bool,
    }
}

/// How HTTP ended on a connection.
enum End {
    /// In order, or by an error that its client was told.
    Over,
    /// By a deadline: nobody is waited for any more.
    GivenUp,
}

impl<C> Serving<C> {
    const fn new(conn: C, progress: Rc<Progress>) -> Self {
        Self {
            conn,
            progress,
            told_to_end: false,
        }
    }
}

impl<C: Drain<Output = hyper::Result<()>>> Future for Serving<C> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let mut this = self.project();
        if this.progress.is_draining() && !*this.told_to_end {
            *this.told_to_end = true;
            this.conn.as_mut().drain();
        }
        while this.progress.poll_broken(cx).is_ready() {
            if *this.told_to_end || !this.progress.takes_leave() {
                return Poll::Ready(End::GivenUp);
            }
            *this.told_to_end = true;
            this.conn.as_mut().drain();
        }
        if let Err(error) = ready!(this.conn.poll(cx)) {
            tracing::debug!(%error, "a client connection ended badly");
            return Poll::Ready(End::GivenUp);
        }
        Poll::Ready(End::Over)
    }
}

/// The service of one connection, keeping its [`Progress`] informed.
struct Tracked<S, B> {
    service: RefCell<S>,
    progress: Rc<Progress>,
    /// Where a tunnel takes over the whole connection, which it does in HTTP/1.
    handover: Option<Handover<B>>,
}

impl<S, B> Tracked<S, B> {
    /// What becomes a tunnel when this request is answered with `101`.
    fn switch_for(&self, request: &mut Request<Incoming>) -> Switch<B> {
        match &self.handover {
            Some(handover) => Switch::Connection(handover.clone()),
            None if request.method() == Method::CONNECT => {
                Switch::Stream(hyper::upgrade::on(request))
            }
            None => Switch::Nothing,
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Tracked<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Duplex + 'static,
    B::Error: StdError,
{
    type Response = Response<TrackedBody<B>>;
    type Error = Infallible;
    type Future = TrackedFuture<S::Future, B>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        TrackedFuture {
            in_flight: Some(self.progress.begin()),
            switch: Some(self.switch_for(&mut request)),
            response: self.service.borrow_mut().call(request),
        }
    }
}

pin_project! {
    struct TrackedFuture<F, B> {
        in_flight: Option<InFlight>,
        switch: Option<Switch<B>>,
        #[pin]
        response: F,
    }
}

impl<F, B> Future for TrackedFuture<F, B>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Duplex + 'static,
    B::Error: StdError,
{
    type Output = Result<Response<TrackedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        let (Some(in_flight), Some(switch)) = (this.in_flight.take(), this.switch.take()) else {
            return Poll::Pending;
        };
        let (parts, body) = response.into_parts();
        Poll::Ready(Ok(if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            let parts = switch.perform(parts, Side { body, in_flight });
            Response::from_parts(parts, TrackedBody { answer: None })
        } else {
            let answer = Some(Answer { body, in_flight });
            Response::from_parts(parts, TrackedBody { answer })
        }))
    }
}

pin_project! {
    /// A response body; the request is in flight until it is dropped. There is none to the answer that
    /// begins a tunnel.
    struct TrackedBody<B> {
        #[pin]
        answer: Option<Answer<B>>,
    }
}

pin_project! {
    struct Answer<B> {
        #[pin]
        body: B,
        in_flight: InFlight,
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(answer) = self.project().answer.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let answer = answer.project();
        answer.in_flight.asked();
        answer.body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_none_or(|answer| answer.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let answer = self.answer.as_ref();
        answer.map_or(SizeHint::with_exact(0), |answer| answer.body.size_hint())
    }
}
