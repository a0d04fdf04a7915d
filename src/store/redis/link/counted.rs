//! A stream that counts what was written to it, and knows since when nothing came back; reads nothing into it.
//!
//! So one can say of a command that it never left, and of a server that it is silent, even when
//! nobody waits any more for what was asked.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant},
};

/// A stream and its traffic.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    traffic: Traffic,
}

/// What went over a stream. Clones speak of the same one.
#[derive(Debug, Clone)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    begun: Instant,
    /// Bytes that were taken for the way.
    written: AtomicU64,
    /// When the first byte went out after the last one that came in, in microseconds from
    /// `begun`; [`QUIET`] if none did.
    unanswered_since: AtomicU64,
}

/// Nothing is awaited.
const QUIET: u64 = u64::MAX;

impl<S> Counted<S> {
    /// Counts from nothing.
    pub fn new(stream: S) -> Self {
        let counts = Counts {
            begun: Instant::now(),
            written: AtomicU64::new(0),
            unanswered_since: AtomicU64::new(QUIET),
        };
        Self {
            stream,
            traffic: Traffic(Arc::new(counts)),
        }
    }

    /// What goes over it.
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}

impl Traffic {
    /// Bytes written until now.
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// For how long something was written and nothing came back.
    pub fn silence(&self) -> Duration {
        let since = self.0.unanswered_since.load(Ordering::Relaxed);
        Duration::from_micros(self.now().saturating_sub(since))
    }

    fn wrote(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.written.fetch_add(count, Ordering::Relaxed);
        if self.0.unanswered_since.load(Ordering::Relaxed) == QUIET {
            let now = self.now();
            self.0.unanswered_since.store(now, Ordering::Relaxed);
        }
    }

    fn heard(&self) {
        self.0.unanswered_since.store(QUIET, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_micros()).unwrap_or(QUIET)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.traffic.heard();
        }
        read
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
            self.traffic.wrote(count);
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
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::advance,
    };

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_counted_and_what_was_refused_is_not() {
        let (near, mut far) = duplex(4);
        let mut counted = Counted::new(near);
        let traffic = counted.traffic().clone();
        let (sent, received) = tokio::join!(counted.write_all(b"command"), async {
            let mut bytes = [0; 7];
            far.read_exact(&mut bytes).await.map(|_| bytes)
        });
        assert!(sent.is_ok());
        assert_eq!(&received.expect("all of it"), b"command");
        assert_eq!(traffic.written(), 7);
        drop(far);
        assert!(counted.write_all(b"more").await.is_err());
        assert_eq!(traffic.written(), 7);
    }
    #[tokio::test(start_paused = true)]
    async fn silence_begins_with_the_first_byte_that_is_not_answered() {
        let second = Duration::from_secs(1);
        let (near, mut far) = duplex(64);
        let mut counted = Counted::new(near);
        let traffic = counted.traffic().clone();
        advance(second).await;
        assert_eq!(traffic.silence(), Duration::ZERO);
        for _ in 0..2 {
            counted.write_all(b"command").await.expect("heard");
            advance(second).await;
        }
        assert_eq!(traffic.silence(), second * 2);
        far.write_all(b"answer").await.expect("heard");
        assert_eq!(traffic.silence(), second * 2);
        counted.read_exact(&mut [0; 6]).await.expect("an answer");
        advance(second).await;
        assert_eq!(traffic.silence(), Duration::ZERO);
    }
}
