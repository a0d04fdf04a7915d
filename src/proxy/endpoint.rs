//! One server of an app: finds a connection that can take a request, or opens one. What is spoken on it is the business of [`http1`] and [`http2`].

use std::{cell::Cell, fmt, net::SocketAddr, rc::Rc, sync::Arc};

use http::uri::Scheme;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    net::{
        dial::{self, Agreed, Dialled, NoConnection},
        timer::{Moment, Timer},
        tls::{HTTP_1_1, Outbound},
    },
    proxy::{
        Protocol, Server, UpstreamSpec,
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
    place: Place,
    /// What it spoke when it was asked last, or what it is expected to.
    speaks: Cell<Agreed>,
    open: Rc<Cell<usize>>,
    /// Whether it could not be reached when that was tried last.
    is_lost: Cell<bool>,
    /// Held by the one who opens a connection that all others who wait will share.
    opening: Mutex<()>,
}

/// Where a server is, `host:port`, and how it is reached.
#[derive(Debug)]
pub enum Place {
    /// In the clear.
    Plain(String),
    /// By TLS.
    Secured {
        /// `host:port`.
        address: String,
        /// Offers what may be spoken there.
        tls: Outbound,
        /// Offers HTTP/1.1 alone.
        http1: Outbound,
    },
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
pub struct OpenConnection(Rc<Cell<usize>>);

impl Endpoint {
    /// Knows where the server is, and has no connection to it yet.
    pub fn new(spec: Arc<UpstreamSpec>, place: Place, timer: Timer) -> Self {
        let speaks = match spec.protocol {
            Protocol::Http1 => Agreed::Http1,
            Protocol::Http2 | Protocol::Agreed => Agreed::Http2,
        };
        Self {
            spec,
            speaks: Cell::new(speaks),
            resting: http1::Resting::default(),
            shared: http2::Shared::default(),
            timer,
            place,
            open: Rc::default(),
            is_lost: Cell::new(false),
            opening: Mutex::new(()),
        }
    }

    /// Where it is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// A place on a connection for one request, by `latest`.
    pub async fn lease(self: &Rc<Self>, latest: Moment) -> Result<Lease, Error> {
        if let Some(connection) = self.resting.take(self.spec.connect_timeout).await {
            return Ok(Lease::used_before(self, Line::Http1(connection)));
        }
        if let Some(lease) = self.share() {
            return Ok(lease);
        }
        // Rare, and large as a future: kept out of every request's own.
        Box::pin(self.open(latest)).await
    }

    /// A connection of its own, in HTTP/1.1 whatever is spoken otherwise; it may leave HTTP behind.
    pub async fn lease_alone(self: &Rc<Self>, latest: Moment) -> Result<Lease, Error> {
        let opened = async {
            let open = self.place_for_one()?;
            let stream = self.place.dial_for_http1().await?;
            let connection = http1::open_to_switch(stream, &self.timer).await?;
            let line = Line::Alone {
                connection,
                _open: open,
            };
            Ok(Lease::fresh(self, line))
        };
        self.in_time(latest, opened).await
    }

    fn share(self: &Rc<Self>) -> Option<Lease> {
        let stream = self.shared.stream(self)?;
        Some(Lease::used_before(self, Line::Http2(stream)))
    }

    async fn open(self: &Rc<Self>, latest: Moment) -> Result<Lease, Error> {
        let opened = async {
            match self.speaks.get() {
                Agreed::Http1 => self.connect().await,
                Agreed::Http2 => self.connect_in_turn().await,
            }
        };
        self.in_time(latest, opened).await
    }

