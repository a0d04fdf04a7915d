//! Whose word is taken for a server's identity, and encryption on that word; speaks no Redis.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::refusal::{NoConnection, Refusal};

/// Certificates of authorities, in PEM. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Roots(Arc<[CertificateDer<'static>]>);

/// The text holds no certificate of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificates in PEM")]
pub struct InvalidRoots;

/// Encrypts connections.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Roots {
    /// From a file's content; what is no certificate is skipped.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidRoots> {
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| InvalidRoots)?;
        let (added, _) = RootCertStore::empty().add_parsable_certificates(certificates.clone());
        if added == 0 || added < certificates.len() {
            return Err(InvalidRoots);
        }
        Ok(Self(certificates.into()))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

impl Tls {
    /// Trusts `roots`, or whom the system trusts. Reads the system's files: not for the data path.
    pub fn new(roots: Option<&Roots>) -> Result<Self, Refusal> {
        let trusted = match roots {
            Some(roots) => roots.0.to_vec(),
            // Some of a system's files may be broken; only without any there is nobody to trust.
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(trusted);
        if added == 0 {
            return Err(Refusal::NobodyTrusted);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Refusal::Tls)?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Encrypts a connection to `host`, which must show a certificate for that name or address.
    pub async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, NoConnection> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| NoConnection::unreachable("its name cannot stand in a certificate"))?;
        self.0
            .connect(name, stream)
            .await
            .map_err(|error| no_tls(&error))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// What TLS itself complains of will not go away by itself; a broken connection may.
fn no_tls(error: &io::Error) -> NoConnection {
    let complaint = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match complaint {
        Some(complaint) => Refusal::Tls(complaint.clone()).into(),
        None => NoConnection::unreachable(error),
    }
}
