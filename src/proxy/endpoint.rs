//! One server of an app: finds a connection that can take a request, or opens one. What is spoken on it is the business of [`http1`] and [`http2`].

use std::{cell::Cell, fmt, rc::Rc, sync::Arc};

use tokio::{net::TcpStream, sync::Mutex, time::timeout};

use crate::{
    net::timer::Timer,
    proxy::{
        Protocol, UpstreamSpec,
        error::Error,
        http1, http2,
        lease::{Lease, Line},
    },
};

/// One server of an app.
pub struct Endpoint {
    /// The app's settings.
    pub spec: Arc<UpstreamSpec>,
    /// Connections that nobody uses at the moment.
    pub resting: http1::Resting,
    /// Connections for many requests at once.
    pub shared: http2::Shared,
    /// Judges connections and what goes over them.
    pub timer: Timer,
    address: String,
    open: Rc<Cell<usize>>,
    /// Held by the one who opens a connection that all others who wait will share.
    opening: Mutex<()>,
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
pub struct OpenConnection(Rc<Cell<usize>>);

impl Endpoint {
    /// Knows where the server is, and has no connection to it yet.
    pub fn new(spec: Arc<UpstreamSpec>, address: String, timer: Timer) -> Self {
        Self {
            spec,
            resting: http1::Resting::default(),
            shared: http2::Shared::default(),
            timer,
            address,
            open: Rc::default(),
            opening: Mutex::new(()),
        }
    }

    /// Where it is, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A place on a connection for one request.
    pub async fn lease(self: &Rc<Self>) -> Result<Lease, Error> {
        if let Some(connection) = self.resting.take(self.spec.connect_timeout).await {
            return Ok(Lease::used_before(self, Line::Http1(connection)));
        }
        if let Some(lease) = self.share() {
            return Ok(lease);
        }
        // Rare, and large as a future: kept out of every request's own.
        Box::pin(self.open()).await
    }

    fn share(self: &Rc<Self>) -> Option<Lease> {
        let stream = self.shared.stream(self)?;
        Some(Lease::used_before(self, Line::Http2(stream)))
    }

    /// Opens a connection; its deadline is for all that it takes until a request can go over it.
    async fn open(self: &Rc<Self>) -> Result<Lease, Error> {
        let opened = async {
            match self.spec.protocol {
                Protocol::Http1 => self.connect().await,
                Protocol::Http2 => {
                    let _turn = self.opening.lock().await;
                    // Whoever had the turn before may have opened one for everybody.
                    match self.share() {
                        Some(lease) => Ok(lease),
                        None => self.connect().await,
                    }
                }
            }
        };
        timeout(self.spec.connect_timeout, opened)
            .await
            .map_err(|_| Error::ConnectTimeout)?
    }

    async fn connect(self: &Rc<Self>) -> Result<Lease, Error> {
        if self.open.get() >= self.spec.max_connections {
            return Err(Error::Exhausted);
        }
        let open = OpenConnection::count(&self.open);
        let stream = TcpStream::connect(&self.address)
            .await
            .map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        let line = match self.spec.protocol {
            Protocol::Http1 => Line::Http1(http1::open(stream, open, &self.timer).await?),
            Protocol::Http2 => Line::Http2(http2::open(stream, open, self).await?),
        };
        Ok(Lease::fresh(self, line))
    }
}

impl OpenConnection {
    fn count(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(Rc::clone(open))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .field("resting", &self.resting)
            .field("shared", &self.shared)
            .field("open", &self.open.get())
            .finish_non_exhaustive()
    }
}
