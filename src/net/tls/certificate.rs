//! One certificate with its chain and its key, read from PEM, and the hosts it speaks for. It does not know which client gets it.

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc};

use rustls::{
    InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;

use crate::net::tls::{error::Error, validity::Validity};

/// The two files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, followed by those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key; may be the same file.
    pub key: PathBuf,
}

/// A certificate that connections can be served with.
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    validity: Option<Validity>,
}

impl Pair {
    /// Makes a certificate of what the two files hold.
    pub fn parse(
        &self,
        certificate: &[u8],
        key: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Certificate, Error> {
        let chain = certificates(&self.certificate, certificate)?;
        let mut keys = PrivateKeyDer::pem_slice_iter(key);
        let secret = keys.next().ok_or_else(|| Error::Missing {
            file: self.key.clone(),
            wanted: "private key (one that is encrypted cannot be read)",
        })?;
        let secret = secret.map_err(|source| Error::Pem {
            file: self.key.clone(),
            source,
        })?;
        let bad_key = |source| Error::Key {
            file: self.key.clone(),
            source,
        };
        let signing = provider
            .key_provider
            .load_private_key(secret)
            .map_err(bad_key)?;
        let pair = CertifiedKey::new(chain, signing);
        match pair.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Error::Mismatch {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                });
            }
            Err(source) => return Err(self.unusable(source)),
        }
        Certificate::new(pair).map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: rustls::Error) -> Error {
        Error::Certificate {
            file: self.certificate.clone(),
            source,
        }
    }
}

/// Every certificate in `text`, in its order; at least one.
pub fn certificates(
    file: &std::path::Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|source| Error::Pem {
        file: file.to_owned(),
        source,
    })?;
    if found.is_empty() {
        return Err(Error::Missing {
            file: file.to_owned(),
            wanted: "certificate",
        });
    }
    Ok(found)
}

impl Certificate {
    fn new(key: CertifiedKey) -> Result<Self, rustls::Error> {
        let own = key.end_entity_cert()?;
        let parsed = parse(own)?;
        Ok(Self {
            names: parsed
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect(),
            validity: Validity::of(own),
            key: Arc::new(key),
        })
    }

    /// What connections are served with.
    pub const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The names of hosts it is for, in lower case; some may begin with `*.`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When it is valid, as far as it could be read.
    pub const fn validity(&self) -> Option<Validity> {
        self.validity
    }

    /// Whether it is for `host`, a name or an address as it stands in `Host`, without port.
    pub fn is_for(&self, host: &str) -> bool {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let name = match bare.unwrap_or(host).parse::<IpAddr>() {
            Ok(ip) => ServerName::from(ip),
            Err(_) => match ServerName::try_from(host) {
                Ok(name) => name,
                Err(_) => return false,
            },
        };
        let own = self.key.end_entity_cert().and_then(|own| parse(own));
        own.is_ok_and(|own| own.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<EndEntityCert<'a>, rustls::Error> {
    EndEntityCert::try_from(der)
        .map_err(|_| rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding))
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.names.join(", "))
    }
}
