//! All certificates of a gateway, and which of them a client gets for the name it asks for (RFC 6066 §3).

use std::{collections::HashMap, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::net::tls::{
    certificate::{Certificate, Pair},
    error::Error,
};

/// Certificates without two for the same name; never empty.
#[derive(Debug)]
pub struct Certificates {
    first: Arc<Certificate>,
    /// By whole name.
    exact: HashMap<String, Arc<Certificate>>,
    /// By what follows the first label of names that begin with `*.`.
    wildcard: HashMap<String, Arc<Certificate>>,
}

/// What a TLS connection showed its client, and for what the client had asked.
#[derive(Debug, Clone)]
pub struct Shown {
    asked: Option<String>,
    certificate: Arc<Certificate>,
    all: Arc<Certificates>,
}

impl Certificates {
    /// Puts them together; the first one is for clients that ask for no name, or for one that none
    /// of them has. `None` when there is none at all.
    pub fn new(all: &[(&Pair, Arc<Certificate>)]) -> Result<Option<Self>, Error> {
        let Some((_, first)) = all.first() else {
            return Ok(None);
        };
        let mut together = Self {
            first: Arc::clone(first),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        let mut owners: HashMap<&str, &Pair> = HashMap::new();
        for (pair, certificate) in all {
            if certificate.names().is_empty() && !Arc::ptr_eq(certificate, first) {
                return Err(Error::Nameless {
                    file: pair.certificate.clone(),
                });
            }
            for name in certificate.names() {
                if let Some(other) = owners.insert(name, pair)
                    && other != *pair
                {
                    return Err(Error::Twice {
                        name: name.clone(),
                        first: other.certificate.clone(),
                        second: pair.certificate.clone(),
                    });
                }
                let certificate = Arc::clone(certificate);
                match name.strip_prefix("*.") {
                    Some(parent) => together.wildcard.insert(parent.to_owned(), certificate),
                    None => together.exact.insert(name.clone(), certificate),
                };
            }
        }
        Ok(Some(together))
    }

    /// The one for a client that asks for this name.
    pub fn choose(&self, name: Option<&str>) -> &Arc<Certificate> {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return &self.first;
        };
        let by_parent = || {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        };
        self.exact
            .get(&name)
            .or_else(by_parent)
            .unwrap_or(&self.first)
    }

    /// Whether a client that asks for `host` gets a certificate that is for it.
    pub fn are_for(&self, host: &str) -> bool {
        self.choose(Some(host)).is_for(host)
    }

    /// What a client is shown that asks for this name.
    pub fn show(self: &Arc<Self>, asked: Option<&str>) -> Shown {
        Shown {
            certificate: Arc::clone(self.choose(asked)),
            asked: asked.map(str::to_ascii_lowercase),
            all: Arc::clone(self),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.choose(hello.server_name()).key()))
    }
}

impl Shown {
    /// Whether a request for `host`, in canonical spelling, may come on this connection.
    ///
    /// It may when the certificate is for that host, also when the client had asked for another one:
    /// that is how HTTP/2 clients share connections (RFC 9113 §9.1.1). Where no certificate of ours is,
    /// no other connection would do better, and a client that named this very host, or none, as for
    /// an address, has not confused anything.
    pub fn is_for(&self, host: &str) -> bool {
        self.certificate.is_for(host)
            || match &self.asked {
                Some(asked) => asked == host,
                None => !self.all.are_for(host),
            }
    }
}
