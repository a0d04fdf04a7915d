//! What HTTP/1 is spoken over: a socket that knows where requests end, and that keeps to itself what the parser would say on its own.
//!
//! hyper answers what it cannot parse by itself, in a few bytes that say nothing. They are the only
//! ones it writes while we owe no answer, so they are held back here, and somebody else says it better.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{http1::heads::Heads, progress::Progress, socket::Socket};

/// One connection of HTTP/1.
#[derive(Debug)]
pub struct Line {
    socket: Socket,
    heads: Heads,
    /// What a parser had taken and did not want.
    unread: Bytes,
    /// What a parser would have answered.
    held_back: Vec<u8>,
    /// Whether the client has said all, and the parser was not told.
    is_half_closed: bool,
    progress: Rc<Progress>,
}

/// More than a parser says on its own.
const HELD_BACK: usize = 1024;

impl Line {
    /// A connection on which no HTTP has been spoken yet.
    pub const fn new(socket: Socket, progress: Rc<Progress>) -> Self {
        Self {
            socket,
            heads: Heads::new(),
            unread: Bytes::new(),
            held_back: Vec::new(),
            is_half_closed: false,
            progress,
        }
    }

    /// Gives back what a parser had taken and did not want.
    pub fn put_back(&mut self, unread: Bytes) {
        self.unread = unread;
    }

    /// Ready when there is something to be read, or nothing ever again.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unread.has_remaining() {
            return Poll::Ready(());
        }
        self.socket.poll_readable(cx)
    }

    /// The socket alone, and the answer that was held back, if there is one.
    pub fn into_parts(self) -> (Socket, Vec<u8>) {
        (self.socket, self.held_back)
    }

    /// Whether there is an answer that was held back.
    pub fn is_refused(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// Whether a client that has said all it had to say may still wait for its answer. Through TLS
    /// nobody ends half a connection, and only what is whole is worth an answer.
    fn may_still_listen(&self) -> bool {
        self.socket.is_plain() && self.progress.is_busy() && self.heads.are_whole()
    }

    fn hold_back(&mut self, bytes: &[u8]) -> usize {
        let room = HELD_BACK.saturating_sub(self.held_back.len());
        self.held_back.extend(bytes.iter().take(room));
        bytes.len()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = &mut *self;
        if line.unread.has_remaining() {
            let count = line.unread.len().min(buf.remaining());
            buf.put_slice(&line.unread.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut line.socket).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        if came.is_empty() && line.may_still_listen() {
            line.is_half_closed = true;
            line.progress.half_closed();
            return Poll::Pending;
        }
        let findings = &line.progress.findings;
        line.heads.read(came, |flaw| findings.head_ended(flaw));
        if line.heads.is_within() {
            line.progress.head_begins();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.progress.owes() {
            return Poll::Ready(Ok(self.hold_back(buf)));
        }
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.progress.owes() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| self.hold_back(buf)).sum()));
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        // hyper flushes when it has written all it had.
        self.progress.flushed();
        if self.is_half_closed && !self.progress.is_busy() {
            // The answer is out: read once more, it is the end now.
            self.is_half_closed = false;
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The parser is done; the connection is not.
        if self.is_refused() || self.progress.is_resting() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
