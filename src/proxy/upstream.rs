//! One app and its servers: whose turn it is, and who comes next if that one is not there.

use std::{cell::Cell, net::SocketAddr, rc::Rc, sync::Arc};

use crate::{
    net::timer::Timer,
    proxy::{Server, UpstreamSpec, endpoint::Endpoint, error::Error, lease::Lease},
};

/// One app, as one worker knows it.
#[derive(Debug)]
pub struct Upstream {
    spec: Arc<UpstreamSpec>,
    endpoints: Vec<Rc<Endpoint>>,
    /// Whose turn it is.
    next: Cell<usize>,
}

impl Upstream {
    /// Knows the app's servers; connects to none of them yet. `demo` is where the built-in one is.
    pub fn new(spec: Arc<UpstreamSpec>, demo: Option<SocketAddr>, timer: &Timer) -> Self {
        let endpoints = spec
            .servers
            .iter()
            .filter_map(|server| match server {
                Server::Http(address) => Some(address.clone()),
                Server::Demo => demo.map(|address| address.to_string()),
            })
            .map(|address| Rc::new(Endpoint::new(Arc::clone(&spec), address, timer.clone())))
            .collect();
        Self {
            spec,
            endpoints,
            next: Cell::new(0),
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// A way to the server whose turn it is, or to the first one after it that accepts a connection.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let mut last = Error::Connect(std::io::ErrorKind::NotFound.into());
        for attempt in 0..self.endpoints.len() {
            let at = turn.wrapping_add(attempt) % self.endpoints.len();
            let Some(endpoint) = self.endpoints.get(at) else {
                break;
            };
            match endpoint.lease().await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
