//! One connection of HTTP/2 under its limits; knows nothing of what is served.

mod allowance;
pub mod frames;
mod line;
mod stream;

pub use allowance::Allowance;

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2::Builder};
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::Service;

use self::{line::Line, stream::Streams};
use crate::net::{
    Limits,
    ending::Reason,
    progress::{Due, Progress},
    socket::Socket,
    tracked::Tracked,
    tunnel::Duplex,
};

/// What every connection begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that a client may make us reset, by whatever is wrong with them (CVE-2025-8671).
const MAX_RESETS: usize = 256;

/// Bytes of an answer that wait for the window of their stream: each of them is kept in memory by a
/// client that asks and never reads.
const MAX_WAITING: usize = 64 * 1024;

/// The parser asks silent clients whether they are there. What follows of that, [`Progress`] knows, which
/// can say why.
const NEVER: Duration = Duration::from_hours(24);

/// Serves one connection until it ends.
pub async fn serve<S, B>(socket: Socket, service: S, progress: Rc<Progress>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
{
    let io = TokioIo::new(Line::new(socket, Rc::clone(&progress)));
    let service = Tracked::over_http2(service, &progress);
    let builder = builder(&progress.warden().limits, Streams::of(Rc::clone(&progress)));
    let mut conn = pin!(builder.serve_connection(io, service));
    let mut is_told_to_end = false;
    poll_fn(|cx| {
        if progress.is_draining() && !is_told_to_end {
            is_told_to_end = true;
            conn.as_mut().graceful_shutdown();
        }
        while let Poll::Ready(due) = progress.poll_due(cx) {
            match due {
                Due::Go(_) => return Poll::Ready(()),
                Due::Leave => conn.as_mut().graceful_shutdown(),
                // What has been agreed on with the client must be kept.
                Due::Rest => {}
            }
        }
        if let Err(error) = ready!(conn.as_mut().poll(cx)) {
            tracing::debug!(%error, "a client connection ended badly");
            if let Some(reason) = fault_of(&error) {
                progress.give_up(reason);
            }
        }
        Poll::Ready(())
    })
    .await;
}

fn builder(limits: &Limits, streams: Streams) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    builder
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(max_head(limits))
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(MAX_WAITING)
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(NEVER)
        .enable_connect_protocol();
    builder
}

/// The parser refuses what is larger in a word that says nothing. So it takes more than a head may have,
/// and what is a little too large gets an answer of ours.
fn max_head(limits: &Limits) -> u32 {
    let twice = limits.max_header_bytes.saturating_mul(2);
    u32::try_from(twice).unwrap_or(u32::MAX)
}

/// What the client has done to make the parser give up; `None` when it is just gone, or gave up itself.
fn fault_of(error: &hyper::Error) -> Option<Reason> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    if error.is_io() || error.is_remote() {
        return None;
    }
    let is_flood = error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
    Some(if is_flood {
        Reason::Overload
    } else {
        Reason::Malformed
    })
}
