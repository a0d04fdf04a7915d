//! What can be wrong with the files that TLS is made from, as an operator reads it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustls::{pki_types::pem, server::VerifierBuilderError};

/// Why files are of no use. No private key shows in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{} is not PEM: {source}", file.display())]
    Pem {
        /// Which.
        file: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file without what it is there for.
    #[error("{} holds no {wanted}", file.display())]
    Missing {
        /// Which.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// What claims to be a certificate is none.
    #[error("the certificate in {} cannot be used: {source}", file.display())]
    Certificate {
        /// Where it is.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// What claims to be a private key is none that we could sign with.
    #[error("the private key in {} cannot be used: {source}", file.display())]
    Key {
        /// Where it is.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Certificate and key are two different pairs.
    #[error("the private key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Where the key is.
        key: PathBuf,
    },
    /// A certificate that could never be chosen: it is not the first and names no host.
    #[error("the certificate in {} names no host, so nobody would ever get it", file.display())]
    Nameless {
        /// Where it is.
        file: PathBuf,
    },
    /// Two certificates for one name: which of them a client gets would be chance.
    #[error("the certificates in {} and {} are both for {name}", first.display(), second.display())]
    Twice {
        /// The name.
        name: String,
        /// Where one is.
        first: PathBuf,
        /// Where the other one is.
        second: PathBuf,
    },
    /// The authorities that client certificates are judged by cannot be used.
    #[error("the authorities in {} cannot be used: {source}", file.display())]
    Authorities {
        /// Where they are.
        file: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// The system knows no authority.
    #[error("the system trusts no authority; name one")]
    NobodyTrusted,
    /// The library of cryptography does not do what it should.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl Error {
    /// The file that must change, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Io { file, .. }
            | Self::Pem { file, .. }
            | Self::Missing { file, .. }
            | Self::Certificate { file, .. }
            | Self::Key { file, .. }
            | Self::Mismatch { key: file, .. }
            | Self::Nameless { file }
            | Self::Twice { second: file, .. }
            | Self::Authorities { file, .. } => Some(file),
            Self::NobodyTrusted | Self::Setup(_) => None,
        }
    }
}
