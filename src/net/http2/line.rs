//! What HTTP/2 is spoken over: a socket that counts the frames its client sends, and hangs up when they are too many.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{
    ending::Reason,
    http2::{
        PREFACE,
        frames::{Frames, Kind},
    },
    progress::Progress,
    socket::Socket,
};

/// One connection of HTTP/2.
#[derive(Debug)]
pub struct Line {
    socket: Socket,
    received: Frames,
    sent: Frames,
    progress: Rc<Progress>,
}

/// `GOAWAY` for every stream there is or will be, by `ENHANCE_YOUR_CALM` (RFC 9113 §6.8, §7).
const CALM_DOWN: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb,
];

impl Line {
    /// A connection on which no HTTP has been spoken yet.
    pub const fn new(socket: Socket, progress: Rc<Progress>) -> Self {
        Self {
            socket,
            received: Frames::after(PREFACE.len()),
            sent: Frames::after(0),
            progress,
        }
    }

    /// Says why, if there is a place for it right now, and goes.
    fn hang_up(&mut self, cx: &mut Context<'_>, kind: Kind) -> io::Error {
        if self.sent.are_between() {
            let socket = &mut self.socket;
            drop(Pin::new(&mut *socket).poll_write(cx, &CALM_DOWN));
            drop(Pin::new(socket).poll_flush(cx));
        }
        self.progress.give_up(Reason::Flood(kind));
        io::Error::other("the client sends frames that do no work")
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut line.socket).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        let mut excess = None;
        let progress = &line.progress;
        line.received.read(came, |frame| {
            if !progress.pays(frame) {
                excess.get_or_insert(frame.kind);
            }
        });
        progress.frames_came(line.received.head());
        match excess {
            Some(kind) => Poll::Ready(Err(line.hang_up(cx, kind))),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let taken = buf.get(..left.min(buf.len())).unwrap_or_default();
            left -= taken.len();
            self.sent.read(taken, |_| {});
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
