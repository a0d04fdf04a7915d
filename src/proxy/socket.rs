//! The app's side of a WebSocket: its bytes, under the deadline of a silent tunnel and the tether of its session. Knows nothing of the client's side.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    proxy::{
        Terms,
        lease::Lease,
        tether::{Cut, Tether},
    },
    reject::{Broken, Code},
};

/// The app's side of a WebSocket. Its connection closes when it is dropped.
#[derive(Debug)]
pub struct Socket {
    io: TokioIo<Upgraded>,
    lease: Lease,
    tether: Tether,
    /// For which nothing may be said on either side.
    idle: Duration,
    /// The same once one side has said all it had to say.
    idle_at_last: Duration,
}

/// Read at once: on the stack, since a WebSocket is mostly silent.
const PIECE: usize = 16 * 1024;

impl Socket {
    /// The app's side, `io`, which counts and is watched over as `lease`.
    pub fn new(io: Upgraded, lease: Lease, terms: Terms, tether: Tether) -> Self {
        lease.alarm().set(terms.tunnel_idle);
        Self {
            io: TokioIo::new(io),
            lease,
            tether,
            idle: terms.tunnel_idle,
            idle_at_last: terms.tunnel_idle.min(terms.pace.pause),
        }
    }

    /// What the app says next; `None` when that was all.
    pub fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.check(cx)?;
        let mut room = [MaybeUninit::uninit(); PIECE];
        let mut heard = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut heard));
        read.map_err(|error| gone(&error))?;
        if heard.filled().is_empty() {
            self.ends_soon();
            return Poll::Ready(None);
        }
        self.is_alive();
        let said = Bytes::copy_from_slice(heard.filled());
        Poll::Ready(Some(Ok(said)))
    }

    /// Tells the app some of this.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Broken>> {
        self.check(cx)?;
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        let written = written.map_err(|error| gone(&error))?;
        if written == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(gone(&io::ErrorKind::WriteZero.into())));
        }
        self.is_alive();
        Poll::Ready(Ok(written))
    }

    /// Sees to it that the app hears what it was told.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.check(cx)?;
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        flushed.map_err(|error| gone(&error))
    }

    /// Tells the app that this was all.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.check(cx)?;
        let shut = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        self.ends_soon();
        Poll::Ready(shut.map_err(|error| gone(&error)))
    }

    /// Whether anything may still be said, in either direction.
    fn check(&self, cx: &mut Context<'_>) -> Result<(), Broken> {
        if let Err(Cut) = self.tether.check() {
            return Err(Broken(Code::SessionRevoked));
        }
        if self.lease.alarm().poll_due(cx).is_ready() {
            return Err(Broken(Code::RequestTimeout));
        }
        Ok(())
    }

    fn is_alive(&self) {
        self.lease.alarm().set(self.idle);
    }

    /// One side has ended; the other one has no reason to be silent for long.
    fn ends_soon(&mut self) {
        self.idle = self.idle_at_last;
        self.is_alive();
    }
}

fn gone(error: &io::Error) -> Broken {
    tracing::debug!(%error, "an app's WebSocket broke off");
    Broken(Code::UpstreamUnreachable)
}