    /// Waits for a connection; the deadline is for all that it takes until a request can go over it.
    async fn in_time(
        &self,
        latest: Moment,
        opened: impl Future<Output = Result<Lease, Error>>,
    ) -> Result<Lease, Error> {
        let left = latest.since(self.timer.now());
        let opened = timeout(left.min(self.spec.connect_timeout), opened).await;
        let opened = opened.unwrap_or(Err(Error::ConnectTimeout));
        match &opened {
            Ok(_) => self.is_lost.set(false),
            // There is a server, as busy as it may be.
            Err(Error::Exhausted) => {}
            Err(error) => self.lost(error),
        }
        opened
    }

    /// Tells operators, but not at every request.
    fn lost(&self, error: &Error) {
        let (upstream, server) = (&*self.spec.name, self.place.to_string());
        if self.is_lost.replace(true) {
            tracing::debug!(upstream, server, %error, "still no connection to an app");
        } else {
            tracing::warn!(upstream, server, %error, "no connection to an app");
        }
    }

    async fn connect_in_turn(self: &Rc<Self>) -> Result<Lease, Error> {
        let turn = self.opening.lock().await;
        // Whoever had the turn before may have opened one for everybody,
        if let Some(lease) = self.share() {
            return Ok(lease);
        }
        // or found that each needs one for itself.
        let _turn = (self.speaks.get() == Agreed::Http2).then_some(turn);
        self.connect().await
    }

    async fn connect(self: &Rc<Self>) -> Result<Lease, Error> {
        let open = self.place_for_one()?;
        let (stream, agreed) = self.dial().await?;
        self.speaks.set(agreed);
        let line = match agreed {
            Agreed::Http1 => Line::Http1(http1::open(stream, open, &self.timer).await?),
            Agreed::Http2 => Line::Http2(http2::open(stream, open, self).await?),
        };
        Ok(Lease::fresh(self, line))
    }

    /// A place for one connection more.
    fn place_for_one(&self) -> Result<OpenConnection, Error> {
        if self.open.get() >= self.spec.max_connections {
            return Err(Error::Exhausted);
        }
        Ok(OpenConnection::count(&self.open))
    }

    async fn dial(&self) -> Result<(Dialled, Agreed), Error> {
        let (stream, agreed) = match &self.place {
            // Nothing can be agreed on in the clear: what is spoken there is known.
            Place::Plain(address) => (dial::plain(address).await?, self.speaks.get()),
            Place::Secured { address, tls, .. } => dial::secured(address, tls).await?,
        };
        match (self.spec.protocol, agreed) {
            (Protocol::Http2, Agreed::Http1) => Err(Error::NoHttp2),
            (Protocol::Http1 | Protocol::Http2 | Protocol::Agreed, _) => Ok((stream, agreed)),
        }
    }
}

impl Place {
    /// That of `server`, by `tls` if it wants that; `demo` is where the built-in one is.
    pub fn of(server: &Server, tls: Option<&Outbound>, demo: Option<SocketAddr>) -> Option<Self> {
        match server {
            Server::Http(address) => Some(Self::Plain(address.clone())),
            Server::Https(address) => Some(Self::Secured {
                address: address.clone(),
                tls: tls?.clone(),
                http1: tls?.offering(&[HTTP_1_1]),
            }),
            Server::Demo => Some(Self::Plain(demo?.to_string())),
        }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        match self {
            Self::Plain(address) | Self::Secured { address, .. } => address,
        }
    }

    /// What stands in front of that in a URL.
    pub const fn scheme(&self) -> Scheme {
        match self {
            Self::Plain(_) => Scheme::HTTP,
            Self::Secured { .. } => Scheme::HTTPS,
        }
    }

    async fn dial_for_http1(&self) -> Result<Dialled, NoConnection> {
        match self {
            Self::Plain(address) => dial::plain(address).await,
            Self::Secured { address, http1, .. } => {
                let (stream, _) = dial::secured(address, http1).await?;
                Ok(stream)
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.address())
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
            .field("place", &self.place)
            .field("resting", &self.resting)
            .field("shared", &self.shared)
            .field("open", &self.open.get())
            .finish_non_exhaustive()
    }
}
