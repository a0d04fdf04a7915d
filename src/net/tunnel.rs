//! A tunnel: bytes both ways between a client and an app that have left HTTP behind. It knows nothing of what they say.
//!
//! It keeps what one side has said only while the other does not take it, and reads no more of it
//! meanwhile; a tunnel in which nothing is said holds no buffer at all.

use std::{
    fmt,
    io::{self, ErrorKind},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    body::{self, BodyProjection},
    net::{progress::InFlight, timer::Alarm},
};

/// The app's side of a tunnel: a body that gives what the app says, and takes what the client says.
///
/// The body of an answer of `101` is one that works; any other takes nothing.
pub trait Duplex: Body<Data = Bytes> {
    /// Takes some of what the client says: at least one byte, if there is one.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Self::Error>>;

    /// Sees to it that what was taken is on its way. An error also says that the tunnel must end,
    /// whatever else is under way: it is asked for whenever anything moves.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// The client has said all it had to say.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;
}

pin_project! {
    /// Ends when both sides have said all they had to say, or when either breaks off.
    #[derive(Debug)]
    pub struct Tunnel<T, B> {
        #[pin]
        client: T,
        #[pin]
        app: B,
        // Said by the client and not taken by the app, and the other way round.
        up: Way,
        down: Way,
        // Made when the client first keeps us waiting.
        stalled: Option<Alarm>,
        // It counts among what its connection has under way.
        in_flight: InFlight,
    }
}

/// One direction.
#[derive(Debug)]
enum Way {
    /// Somebody may say more. What was said and not taken yet is here, and empty otherwise.
    Open(Bytes),
    /// Somebody has said all; the other one is told.
    Ending,
    /// The other one knows.
    Ended,
}

/// Why a tunnel broke off.
#[derive(Debug, thiserror::Error)]
enum Broken<E> {
    #[error("the client's side: {0}")]
    Client(#[from] io::Error),
    #[error("the client takes nothing")]
    Stalled,
    #[error("the app's side: {0}")]
    App(E),
}

/// Read at once: on the stack, since a tunnel is mostly silent.
const PIECE: usize = 16 * 1024;

impl<T, B> Tunnel<T, B> {
    /// A tunnel between these two; the client has said `first` already.
    pub const fn new(client: T, first: Bytes, app: B, in_flight: InFlight) -> Self {
        Self {
            client,
            app,
            up: Way::Open(first),
            down: Way::Open(Bytes::new()),
            stalled: None,
            in_flight,
        }
    }
}

impl<T, B> Tunnel<T, B>
where
    T: AsyncRead + AsyncWrite,
    B: Duplex,
{
    fn poll_both(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken<B::Error>>> {
        // Before anything moves, so that nothing does in a tunnel that must end.
        self.as_mut().flush_app(cx)?;
        let down = self.as_mut().poll_down(cx)?;
        let up = self.as_mut().poll_up(cx)?;
        if down.is_ready() && up.is_ready() {
            return Poll::Ready(Ok(()));
        }
        match self.project().stalled {
            Some(stalled) => stalled.poll_due(cx).map(|()| Err(Broken::Stalled)),
            None => Poll::Pending,
        }
    }

    /// From the client to the app.
    fn poll_up(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken<B::Error>>> {
        loop {
            let this = self.as_mut().project();
            match this.up {
                Way::Open(said) if said.has_remaining() => {
                    let taken = ready!(this.app.poll_write(cx, said)).map_err(Broken::App)?;
                    said.advance(taken);
                }
                Way::Open(said) => {
                    // Frees the block that it was a part of.
                    *said = Bytes::new();
                    ready!(self.as_mut().poll_client(cx))?;
                }
                Way::Ending => {
                    ready!(this.app.poll_shutdown(cx)).map_err(Broken::App)?;
                    *this.up = Way::Ended;
                }
                Way::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Hears what the client says next. The app mostly takes it at once, so that nothing is kept.
    fn poll_client(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken<B::Error>>> {
        let this = self.as_mut().project();
        let mut room = [MaybeUninit::uninit(); PIECE];
        let mut heard = ReadBuf::uninit(&mut room);
        let Poll::Ready(read) = this.client.poll_read(cx, &mut heard) else {
            self.flush_app(cx)?;
            return Poll::Pending;
        };
        read?;
        let heard = heard.filled();
        if heard.is_empty() {
            *this.up = Way::Ending;
            return Poll::Ready(Ok(()));
        }
        let taken = match this.app.poll_write(cx, heard) {
            Poll::Ready(taken) => taken.map_err(Broken::App)?,
            Poll::Pending => 0,
        };
        let rest = heard.get(taken..).unwrap_or_default();
        *this.up = Way::Open(Bytes::copy_from_slice(rest));
        Poll::Ready(Ok(()))
    }

    /// From the app to the client.
    fn poll_down(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken<B::Error>>> {
        loop {
            let mut this = self.as_mut().project();
            match this.down {
                Way::Open(said) if said.has_remaining() => {
                    let Poll::Ready(taken) = this.client.poll_write(cx, said) else {
                        this.in_flight.await_client(this.stalled);
                        return Poll::Pending;
                    };
                    *this.stalled = None;
                    match taken? {
                        0 => return Poll::Ready(Err(Broken::Client(ErrorKind::WriteZero.into()))),
                        taken => said.advance(taken),
                    }
                }
                Way::Open(said) => match this.app.poll_frame(cx) {
                    Poll::Ready(Some(frame)) => {
                        // There is nothing but data in a tunnel.
                        let data = frame.map_err(Broken::App)?.into_data();
                        *said = data.unwrap_or_default();
                    }
                    Poll::Ready(None) => *this.down = Way::Ending,
                    Poll::Pending => {
                        *said = Bytes::new();
                        if let Poll::Ready(flushed) = this.client.as_mut().poll_flush(cx) {
                            flushed?;
                        }
                        return Poll::Pending;
                    }
                },
                Way::Ending => {
                    ready!(this.client.poll_shutdown(cx))?;
                    *this.down = Way::Ended;
                }
                Way::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    fn flush_app(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<(), Broken<B::Error>> {
        match self.project().app.poll_flush(cx) {
            Poll::Ready(flushed) => flushed.map_err(Broken::App),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: Duplex> Duplex for body::Body<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, S::Error>> {
        match self.project() {
            BodyProjection::Stream { stream } => stream.poll_write(cx, bytes),
            // An answer of our own is no tunnel: nobody listens.
            BodyProjection::Own { .. } => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.project() {
            BodyProjection::Stream { stream } => stream.poll_flush(cx),
            BodyProjection::Own { .. } => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.project() {
            BodyProjection::Stream { stream } => stream.poll_shutdown(cx),
            BodyProjection::Own { .. } => Poll::Ready(Ok(())),
        }
    }
}

impl<T, B> Future for Tunnel<T, B>
where
    T: AsyncRead + AsyncWrite,
    B: Duplex,
    B::Error: fmt::Display,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(error) = ready!(self.poll_both(cx)) {
            tracing::debug!(%error, "a tunnel broke off");
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests;
