//! What follows the head of an app's answer: a body, or a WebSocket. Knows neither of them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    net::tunnel::Duplex,
    proxy::{download::Download, socket::Socket},
    reject::Broken,
};

/// What follows the head of an app's answer. Two known kinds, so that bodies pay nothing for the other.
#[derive(Debug)]
pub enum Content {
    /// An answer's body.
    Download(Download),
    /// Behind an answer of `101`.
    Socket(Box<Socket>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Download(download) => Pin::new(download).poll_frame(cx),
            Self::Socket(socket) => socket.poll_said(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Download(download) => download.is_end_stream(),
            Self::Socket(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Download(download) => download.size_hint(),
            Self::Socket(_) => SizeHint::default(),
        }
    }
}

impl Duplex for Content {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Broken>> {
        match self.get_mut() {
            // An answer's body is no tunnel: nobody listens.
            Self::Download(_) => Poll::Ready(Ok(bytes.len())),
            Self::Socket(socket) => socket.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.get_mut() {
            Self::Download(_) => Poll::Ready(Ok(())),
            Self::Socket(socket) => socket.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.get_mut() {
            Self::Download(_) => Poll::Ready(Ok(())),
            Self::Socket(socket) => socket.poll_shutdown(cx),
        }
    }
}
