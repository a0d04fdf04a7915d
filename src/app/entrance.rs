//! What happens to a client between the socket and its first request, by the address it came to; knows nothing of requests.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc};

use arc_swap::ArcSwap;
use tokio::net::TcpStream;

use crate::{
    app::site::Plan,
    edge::wrong_door::Entry,
    net::{
        conn::Arrived,
        listen,
        progress::Progress,
        tls::{Crowd, Reception, Terms},
    },
};

/// HTTPS, as a running gateway has it.
#[derive(Debug, Clone)]
pub struct Https {
    /// What new connections are agreed on.
    pub terms: Arc<ArcSwap<Terms>>,
    /// Where it is, for clients that are led there.
    pub port: u16,
}

/// The entrances of one worker.
#[derive(Debug)]
pub struct Entrances {
    tls: Option<(Reception, Https)>,
}

/// One of them.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// In the clear.
    Plain,
    /// After a TLS handshake.
    Tls(Reception),
    /// In the clear, to be led to HTTPS.
    Redirect {
        /// Tells for which hosts there is HTTPS.
        terms: Arc<ArcSwap<Terms>>,
        /// Where it is.
        port: u16,
    },
}

impl Entrances {
    /// The entrances of one worker.
    pub fn new(plan: &Plan) -> Self {
        let reception = |https: &Https| {
            let crowd = Crowd::new(plan.limits.max_handshakes);
            let metrics = plan.metrics.tls().clone();
            Reception::new(Arc::clone(&https.terms), crowd, metrics)
        };
        let https = plan.https.as_ref();
        Self {
            tls: https.map(|https| (reception(https), https.clone())),
        }
    }

    /// The one of this kind.
    pub fn at(&self, kind: listen::Entrance) -> io::Result<Entrance> {
        match (kind, &self.tls) {
            (listen::Entrance::Plain, _) => Ok(Entrance::Plain),
            (listen::Entrance::Tls, Some((reception, _))) => Ok(Entrance::Tls(reception.clone())),
            (listen::Entrance::Redirect, Some((_, https))) => Ok(Entrance::Redirect {
                terms: Arc::clone(&https.terms),
                port: https.port,
            }),
            (listen::Entrance::Tls | listen::Entrance::Redirect, None) => {
                Err(io::Error::other("there is no certificate"))
            }
        }
    }
}

impl Entrance {
    /// Lets a client in that has just connected; `None` when it does not get that far.
    pub async fn let_in(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        progress: &Rc<Progress>,
    ) -> Option<(Arrived, Entry)> {
        match self {
            Self::Plain => Some((Arrived::Plain(stream), Entry::Open)),
            Self::Tls(reception) => {
                // In a box: a handshake takes much room, and is over before the first request.
                let handshake = Box::pin(reception.secure(stream, client, progress));
                let secured = handshake.await?;
                let entry = Entry::Secured(secured.shown.clone());
                Some((Arrived::Secured(secured), entry))
            }
            Self::Redirect { terms, port } => {
                let entry = Entry::ToHttps {
                    certificates: Arc::clone(&terms.load().certificates),
                    port: *port,
                };
                Some((Arrived::Plain(stream), entry))
            }
        }
    }
}
