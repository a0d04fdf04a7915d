//! The terms of TLS connections: versions, cipher suites, protocols, tickets, client certificates. Mozilla's intermediate profile; nothing of it can be weakened.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, kx_group},
    },
    pki_types::{CertificateDer, UnixTime},
    server::{
        NoServerSessionStorage, ProducesTickets, VerifierBuilderError, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    time_provider::TimeProvider,
    version::TLS13,
};

use crate::{
    clock::Clock,
    net::tls::{ClientAuth, Error, MinVersion, certificates::Certificates},
};

/// What a connection is agreed on: all connections that are accepted at one moment have the same.
#[derive(Debug, Clone)]
pub struct Terms {
    /// As the library wants it.
    pub config: Arc<ServerConfig>,
    /// What clients are shown.
    pub certificates: Arc<Certificates>,
}

/// What stays the same when files change.
pub struct Rules {
    provider: Arc<CryptoProvider>,
    min_version: MinVersion,
    clock: Clock,
    /// Encrypts what a client brings along to come back without a whole handshake. It is the same
    /// for all workers, and nothing is kept here for it.
    tickets: Arc<dyn ProducesTickets>,
}

/// Ways to agree on a key, the best one first. What is recorded today must not be read by the quantum
/// computer of tomorrow, so who can do ML-KEM does.
const KEY_EXCHANGES: [&dyn SupportedKxGroup; 4] = [
    kx_group::X25519MLKEM768,
    kx_group::X25519,
    kx_group::SECP256R1,
    kx_group::SECP384R1,
];

/// The names of HTTP's versions in ALPN (RFC 7301 §6), the best one first.
const PROTOCOLS: [&[u8]; 3] = [HTTP_2, HTTP_1_1, b"http/1.0"];

const TLS_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// The name of HTTP/2 over TLS (RFC 9113 §3.1).
pub const HTTP_2: &[u8] = b"h2";

/// The name of HTTP/1.1 over TLS.
pub const HTTP_1_1: &[u8] = b"http/1.1";

/// Does the cryptography, on both sides of the gateway.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: KEY_EXCHANGES.to_vec(),
        ..aws_lc_rs::default_provider()
    }
}

impl Rules {
    /// `clock` judges the certificates of clients.
    pub fn new(min_version: MinVersion, clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            provider: Arc::new(provider()),
            min_version,
            clock,
            tickets: aws_lc_rs::Ticketer::new()?,
        })
    }

    /// Does the cryptography.
    pub fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    /// Who may connect: whoever `clients` says, by the authorities that its file holds.
    pub fn verifier(
        &self,
        clients: &ClientAuth,
        file: &Path,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|source| Error::Certificate {
                file: file.to_owned(),
                source,
            })?;
        }
        let provider = Arc::clone(&self.provider);
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match clients {
            ClientAuth::Optional(_) => builder.allow_unauthenticated(),
            ClientAuth::Off | ClientAuth::Required(_) => builder,
        };
        builder
            .build()
            .map_err(|source: VerifierBuilderError| Error::Authorities {
                file: file.to_owned(),
                source,
            })
    }

    /// The terms for connections from now on. `clients` is `None` when nobody is asked who he is.
    pub fn terms(
        &self,
        certificates: Certificates,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Terms, Error> {
        let certificates = Arc::new(certificates);
        let time = Arc::new(Time(self.clock.clone()));
        let resumes = clients.is_none();
        let builder = ServerConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_protocol_versions(self.versions())?
            .with_client_cert_verifier(
                clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth),
            );
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // Sessions are in the tickets; a memory of them would be shared by all workers.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if resumes {
            config.ticketer = Arc::clone(&self.tickets);
        } else {
            // A ticket would let in again whom its authority no longer vouches for.
            config.send_tls13_tickets = 0;
        }
        Ok(Terms {
            config: Arc::new(config),
            certificates,
        })
    }

    const fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.min_version {
            MinVersion::Tls12 => DEFAULT_VERSIONS,
            MinVersion::Tls13 => TLS_1_3,
        }
    }
}

/// The gateway's clock, as the library asks for it.
#[derive(Debug)]
pub struct Time(pub Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let now = std::time::Duration::from_millis(self.0.now().as_millis());
        Some(UnixTime::since_unix_epoch(now))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("min_version", &self.min_version)
            .finish_non_exhaustive()
    }
}
