//! TLS towards servers: whose word is taken for who they are, and what is shown of ourselves. It does not know what is spoken then.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    clock::Clock,
    net::tls::{
        Error, Pair,
        certificate::certificates,
        terms::{Time, provider},
    },
};

/// What TLS towards a server is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboundSpec {
    /// A file of authorities to take a server's certificate from; `None` are those of the system.
    pub authorities: Option<PathBuf>,
    /// What is shown to a server that wants to know who is calling.
    pub certificate: Option<Pair>,
    /// Whose certificate a server must show, if that is not the host under which it is reached.
    pub name: Option<ServerName<'static>>,
}

/// Secures connections to servers.
#[derive(Clone)]
pub struct Outbound {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// What is kept to come back to a server without a whole handshake: a few for each.
const SESSIONS: usize = 64;

impl Outbound {
    /// Reads the files: not for the data path. `clock` judges the certificates of servers.
    pub fn open(spec: &OutboundSpec, clock: Clock) -> Result<Self, Error> {
        let provider = Arc::new(provider());
        let shown = match &spec.certificate {
            Some(pair) => {
                let (certificate, key) = (read(&pair.certificate)?, read(&pair.key)?);
                Some(pair.parse(&certificate, &key, &provider)?)
            }
            None => None,
        };
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
            .with_protocol_versions(DEFAULT_VERSIONS)?
            .with_root_certificates(roots(spec.authorities.as_deref())?);
        let config = match shown {
            Some(shown) => {
                let key = CertifiedKey::clone(shown.key());
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self {
            config: Arc::new(config),
            name: spec.name.clone(),
        })
    }

    /// The same for one worker, which shares its memory of servers with no other, and offers these
    /// protocols by their names in ALPN.
    #[must_use]
    pub fn offering(&self, protocols: &[&[u8]]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Self {
            config: Arc::new(config),
            name: self.name.clone(),
        }
    }

    /// Shakes hands with the server at `host`, a name or an address, which must prove to be that.
    pub async fn secure(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        for authority in certificates(file, &read(file)?)? {
            let unusable = |source| Error::Certificate {
                file: file.to_owned(),
                source,
            };
            roots.add(authority).map_err(unusable)?;
        }
        return Ok(roots);
    }
    // Some of a system's files may be broken; only without any there is nobody to trust.
    let trusted: Vec<CertificateDer<'_>> = rustls_native_certs::load_native_certs().certs;
    match roots.add_parsable_certificates(trusted) {
        (0, _) => Err(Error::NobodyTrusted),
        _ => Ok(roots),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|source| Error::Io {
        file: file.to_owned(),
        source,
    })
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({:?})", self.name)
    }
}
