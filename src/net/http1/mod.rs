//! One connection of HTTP/1: request after request, rest in between, and its end, which may be a tunnel. Knows nothing of what is served.
//!
//! A parser keeps buffers and room for the next answer ready. Between two requests of a burst that is
//! right; a connection that has been idle for a moment gives them back and is a bare socket until
//! its client says something.

mod heads;
mod line;
mod refusal;

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::http1::{Builder, Connection},
};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tower::Service;

use self::line::Line;
use crate::{
    net::{
        Limits,
        progress::{Due, Progress},
        socket::Socket,
        switch::Handover,
        tracked::Tracked,
        tunnel::Duplex,
    },
    reject::Code,
};

/// Header fields for which hyper has room on its stack.
const MAX_HEADERS: usize = 100;

/// How a parser came to its end.
enum End {
    /// In order, or by something it could not parse.
    Over,
    /// By a deadline: nobody is waited for any more.
    GivenUp,
}

/// Serves one connection until it ends. `refuse` answers what is no request.
pub async fn serve<S, B, R>(socket: Socket, service: S, refuse: R, progress: Rc<Progress>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
    R: Fn(Code) -> Response<Bytes>,
{
    let handover = Handover::default();
    let mut service = Tracked::over_http1(service, &progress, handover.clone());
    let mut line = Line::new(socket, Rc::clone(&progress));
    loop {
        // In a box, which a connection at rest does not have.
        let io = TokioIo::new(line);
        let conn = builder(&progress.warden().limits).serve_connection(io, service);
        let mut conn = Box::new(conn);
        if let End::GivenUp = speak(&mut conn, &progress).await {
            return;
        }
        let left = conn.into_parts();
        line = left.io.into_inner();
        service = left.service;
        if let Some(side) = handover.take() {
            let (socket, _) = line.into_parts();
            let tunnel = pin!(side.tunnel(socket, left.read_buf));
            // In a box: few connections become tunnels, and those that do need much room.
            return Box::pin(within_limits(tunnel, &progress)).await;
        }
        if line.is_refused() {
            return Box::pin(say_no(line, refuse, &progress)).await;
        }
        if !progress.is_resting() {
            return say_goodbye(line, &progress).await;
        }
        line.put_back(left.read_buf);
        if let Rested::Out = rest(&line, &progress).await {
            return say_goodbye(line, &progress).await;
        }
    }
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder.max_buf_size(limits.max_header_bytes);
    if limits.max_headers != MAX_HEADERS {
        builder.max_headers(limits.max_headers);
    }
    builder
}

/// Speaks HTTP until there is nothing to be said for now, or ever.
async fn speak<S, B>(conn: &mut Conn<S, B>, progress: &Progress) -> End
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
{
    let mut is_told_to_end = false;
    poll_fn(|cx| {
        if progress.is_draining() && !is_told_to_end {
            is_told_to_end = true;
            Pin::new(&mut *conn).graceful_shutdown();
        }
        while let Poll::Ready(due) = progress.poll_due(cx) {
            match due {
                Due::Go(_) => return Poll::Ready(End::GivenUp),
                // Done at once if nothing is under way; what is, comes to its end.
                Due::Rest | Due::Leave => Pin::new(&mut *conn).graceful_shutdown(),
            }
        }
        if let Err(error) = ready!(Pin::new(&mut *conn).poll(cx)) {
            tracing::debug!(%error, "a client connection ended badly");
        }
        Poll::Ready(End::Over)
    })
    .await
}

type Conn<S, B> = Connection<TokioIo<Line>, Tracked<S, B>>;

/// How a connection at rest goes on.
enum Rested {
    /// Its client says something.
    Woken,
    /// It does not.
    Out,
}

/// Waits for the client, with as little as possible.
async fn rest(line: &Line, progress: &Progress) -> Rested {
    poll_fn(|cx| {
        if line.poll_readable(cx).is_ready() {
            progress.wakes();
            return Poll::Ready(Rested::Woken);
        }
        if progress.is_draining() {
            return Poll::Ready(Rested::Out);
        }
        progress.poll_due(cx).map(|_| Rested::Out)
    })
    .await
}

/// Ends the connection in order. Done twice it does no harm.
async fn say_goodbye(line: Line, progress: &Progress) {
    let (mut socket, _) = line.into_parts();
    let shutdown = pin!(async { drop(socket.shutdown().await) });
    within_limits(shutdown, progress).await;
}

/// Answers what is no request, and ends the connection.
async fn say_no(line: Line, refuse: impl Fn(Code) -> Response<Bytes>, progress: &Progress) {
    let (socket, held_back) = line.into_parts();
    let response = refuse(refusal::code_of(&held_back));
    progress.leaves();
    let sent = pin!(async { drop(refusal::send(socket, &held_back, &response).await) });
    within_limits(sent, progress).await;
}

/// Does `last` to its end, or as long as it may take.
async fn within_limits(mut last: Pin<&mut impl Future<Output = ()>>, progress: &Progress) {
    poll_fn(|cx: &mut Context<'_>| match progress.poll_broken(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => last.as_mut().poll(cx),
    })
    .await;
}
