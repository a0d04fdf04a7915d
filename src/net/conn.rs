//! One client connection, whichever version of HTTP is spoken on it; knows nothing of what is served.

use std::{
    convert::Infallible, error::Error as StdError, future::poll_fn, io, pin::pin, rc::Rc,
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::{io::AsyncReadExt, net::TcpStream};
use tower::Service;

use crate::{
    net::{
        http1, http2,
        progress::{Progress, Version},
        socket::Socket,
        tls::Secured,
        tunnel::Duplex,
        watched::Watched,
    },
    reject::Code,
};

/// Room for the first read: a whole request without a body, usually.
const FIRST_READ: usize = 2048;

/// A connection that HTTP has not been spoken on yet.
#[derive(Debug)]
pub enum Arrived {
    /// In the clear, as it was accepted.
    Plain(TcpStream),
    /// After its TLS handshake.
    Secured(Secured),
}

/// Serves one connection until it ends by itself, breaks a limit, or is drained.
///
/// `service` is called without asking `poll_ready` first: the gateway's layers hold no
/// back-pressure in them, they are always ready. `refuse` answers what is no request at all.
pub async fn serve<S, B, R>(arrived: Arrived, service: S, refuse: R, progress: Rc<Progress>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    S::Future: 'static,
    B: Duplex + 'static,
    B::Error: StdError + Send + Sync,
    R: Fn(Code) -> Response<Bytes>,
{
    let (version, socket) = match arrived {
        // What was agreed on holds: nothing the client sends makes it another protocol.
        Arrived::Secured(Secured {
            version, stream, ..
        }) => (version, Socket::Tls(stream)),
        Arrived::Plain(stream) => match Box::pin(listen(stream, &progress)).await {
            Some((version, stream)) => (version, Socket::Plain(stream)),
            None => return,
        },
    };
    match version {
        Version::Http1 => http1::serve(socket, service, refuse, progress).await,
        // In a box, so that connections of HTTP/1 need not be as large.
        Version::Http2 => Box::pin(http2::serve(socket, service, progress)).await,
    }
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
    stream.readable().await?;
    let mut first = BytesMut::with_capacity(FIRST_READ);
    loop {
        if stream.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let seen = first.len().min(http2::PREFACE.len());
        if first.get(..seen) != http2::PREFACE.get(..seen) {
            return Ok((Version::Http1, first));
        }
        if seen == http2::PREFACE.len() {
            return Ok((Version::Http2, first));
        }
    }
}
