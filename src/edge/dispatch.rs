//! Sends a request where it belongs: to the auth service, along its route, or nowhere. It knows neither of the two.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::ALLOW};
use pin_project_lite::pin_project;
use tower::Service;

use crate::{
    edge::destination::{Destination, METHODS},
    reject::{Code, Reject},
};

/// The fork in the way: `auth` answers the gateway's own endpoints, `routes` everything else.
#[derive(Debug, Clone)]
pub struct Dispatch<A, R> {
    auth: A,
    routes: R,
}

pin_project! {
    /// The answer of whoever it was sent to.
    #[derive(Debug)]
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<A, R, B> {
        /// Nobody: it is answered here.
        Here { response: Option<Response<B>> },
        /// The auth service.
        Auth { #[pin] future: A },
        /// A route.
        Route { #[pin] future: R },
    }
}

impl<A, R> Dispatch<A, R> {
    /// Forks between these two.
    pub const fn new(auth: A, routes: R) -> Self {
        Self { auth, routes }
    }
}

impl<A, R, B, O> Service<Request<B>> for Dispatch<A, R>
where
    A: Service<Request<B>, Response = Response<O>>,
    R: Service<Request<B>, Response = Response<O>, Error = A::Error>,
    O: From<Bytes>,
{
    type Response = Response<O>;
    type Error = A::Error;
    type Future = ResponseFuture<A::Future, R::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), A::Error>> {
        match self.auth.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.routes.poll_ready(cx),
            other @ (Poll::Ready(Err(_)) | Poll::Pending) => other,
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match request.extensions().get::<Destination>() {
            Some(Destination::Auth) => ResponseFuture::Auth {
                future: self.auth.call(request),
            },
            Some(Destination::Route(_)) => ResponseFuture::Route {
                future: self.routes.call(request),
            },
            Some(Destination::Gateway) => ResponseFuture::here(what_may_be_asked()),
            Some(Destination::Refused(reject)) => {
                ResponseFuture::here(Reject::clone(reject).into_response())
            }
            // Whoever builds a stack without the destination layer gets nothing through it.
            None => {
                let nowhere = Reject::new(Code::NotFound, "No route leads here.");
                ResponseFuture::here(nowhere.into_response())
            }
        }
    }
}

/// The answer to who asks about the gateway itself.
fn what_may_be_asked<B: From<Bytes>>() -> Response<B> {
    let mut response = Response::new(B::from(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods = HeaderValue::from_static(METHODS);
    response.headers_mut().insert(ALLOW, methods);
    response
}

impl<A, R, B> ResponseFuture<A, R, B> {
    const fn here(response: Response<B>) -> Self {
        Self::Here {
            response: Some(response),
        }
    }
}

impl<A, R, O, E> Future for ResponseFuture<A, R, O>
where
    A: Future<Output = Result<Response<O>, E>>,
    R: Future<Output = Result<Response<O>, E>>,
{
    type Output = Result<Response<O>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseFutureProjection::Auth { future } => future.poll(cx),
            ResponseFutureProjection::Route { future } => future.poll(cx),
            ResponseFutureProjection::Here { response } => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}
