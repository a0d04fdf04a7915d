//! The moment in which a client's connection, or one stream of it, leaves HTTP behind and becomes a tunnel; knows nothing of who asked for it.
//!
//! An answer of `101` says so, whatever HTTP its client speaks: its body is the app's side of the
//! tunnel. HTTP sees none of that body, and of the answer what its version wants: RFC 6455 §4.2.2
//! or RFC 8441 §5.

use std::{cell::Cell, fmt, rc::Rc};

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    response::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use crate::net::{
    progress::InFlight,
    tunnel::{Duplex, Tunnel},
    websocket::WEBSOCKET,
};

/// Where the app's side waits until the client's connection is free for it.
pub struct Handover<B>(Rc<Cell<Option<Box<Side<B>>>>>);

/// The app's side of a tunnel to be.
pub struct Side<B> {
    /// What the app says, and what it is told.
    pub body: B,
    /// Held until the tunnel has ended.
    pub in_flight: InFlight,
}

/// What becomes a tunnel when a request is answered with `101`.
pub enum Switch<B> {
    /// The whole connection, of HTTP/1.1.
    Connection(Handover<B>),
    /// One stream, of HTTP/2.
    Stream(OnUpgrade),
    /// Nothing, since nobody asked for it.
    Nothing,
}

impl<B> Default for Handover<B> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<B> Clone for Handover<B> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<B> Handover<B> {
    /// The app's side, if the connection is to be a tunnel.
    pub fn take(&self) -> Option<Box<Side<B>>> {
        self.0.take()
    }
}

impl<B: Duplex + 'static> Switch<B>
where
    B::Error: fmt::Display,
{
    /// Leads to `side` what the client says from now on, and gives back what the client is told.
    pub fn perform(self, mut parts: Parts, side: Side<B>) -> Parts {
        match self {
            Self::Connection(handover) => {
                let headers = &mut parts.headers;
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, WEBSOCKET);
                handover.0.set(Some(Box::new(side)));
            }
            Self::Stream(upgrade) => {
                parts.status = StatusCode::OK;
                parts.headers.remove(SEC_WEBSOCKET_ACCEPT);
                // It ends with its connection, which owns the other half of the stream.
                drop(spawn_local(async move {
                    if let Ok(client) = upgrade.await {
                        let client = TokioIo::new(client);
                        side.tunnel(client, Bytes::new()).await;
                    }
                }));
            }
            Self::Nothing => parts.status = StatusCode::BAD_GATEWAY,
        }
        parts
    }
}

impl<B> Side<B> {
    /// The tunnel to `client`, who has said `first` already.
    pub fn tunnel<T>(self, client: T, first: Bytes) -> Tunnel<T, B> {
        Tunnel::new(client, first, self.body, self.in_flight)
    }
}
