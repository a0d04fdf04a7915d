//! TLS: certificates and their files, the terms of a connection and the handshake towards clients, and the way out to servers. It knows nothing of HTTP but the names of its versions.

mod certificate;
mod certificates;
mod error;
mod validity;

mod files;
mod terms;

mod crowd;
mod handshake;

mod outbound;

pub use certificate::Pair;
pub use certificates::{Certificates, Shown};
pub use crowd::Crowd;
pub use error::Error;
pub use files::{Files, Held};
pub use handshake::{Reception, Secured};
pub use outbound::{Outbound, OutboundSpec};
pub use terms::{HTTP_1_1, HTTP_2, Terms};
pub use validity::Validity;

use std::path::PathBuf;

/// What TLS is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Certificates and keys; never empty. The first is for clients that ask for no name we have.
    pub certificates: Vec<Pair>,
    /// What clients must at least speak.
    pub min_version: MinVersion,
    /// Who clients must be.
    pub clients: ClientAuth,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2, by the cipher suites that are still good.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Whether clients show certificates, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for any.
    Off,
    /// Who has one may show it; a bad one is refused.
    Optional(PathBuf),
    /// Who has none from the authorities in this file is refused.
    Required(PathBuf),
}

impl ClientAuth {
    /// Where the authorities are that certificates must come from.
    pub const fn authorities(&self) -> Option<&PathBuf> {
        match self {
            Self::Off => None,
            Self::Optional(file) | Self::Required(file) => Some(file),
        }
    }
}
