//! A stream that counts what was written to it, so that one can say of a command that it never left; reads nothing into it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream and its count.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    written: Written,
}

/// How many bytes were taken for the way. Clones count the same.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<AtomicU64>);

impl<S> Counted<S> {
    /// Counts from nothing.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            written: Written::default(),
        }
    }

    /// The count.
    pub const fn written(&self) -> &Written {
        &self.written
    }
}

impl Written {
    /// Bytes until now.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.written.0.fetch_add(count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_counted_and_what_was_refused_is_not() {
        let (near, mut far) = duplex(4);
        let mut counted = Counted::new(near);
        let written = counted.written().clone();
        let (sent, received) = tokio::join!(counted.write_all(b"command"), async {
            let mut bytes = [0; 7];
            far.read_exact(&mut bytes).await.map(|_| bytes)
        });
        assert!(sent.is_ok());
        assert_eq!(&received.expect("all of it"), b"command");
        assert_eq!(written.bytes(), 7);
        drop(far);
        assert!(counted.write_all(b"more").await.is_err());
        assert_eq!(written.bytes(), 7);
    }
}
