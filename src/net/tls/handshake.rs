//! The handshake of one connection: under its deadline, in the crowd, and then with all that HTTP must know of it.

use std::{
    future::poll_fn,
    io,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    net::{
        ending::Reason,
        progress::{Progress, Version},
        tls::{
            certificates::Shown,
            crowd::Crowd,
            terms::{HTTP_2, Terms},
        },
        watched::Watched,
    },
    observe::tls::{Handshake, TlsMetrics},
};

/// Where the connections of one worker are secured.
#[derive(Debug, Clone)]
pub struct Reception {
    terms: Arc<ArcSwap<Terms>>,
    crowd: Crowd,
    metrics: TlsMetrics,
}

/// A connection over which TLS is spoken.
#[derive(Debug)]
pub struct Secured {
    /// What the client speaks over it.
    pub version: Version,
    /// The connection. In a box, so that connections in the clear need not be as large.
    pub stream: Box<TlsStream<Watched>>,
    /// What the client was shown.
    pub shown: Shown,
}

/// Why a connection could not be secured.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Broken(#[from] io::Error),
    #[error("it took too long")]
    Late,
    #[error("it made room for another one")]
    CrowdedOut,
    #[error("the gateway stops")]
    Stopping,
}

impl Reception {
    /// Secures connections by whatever the terms are when they come.
    pub const fn new(terms: Arc<ArcSwap<Terms>>, crowd: Crowd, metrics: TlsMetrics) -> Self {
        Self {
            terms,
            crowd,
            metrics,
        }
    }

    /// Speaks TLS with a client that has just connected; `None` when that fails. A failure is nothing
    /// unusual on an open port, so it is told to who wants to know it only.
    pub async fn secure(&self, stream: TcpStream, progress: &Rc<Progress>) -> Option<Secured> {
        let terms = self.terms.load_full();
        let stream = Watched::new(stream, BytesMut::new(), Rc::clone(progress));
        progress.shakes_hands();
        let _place = self.crowd.enter(Rc::clone(progress));
        match shake_hands(&terms, stream, progress).await {
            Ok(stream) => {
                let secured = Secured::of(stream, &terms);
                self.metrics.handshake(secured.kind());
                progress.secured(secured.version);
                Some(secured)
            }
            Err(failure) => {
                if let Some(kind) = failure.kind() {
                    self.metrics.handshake(kind);
                }
                let client = progress.client();
                tracing::debug!(%client, %failure, "a TLS handshake failed");
                None
            }
        }
    }
}

async fn shake_hands(
    terms: &Terms,
    stream: Watched,
    progress: &Progress,
) -> Result<TlsStream<Watched>, Failure> {
    let acceptor = TlsAcceptor::from(Arc::clone(&terms.config));
    let mut handshake = pin!(acceptor.accept(stream));
    poll_fn(|cx: &mut Context<'_>| {
        if let Poll::Ready(done) = handshake.as_mut().poll(cx) {
            return Poll::Ready(done.map_err(Failure::Broken));
        }
        if progress.is_draining() {
            return Poll::Ready(Err(Failure::Stopping));
        }
        progress.poll_broken(cx).map(|reason| {
            Err(if reason == Reason::CrowdedOut {
                Failure::CrowdedOut
            } else {
                Failure::Late
            })
        })
    })
    .await
}

impl Secured {
    fn of(stream: TlsStream<Watched>, terms: &Terms) -> Self {
        let (_, session) = stream.get_ref();
        Self {
            // Without ALPN nothing but HTTP/1.1 was agreed on (RFC 9113 §3.3).
            version: match session.alpn_protocol() {
                Some(HTTP_2) => Version::Http2,
                Some(_) | None => Version::Http1,
            },
            shown: terms.certificates.show(session.server_name()),
            stream: Box::new(stream),
        }
    }

    fn kind(&self) -> Handshake {
        let (_, session) = self.stream.get_ref();
        match session.handshake_kind() {
            Some(HandshakeKind::Resumed) => Handshake::Resumed,
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) | None => {
                Handshake::Full
            }
        }
    }
}

impl Failure {
    /// `None` for what is nobody's fault.
    const fn kind(&self) -> Option<Handshake> {
        match self {
            Self::Broken(_) => Some(Handshake::Failed),
            Self::Late => Some(Handshake::Late),
            Self::CrowdedOut => Some(Handshake::CrowdedOut),
            Self::Stopping => None,
        }
    }
}
