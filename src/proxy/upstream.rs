//! One app and its servers: whose turn it is, and who comes next if that one is not there.

use std::{cell::Cell, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use crate::{
    net::timer::{Moment, Timer},
    proxy::{
        App, Terms, UpstreamSpec,
        endpoint::{Endpoint, Place},
        error::Error,
        lease::Lease,
    },
};

/// One app, as one worker knows it.
#[derive(Debug)]
pub struct Upstream {
    spec: Arc<UpstreamSpec>,
    endpoints: Vec<Rc<Endpoint>>,
    timer: Timer,
    /// Whose turn it is.
    next: Cell<usize>,
}

impl Upstream {
    /// Knows the app's servers; connects to none of them yet. `demo` is where the built-in one is.
    pub fn new(app: &App, demo: Option<SocketAddr>, timer: &Timer) -> Self {
        let spec = &app.spec;
        let tls = app
            .tls
            .as_ref()
            .map(|tls| tls.offering(spec.protocol.names()));
        let place = |server| Place::of(server, tls.as_ref(), demo);
        let endpoint = |place| Rc::new(Endpoint::new(Arc::clone(spec), place, timer.clone()));
        Self {
            spec: Arc::clone(spec),
            endpoints: spec
                .servers
                .iter()
                .filter_map(place)
                .map(endpoint)
                .collect(),
            timer: timer.clone(),
            next: Cell::new(0),
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// How long a stream may be silent, in either direction.
    pub fn stream_idle(&self) -> Duration {
        self.spec.stream_idle
    }

    /// When the answer to a request that begins now must have begun.
    pub fn latest(&self, terms: &Terms) -> Moment {
        let span = terms.request_timeout;
        span.map_or(Moment::NEVER, |span| self.timer.after(span))
    }

    /// A way to the server whose turn it is, or to the first one after it that accepts a connection before
    /// `latest`.
    pub async fn lease(&self, latest: Moment) -> Result<Lease, Error> {
        self.ask(async |endpoint| endpoint.lease(latest).await)
            .await
    }

    /// The same over a connection that is opened for this alone, and that may leave HTTP behind.
    pub async fn lease_alone(&self, latest: Moment) -> Result<Lease, Error> {
        self.ask(async |endpoint| endpoint.lease_alone(latest).await)
            .await
    }

    async fn ask(
        &self,
        lease: impl AsyncFn(&Rc<Endpoint>) -> Result<Lease, Error>,
    ) -> Result<Lease, Error> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let mut last = Error::Nowhere;
        for attempt in 0..self.endpoints.len() {
            let at = turn.wrapping_add(attempt) % self.endpoints.len();
            let Some(endpoint) = self.endpoints.get(at) else {
                break;
            };
            match lease(endpoint).await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
