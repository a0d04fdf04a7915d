//! Lets a request through when its access token is good and allows it, and says who the caller is.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    domain::route::{Access, Demands},
    edge::{destination::Destination, gate::Gate},
};

/// Refuses requests without a good token, and puts [`super::gate::Principal`] into those that have one.
///
/// What a request needs is said by the route it was matched to; without the gateway's routing (in
/// an app of your own) by the access the layer was made with.
#[derive(Debug, Clone)]
pub struct AuthenticateLayer {
    gate: Gate,
    access: Arc<Access>,
}

/// See [`AuthenticateLayer`].
#[derive(Debug, Clone)]
pub struct Authenticate<S> {
    inner: S,
    layer: AuthenticateLayer,
}

pin_project! {
    /// The answer: a refusal at once, or what the inner service says.
    #[derive(Debug)]
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<F, B> {
        /// It did not pass.
        Refused { response: Option<Response<B>> },
        /// It did.
        Passed { #[pin] inner: F },
    }
}

impl AuthenticateLayer {
    /// Lets only requests with a good token through.
    pub fn required(gate: Gate) -> Self {
        Self::new(gate, Access::default())
    }

    /// Lets requests without a token through too, unidentified; a bad token is refused.
    pub fn optional(gate: Gate) -> Self {
        Self::new(gate, Access::Optional(Demands::default()))
    }

    fn new(gate: Gate, access: Access) -> Self {
        Self {
            gate,
            access: Arc::new(access),
        }
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for Authenticate<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let gate = &self.layer.gate;
        let access = match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => &route.access,
            Some(Destination::Auth | Destination::Refused(_)) | None => &*self.layer.access,
        };
        match gate.admit(&request, access) {
            Ok(principal) => {
                if let Some(principal) = principal {
                    request.extensions_mut().insert(principal);
                }
                ResponseFuture::Passed {
                    inner: self.inner.call(request),
                }
            }
            Err(reject) => {
                let login = gate.login();
                let redirect = login.and_then(|login| login.instead_of(&reject, &request));
                ResponseFuture::Refused {
                    response: Some(redirect.unwrap_or_else(|| reject.into_response())),
                }
            }
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            ResponseFutureProjection::Passed { inner } => inner.poll(cx),
            ResponseFutureProjection::Refused { response } => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}

#[cfg(test)]
mod tests;
