//! The way to the apps: picks a connection, sends the request, streams the answer back. It knows nothing of tokens or of the auth service.

mod exchange;
mod upgrade;

mod answering;
mod content;
mod download;
mod socket;
mod tether;
mod upload;

mod endpoint;
mod http1;
mod http2;
mod lease;
mod personal;
mod upstream;

mod error;

pub use answering::{Way, answer};
pub use content::Content;
pub use exchange::Exchange;
pub use tether::{Tether, Tethers};
pub use upgrade::Upgrade;
pub use upstream::Upstream;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    net::{
        patience::Pace,
        tls::{self, HTTP_1_1, HTTP_2, Outbound, OutboundSpec},
    },
};

/// One app, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// How routes, logs and metrics call it.
    pub name: Arc<str>,
    /// Where it runs; asked in turn.
    pub servers: Vec<Server>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// How those that want TLS are known.
    pub tls: OutboundSpec,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For which an unused connection is kept.
    pub idle: Duration,
    /// Between two pieces of an answer's body.
    pub body_idle: Duration,
    /// The same where long silence is usual: in streams of events, and in gRPC, in both directions.
    pub stream_idle: Duration,
    /// Unused connections kept per worker and server.
    pub max_idle: usize,
    /// Connections per worker and server.
    pub max_connections: usize,
}

/// One place where an app runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// `host:port`, in the clear.
    Http(String),
    /// `host:port`, by TLS.
    Https(String),
    /// The demo app that is part of the gateway.
    Demo,
}

/// What is spoken to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: a connection for each request under way.
    Http1,
    /// HTTP/2 (RFC 9113), known to be spoken there: one connection for many requests.
    Http2,
    /// Whichever of them a server chooses in its TLS handshake.
    Agreed,
}

/// One app, with all that was read from its files.
#[derive(Debug, Clone)]
pub struct App {
    /// As it is configured.
    pub spec: Arc<UpstreamSpec>,
    /// Secures the connections to it; `None` when no server of it wants that.
    pub tls: Option<Outbound>,
}

impl Protocol {
    /// What is offered in a TLS handshake, the best one first.
    const fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http1 => &[HTTP_1_1],
            Self::Http2 => &[HTTP_2],
            Self::Agreed => &[HTTP_2, HTTP_1_1],
        }
    }
}

impl UpstreamSpec {
    /// Whether any of its servers is reached by TLS.
    pub fn wants_tls(&self) -> bool {
        let by_tls = |server: &Server| matches!(server, Server::Https(_));
        self.servers.iter().any(by_tls)
    }
}

impl App {
    /// Reads the files it needs.
    pub fn open(spec: UpstreamSpec, clock: Clock) -> Result<Self, tls::Error> {
        let wanted = spec.wants_tls().then(|| Outbound::open(&spec.tls, clock));
        Ok(Self {
            tls: wanted.transpose()?,
            spec: Arc::new(spec),
        })
    }
}

impl fmt::Display for UpstreamSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at", self.name)?;
        for server in &self.servers {
            match server {
                Server::Http(authority) => write!(f, " http://{authority}")?,
                Server::Https(authority) => write!(f, " https://{authority}")?,
                Server::Demo => f.write_str(" demo: (built in, for a first look)")?,
            }
        }
        Ok(())
    }
}

/// What a route says about one request.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Bytes the request's body may have.
    pub max_body: u64,
    /// How slowly the request's body may come.
    pub pace: Pace,
    /// For which nothing may be said in a WebSocket.
    pub tunnel_idle: Duration,
    /// From the end of the request to the beginning of the answer.
    pub response_timeout: Duration,
    /// From the end of the request's head to the end of the answer, which in a WebSocket is its head.
    pub request_timeout: Option<Duration>,
}
