//! What happens to a client between the socket and its first request, by the address it came to; knows nothing of requests.

use std::{io, rc::Rc, sync::Arc};

use arc_swap::ArcSwap;
use tokio::net::TcpStream;

use crate::{
    app::site::Plan,
    edge::wrong_door::Entry,
    net::{
        conn::Arrived,
        ending::Reason,
        guests::{Guests, Seat, TooMany},
        listen::{self, Listener, turn_away},
        peer::{Peer, Scheme, TrustedProxies},
        progress::Progress,
        proxy_protocol::{self, Announced, Preamble},
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
    guests: Guests,
    trusted: Arc<TrustedProxies>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Entrance {
    way: Way,
    preamble: Preamble,
    guests: Guests,
    trusted: Arc<TrustedProxies>,
}

/// A client that has come in.
#[derive(Debug)]
pub struct Guest {
    /// Its connection.
    pub arrived: Arrived,
    /// The door it came by.
    pub entry: Entry,
    /// Who it is.
    pub peer: Peer,
    /// Holds its place among the connections of the same client, where those are counted.
    pub seat: Option<Seat>,
}

/// What leads from a socket to the first request.
#[derive(Debug, Clone)]
enum Way {
    /// Nothing.
    Plain,
    /// A TLS handshake.
    Tls(Reception),
    /// Nothing, and requests are led to HTTPS.
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
            guests: Guests::new(plan.limits.max_connections_per_client),
            trusted: Arc::clone(&plan.trusted),
        }
    }

    /// The one at this address.
    pub fn at(&self, listener: &Listener) -> io::Result<Entrance> {
        let way = match (listener.entrance, &self.tls) {
            (listen::Entrance::Plain, _) => Way::Plain,
            (listen::Entrance::Tls, Some((reception, _))) => Way::Tls(reception.clone()),
            (listen::Entrance::Redirect, Some((_, https))) => Way::Redirect {
                terms: Arc::clone(&https.terms),
                port: https.port,
            },
            (listen::Entrance::Tls | listen::Entrance::Redirect, None) => {
                return Err(io::Error::other("there is no certificate"));
            }
        };
        Ok(Entrance {
            way,
            preamble: listener.preamble,
            guests: self.guests.clone(),
            trusted: Arc::clone(&self.trusted),
        })
    }
}

impl Entrance {
    /// Lets a client in that has just connected; `None` when it does not get that far.
    pub async fn let_in(&self, mut stream: TcpStream, progress: &Rc<Progress>) -> Option<Guest> {
        let address = progress.client();
        let scheme = self.way.scheme();
        let mut peer = Peer::new(address, scheme, &self.trusted);
        if self.preamble == Preamble::ProxyProtocol {
            // In a box, as a handshake is: no other connection needs that much room.
            peer = match Box::pin(announced(&mut stream, &peer, progress)).await? {
                Announced::Client(client) => {
                    progress.comes_from(client);
                    Peer::new(client, scheme, &self.trusted)
                }
                Announced::Unknown => Peer::nameless(address, scheme),
                Announced::Itself => peer,
            };
        }
        let Ok(seat) = self.seat(&peer) else {
            // First: who is gone may look at once whether it was counted.
            let endings = &progress.warden().endings;
            endings.note(Reason::TooMany, peer.ip, None);
            turn_away(stream);
            return None;
        };
        let (arrived, entry) = self.way.lead_in(stream, progress).await?;
        Some(Guest {
            arrived,
            entry,
            peer,
            seat,
        })
    }

    /// A place among the connections of the same client. A trusted proxy speaks for many, so that its own
    /// are not counted.
    fn seat(&self, peer: &Peer) -> Result<Option<Seat>, TooMany> {
        if self.trusted.contains(peer.ip) {
            return Ok(None);
        }
        self.guests.seat(peer.ip).map(Some)
    }
}

impl Way {
    const fn scheme(&self) -> Scheme {
        match self {
            Self::Plain | Self::Redirect { .. } => Scheme::Http,
            Self::Tls(_) => Scheme::Https,
        }
    }

    async fn lead_in(
        &self,
        stream: TcpStream,
        progress: &Rc<Progress>,
    ) -> Option<(Arrived, Entry)> {
        match self {
            Self::Plain => Some((Arrived::Plain(stream), Entry::Open)),
            Self::Tls(reception) => {
                // In a box: a handshake takes much room, and is over before the first request.
                let handshake = Box::pin(reception.secure(stream, progress));
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

/// What the PROXY header of a new connection says; `None` when there is none, or none from somebody
/// who may speak for others.
async fn announced(stream: &mut TcpStream, proxy: &Peer, progress: &Progress) -> Option<Announced> {
    let failure = if proxy.is_trusted {
        match proxy_protocol::read(stream, progress).await {
            Ok(announced) => return Some(announced),
            Err(failure) => failure,
        }
    } else {
        proxy_protocol::Error::Stranger
    };
    let client = proxy.ip;
    tracing::debug!(%client, %failure, "nobody was announced");
    if failure.is_of_the_proxy() {
        let endings = &progress.warden().endings;
        endings.note(Reason::Unannounced, client, None);
    }
    None
}
