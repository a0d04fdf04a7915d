//! Tells browsers that came over TLS to come back over nothing else (RFC 6797); knows nothing of what they get.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::STRICT_TRANSPORT_SECURITY};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::net::peer::{Client, Scheme};

/// Adds `Strict-Transport-Security` to answers over TLS. An app that says something else of itself is
/// right. Must stand inside of what knows the client.
#[derive(Debug, Clone)]
pub struct HstsLayer {
    /// `None` says nothing.
    value: Option<HeaderValue>,
}

/// See [`HstsLayer`].
#[derive(Debug, Clone)]
pub struct SayHsts<S> {
    inner: S,
    value: Option<HeaderValue>,
}

pin_project! {
    /// Waits for the answer's head.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        value: Option<HeaderValue>,
    }
}

impl HstsLayer {
    /// Says `value`, or nothing.
    pub const fn new(value: Option<HeaderValue>) -> Self {
        Self { value }
    }
}

impl<S> Layer<S> for HstsLayer {
    type Service = SayHsts<S>;

    fn layer(&self, inner: S) -> SayHsts<S> {
        SayHsts {
            inner,
            value: self.value.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for SayHsts<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let over_tls = || match request.extensions().get::<Client>()?.scheme {
            Scheme::Https => self.value.clone(),
            // A browser must not believe it there, and anybody could have written it (§8.1).
            Scheme::Http => None,
        };
        ResponseFuture {
            value: over_tls(),
            inner: self.inner.call(request),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(value) = this.value.take() {
            response
                .headers_mut()
                .entry(STRICT_TRANSPORT_SECURITY)
                .or_insert(value);
        }
        Poll::Ready(Ok(response))
    }
}
