//! A client's socket that tells the connection's progress about every byte it takes or does not take.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::net::progress::Progress;

/// A socket, preceded by what was already read from it.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    first: BytesMut,
    progress: Rc<Progress>,
}

impl Watched {
    /// Reads `first` before anything that is still in `stream`.
    pub const fn new(stream: TcpStream, first: BytesMut, progress: Rc<Progress>) -> Self {
        Self {
            stream,
            first,
            progress,
        }
    }

    /// Ready when there is something to be read, or nothing ever again.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.first.has_remaining() {
            return Poll::Ready(());
        }
        self.stream.poll_read_ready(cx).map(|_| ())
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.progress.sent(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.progress.stalled(),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let count = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first.split_to(count));
            if self.first.is_empty() {
                // Frees the block: a connection lives long, its first read does not.
                self.first = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
