//! Tells browsers to be careful where an app does not say how: types, frames, referrers; knows nothing of what they get.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, Request, Response,
    header::{CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS},
};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    domain::route::{Headers, Route},
    edge::destination::Destination,
};

/// Adds to every answer the headers of its route, or those for all that goes along none. What an
/// answer says itself is never replaced: an app knows its pages, and the gateway's own say more.
#[derive(Debug, Clone)]
pub struct CarefulLayer {
    general: Arc<Headers>,
}

/// See [`CarefulLayer`].
#[derive(Debug, Clone)]
pub struct BeCareful<S> {
    inner: S,
    general: Arc<Headers>,
}

pin_project! {
    /// Waits for the answer's head.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        said: Option<Said>,
    }
}

/// What is said on an answer.
#[derive(Debug)]
enum Said {
    General(Arc<Headers>),
    Route(Arc<Route>),
}

impl CarefulLayer {
    /// `general` is for what goes along no route.
    pub const fn new(general: Arc<Headers>) -> Self {
        Self { general }
    }
}

impl Said {
    fn add_to(&self, answer: &mut HeaderMap) {
        let headers = match self {
            Self::General(headers) => headers,
            Self::Route(route) => &route.headers,
        };
        for (name, value) in headers {
            if *name == X_FRAME_OPTIONS && names_framers(answer) {
                continue;
            }
            answer.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Whether an answer says by itself who may frame it, in the newer way (CSP 3 §6.4.2).
fn names_framers(answer: &HeaderMap) -> bool {
    let policies = answer.get_all(CONTENT_SECURITY_POLICY).iter();
    let mut policies = policies.filter_map(|policy| policy.to_str().ok());
    policies.any(|policy| policy.to_ascii_lowercase().contains("frame-ancestors"))
}

impl<S> Layer<S> for CarefulLayer {
    type Service = BeCareful<S>;

    fn layer(&self, inner: S) -> BeCareful<S> {
        BeCareful {
            inner,
            general: Arc::clone(&self.general),
        }
    }
}

impl<S, A, B> Service<Request<A>> for BeCareful<S>
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
        let said = match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => {
                (!route.headers.is_empty()).then(|| Said::Route(Arc::clone(route)))
            }
            Some(Destination::Auth | Destination::Gateway | Destination::Refused(_)) | None => {
                (!self.general.is_empty()).then(|| Said::General(Arc::clone(&self.general)))
            }
        };
        ResponseFuture {
            inner: self.inner.call(request),
            said,
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
        if let Some(said) = this.said.take() {
            said.add_to(response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}
