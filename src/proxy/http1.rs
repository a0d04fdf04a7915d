//! Connections that speak HTTP/1.1: each is for one request at a time, and the one used last is used first.
//!
//! hyper-util's client would do this for any number of threads; this one does it within one thread,
//! which saves a fifth of the CPU of a small request.

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::task::spawn_local;

use crate::{
    net::{
        dial::Dialled,
        timer::{Alarm, Timer},
    },
    proxy::{endpoint::OpenConnection, error::Error, lease::Sent, upload::Upload},
};

/// A connection that is ours alone. Closes when it is dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Upload>,
    /// Judges whatever the connection is waiting for: an answer, its body, or another request.
    pub alarm: Alarm,
}

pin_project! {
    /// A request that was sent.
    pub struct Sending<F> {
        #[pin]
        answer: F,
    }
}

/// Connections that wait for their next request.
#[derive(Default)]
pub struct Resting(RefCell<Vec<Connection>>);

/// Bytes of an answer that may wait here for a client that does not read, and so the longest head.
/// Without a bound of ours hyper would hold six times as much.
const MAX_BUFFER: usize = 64 << 10;

/// Begins to speak HTTP/1.1 over `stream`, which counts as `open` for as long as it is.
pub async fn open(
    stream: Dialled,
    open: OpenConnection,
    timer: &Timer,
) -> Result<Connection, Error> {
    let alarm = timer.alarm();
    let (sender, connection) = builder()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Exchange)?;
    let watched = alarm.clone();
    drop(spawn_local(async move {
        let _open = open;
        drive(connection, watched).await;
    }));
    Ok(Connection { sender, alarm })
}

/// The same for one request that asks for another protocol. If the app switches to it, the
/// connection's bytes are handed over.
pub async fn open_to_switch(stream: Dialled, timer: &Timer) -> Result<Connection, Error> {
    let alarm = timer.alarm();
    let (sender, connection) = builder()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Exchange)?;
    drop(spawn_local(drive(
        connection.with_upgrades(),
        alarm.clone(),
    )));
    Ok(Connection { sender, alarm })
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_BUFFER);
    builder
}

/// Ends when the connection's sender is dropped, when the app hangs up, or when the alarm is due.
async fn drive<T>(connection: impl Future<Output = T>, alarm: Alarm) {
    let mut connection = pin!(connection);
    poll_fn(|cx| {
        if alarm.poll_due(cx).is_ready() {
            return Poll::Ready(());
        }
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}

impl Connection {
    /// Sends a request; the head of its answer is what is given back to be waited for. Not an async fn,
    /// whose future would have room for the request three times.
    pub fn send(
        &mut self,
        mut request: Request<Upload>,
    ) -> Sending<impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload>>>>>
    {
        if request.body().is_of_unknown_length() {
            // Said here, since hyper takes a GET that says nothing for one without a body.
            let chunked = HeaderValue::from_static("chunked");
            let headers = request.headers_mut();
            headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        // Said for the client's connection; this one would need more (RFC 9110 §10.1.4).
        request.headers_mut().remove(header::TE);
        Sending {
            answer: self.sender.try_send_request(request),
        }
    }
}

impl<F> Future for Sending<F>
where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload>>>>,
{
    type Output = Sent;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent> {
        Poll::Ready(match ready!(self.project().answer.poll(cx)) {
            Ok(answer) => Sent::Answered(answer),
            Err(mut failed) => match failed.take_message() {
                Some(unsent) => Sent::Unsent(unsent, failed.into_error()),
                None => Sent::Failed(failed.into_error()),
            },
        })
    }
}

impl Drop for Connection {
    /// Without its sender hyper would go on until the rest of a request is sent, for which an app
    /// that has answered may take for ever.
    fn drop(&mut self) {
        self.alarm.set(Duration::ZERO);
    }
}

impl Resting {
    /// The one used last that can take a request.
    pub async fn take(&self, patience: Duration) -> Option<Connection> {
        loop {
            let mut connection = self.0.borrow_mut().pop()?;
            // Just returned, hyper may need one more turn to be ready; a closed one never will be,
            // and one whose app does not take the rest of an earlier request has as long as a new one.
            connection.alarm.set(patience);
            if connection.sender.is_ready() || connection.sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for as long as `idle`, if there are fewer than `max` and it is still open.
    pub fn put(&self, connection: Connection, idle: Duration, max: usize) {
        let mut resting = self.0.borrow_mut();
        if resting.len() < max && !connection.sender.is_closed() {
            connection.alarm.set(idle);
            resting.push(connection);
        }
    }
}

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resting({})", self.0.borrow().len())
    }
}
