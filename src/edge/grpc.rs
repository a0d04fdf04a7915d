//! Puts every refusal of a gRPC request into words that its caller understands; who refuses, and why, it does not know.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, Version};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    net::grpc::is_grpc,
    reject::{self, Code},
};

/// Must stand outside of everything that refuses. What the app answers passes as it is.
#[derive(Debug, Clone, Copy)]
pub struct GrpcLayer;

/// See [`GrpcLayer`].
#[derive(Debug, Clone)]
pub struct AnswerGrpc<S> {
    inner: S,
}

/// What the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Http,
    Grpc,
}

pin_project! {
    /// Waits for the answer's head.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        reads: Reads,
    }
}

impl<S> Layer<S> for GrpcLayer {
    type Service = AnswerGrpc<S>;

    fn layer(&self, inner: S) -> AnswerGrpc<S> {
        AnswerGrpc { inner }
    }
}

impl<S, A, B> Service<Request<A>> for AnswerGrpc<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // There is no gRPC but over HTTP/2.
        let grpc = request.version() == Version::HTTP_2 && is_grpc(request.headers());
        ResponseFuture {
            reads: if grpc { Reads::Grpc } else { Reads::Http },
            inner: self.inner.call(request),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let refused = response.extensions().get::<Code>().copied();
        Poll::Ready(Ok(match (*this.reads, refused) {
            (Reads::Grpc, Some(code)) => reject::in_grpc(response, code),
            (Reads::Grpc, None) | (Reads::Http, _) => response,
        }))
    }
}
