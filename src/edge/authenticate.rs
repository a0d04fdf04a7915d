//! Lets a request through when its access token is good and allows it, and says who the caller is.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    domain::route::{Access, Demands},
    edge::{
        destination::Destination,
        gate::{Denied, Gate, Principal},
    },
    reject::Reject,
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
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<S, A, F, B> {
        /// It did not pass.
        Refused { response: Option<Response<B>> },
        /// It did.
        Passed { #[pin] inner: F },
        /// Its token names a key that is looked for.
        Waiting { looking: Looking, asked: Option<Box<Asked<S, A>>> },
    }
}

/// A request that waits, and the service it is for.
struct Asked<S, A> {
    service: Authenticate<S>,
    request: Request<A>,
}

/// Ends when somebody has looked for newer keys.
type Looking = Pin<Box<dyn Future<Output = ()> + Send>>;

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

    /// What the request needs.
    fn access<'a, A>(&'a self, request: &'a Request<A>) -> &'a Access {
        match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => &route.access,
            Some(Destination::Auth | Destination::Gateway | Destination::Refused(_)) | None => {
                &self.access
            }
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
    S: Service<Request<A>, Response = Response<B>> + Clone,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S, A, S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let gate = &self.layer.gate;
        match gate.judge(&request, self.layer.access(&request)) {
            Ok(principal) => self.pass(request, principal),
            Err(Denied::Refused(reject)) => self.refuse(&request, reject),
            Err(Denied::UnknownKey) => {
                let looking = Box::pin(gate.clone().look_for_keys());
                // The one that is ready goes along, a fresh one stays behind.
                let fresh = self.clone();
                let service = mem::replace(self, fresh);
                let asked = Some(Box::new(Asked { service, request }));
                ResponseFuture::Waiting { looking, asked }
            }
        }
    }
}

impl<S> Authenticate<S> {
    fn pass<A, B>(
        &mut self,
        mut request: Request<A>,
        principal: Option<Principal>,
    ) -> ResponseFuture<S, A, S::Future, B>
    where
        S: Service<Request<A>, Response = Response<B>>,
    {
        if let Some(principal) = principal {
            request.extensions_mut().insert(principal);
        }
        ResponseFuture::Passed {
            inner: self.inner.call(request),
        }
    }

    fn refuse<A, F, B: From<Bytes>>(
        &self,
        request: &Request<A>,
        reject: Reject,
    ) -> ResponseFuture<S, A, F, B> {
        let login = self.layer.gate.login();
        let redirect = login.and_then(|login| login.instead_of(&reject, request));
        ResponseFuture::Refused {
            response: Some(redirect.unwrap_or_else(|| reject.into_response())),
        }
    }
}

impl<S, A> Asked<S, A> {
    /// Somebody has looked for the key: what is unknown now is refused.
    fn go_on<B>(mut self) -> ResponseFuture<S, A, S::Future, B>
    where
        S: Service<Request<A>, Response = Response<B>>,
        B: From<Bytes>,
    {
        let layer = &self.service.layer;
        match layer.gate.admit(&self.request, layer.access(&self.request)) {
            Ok(principal) => self.service.pass(self.request, principal),
            Err(reject) => self.service.refuse(&self.request, reject),
        }
    }
}

impl<S, A, B> Future for ResponseFuture<S, A, S::Future, B>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let asked = match self.as_mut().project() {
                ResponseFutureProjection::Passed { inner } => return inner.poll(cx),
                ResponseFutureProjection::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
                ResponseFutureProjection::Waiting { looking, asked } => {
                    ready!(looking.as_mut().poll(cx));
                    asked.take()
                }
            };
            match asked {
                Some(asked) => self.set(asked.go_on()),
                None => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests;
