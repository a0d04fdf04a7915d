//! Finds out who sends a request to the gateway's own endpoints, so that they can be counted as who they are; refuses nobody.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower::{Layer, Service};

use crate::{
    domain::route::{Access, Demands},
    edge::gate::Gate,
};

/// Puts [`super::gate::Principal`] into requests that bring a good token. What becomes of others is for the
/// endpoints to say, which judge for themselves: some of them take what has expired, or need nothing.
#[derive(Debug, Clone)]
pub struct RecognizeLayer(Option<Arc<Knows>>);

/// See [`RecognizeLayer`].
#[derive(Debug, Clone)]
pub struct Recognize<S> {
    inner: S,
    knows: Option<Arc<Knows>>,
}

#[derive(Debug)]
struct Knows {
    gate: Gate,
    access: Access,
}

impl RecognizeLayer {
    /// Asks `gate` who it is; without one nobody wants to know.
    pub fn new(gate: Option<Gate>) -> Self {
        let access = Access::Optional(Demands::default());
        Self(gate.map(|gate| Arc::new(Knows { gate, access })))
    }
}

impl<S> Layer<S> for RecognizeLayer {
    type Service = Recognize<S>;

    fn layer(&self, inner: S) -> Recognize<S> {
        Recognize {
            inner,
            knows: self.0.clone(),
        }
    }
}

impl<S, B> Service<Request<B>> for Recognize<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(Knows { gate, access }) = self.knows.as_deref()
            && let Ok(Some(principal)) = gate.admit(&request, access)
        {
            request.extensions_mut().insert(principal);
        }
        self.inner.call(request)
    }
}
