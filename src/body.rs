//! The one response body of the gateway: a short answer of our own, or a stream whose type the caller names.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Empty;
use pin_project_lite::pin_project;

pin_project! {
    /// A body that is either bytes we hold or a stream of type `S`, without a box in between.
    #[derive(Debug)]
    #[project = BodyProjection]
    pub enum Body<S> {
        /// Bytes we made; `None` once they are sent, or when there are none.
        Own { bytes: Option<Bytes> },
        /// Somebody else's stream, passed on frame by frame.
        Stream { #[pin] stream: S },
    }
}

impl<S> Body<S> {
    /// A body without content.
    pub const fn empty() -> Self {
        Self::Own { bytes: None }
    }

    /// Passes `stream` on as it is.
    pub const fn stream(stream: S) -> Self {
        Self::Stream { stream }
    }
}

impl Body<Empty<Bytes>> {
    /// The same body among those that may also be streams of `S`.
    pub fn among<S>(self) -> Body<S> {
        match self {
            Self::Own { bytes } => Body::Own { bytes },
            Self::Stream { .. } => Body::empty(),
        }
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self::Own {
            bytes: (!bytes.is_empty()).then_some(bytes),
        }
    }
}

impl<S: HttpBody<Data = Bytes>> HttpBody for Body<S> {
    type Data = Bytes;
    type Error = S::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, S::Error>>> {
        match self.project() {
            BodyProjection::Own { bytes } => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            BodyProjection::Stream { stream } => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { bytes } => bytes.is_none(),
            Self::Stream { stream } => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Stream { stream } => stream.size_hint(),
        }
    }
}
