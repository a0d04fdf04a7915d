//! Bytes to requests and back: the only room that opens HTTP sockets. It knows nothing of routes, tokens or apps.

pub mod listen;

pub mod proxy_protocol;

pub mod tls;

pub mod conn;
pub mod dial;
mod http1;
mod http2;
pub mod malformed;
mod socket;
mod switch;
mod tracked;
pub mod tunnel;
mod watched;

pub mod ending;
pub mod guests;
pub mod patience;
pub mod progress;
pub mod timer;
pub mod warden;

pub mod bearer;
pub mod client;
pub mod cookies;
pub mod fields;
pub mod forwarded;
pub mod grpc;
pub mod hop_by_hop;
pub mod introduction;
pub mod origin;
pub mod page_view;
pub mod peer;
pub mod websocket;

use std::time::Duration;

use self::patience::Pace;

/// How long and how much a client connection may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Until a TLS handshake is over.
    pub handshake: Duration,
    /// Until the first byte of a connection, or of what comes after its handshake.
    pub first_byte: Duration,
    /// From the first to the last byte of a request head.
    pub headers: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// How slowly a body may move, in either direction.
    pub pace: Pace,
    /// For which a client of HTTP/2 may say nothing before it is asked whether it is there, and how long it
    /// has to answer that.
    pub ping: Duration,
    /// Until something is sent to a client that has shut down its side.
    pub half_closed: Duration,
    /// For which a tunnel may be silent on both sides.
    pub tunnel_idle: Duration,
    /// After which a connection is told to end.
    pub max_age: Option<Duration>,
    /// For requests in flight when the gateway is told to stop.
    pub drain: Duration,
    /// Bytes of a request head, at least 8 KiB.
    pub max_header_bytes: usize,
    /// Fields of a request head.
    pub max_headers: usize,
    /// Requests that an HTTP/2 client may have under way.
    pub max_streams: u32,
    /// TLS handshakes one worker holds at once; a further one pushes out the oldest.
    pub max_handshakes: usize,
    /// Connections one worker holds at once of those that came to one address; further ones wait in the
    /// kernel's queue.
    pub max_connections: usize,
    /// Connections one client has at once on one worker; further ones are refused.
    pub max_connections_per_client: usize,
}
