//! The files that TLS is made from, read again and again: what is new and good is taken over, what is not leaves things as they were.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use rustls::server::danger::ClientCertVerifier;

use crate::{
    clock::Clock,
    net::tls::{
        ClientAuth, Error, Pair, Spec,
        certificate::{Certificate, certificates},
        certificates::Certificates,
        terms::{Rules, Terms},
        validity::Validity,
    },
};

/// All files, with what is held of them.
#[derive(Debug)]
pub struct Files {
    rules: Rules,
    certificates: Vec<CertificateFiles>,
    clients: ClientAuth,
    authorities: Option<Authorities>,
}

/// What is held of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub file: PathBuf,
    /// When the certificate is valid that clients get; `None` for authorities.
    pub validity: Option<Validity>,
    /// Whether what the file holds now is of no use, so that what it held before is still in use.
    pub is_old: bool,
}

#[derive(Debug)]
struct CertificateFiles {
    pair: Pair,
    /// What clients get.
    shown: Arc<Certificate>,
    /// The newest one that is good for itself.
    found: Arc<Certificate>,
    seen: Fingerprint,
    /// Whether what the files hold now is neither of the two.
    is_unusable: bool,
}

struct Authorities {
    file: PathBuf,
    verifier: Arc<dyn ClientCertVerifier>,
    seen: Fingerprint,
    is_unusable: bool,
}

/// Tells contents apart; `None` stands for what cannot be read.
type Fingerprint = Option<Vec<u8>>;

/// No certificate is as large; what is larger is something else.
const LARGEST: u64 = 1 << 20;

impl Files {
    /// Reads all of them. Every one must be good; `trouble` is told what is not.
    pub fn open(spec: &Spec, clock: Clock, trouble: &mut dyn FnMut(Error)) -> Option<Self> {
        let rules = Rules::new(spec.min_version, clock)
            .map_err(&mut *trouble)
            .ok()?;
        let pairs = spec.certificates.iter();
        let opened = pairs.map(|pair| CertificateFiles::open(pair, &rules).map_err(&mut *trouble));
        // Each is read before the first failure ends it, so that all of them are told.
        let certificates: Vec<_> = opened.collect();
        let authorities = spec.clients.authorities();
        let authorities = authorities.map(|file| Authorities::open(file, &spec.clients, &rules));
        let authorities = authorities.transpose().map_err(&mut *trouble);
        let files = Self {
            certificates: certificates.into_iter().collect::<Result<_, _>>().ok()?,
            authorities: authorities.ok()?,
            clients: spec.clients.clone(),
            rules,
        };
        let together = files.together(CertificateFiles::shown);
        together.map_err(trouble).ok().map(|_| files)
    }

    /// The terms of connections, as the files were when they were last read.
    pub fn terms(&self) -> Result<Terms, Error> {
        let clients = self.authorities.as_ref();
        let clients = clients.map(|authorities| Arc::clone(&authorities.verifier));
        self.rules
            .terms(self.together(CertificateFiles::shown)?, clients)
    }

    /// Looks whether any of them has changed, and takes over what is good of it. Says whether there is
    /// anything new, and tells `trouble` what is wrong, once for each change.
    pub fn look(&mut self, trouble: &mut dyn FnMut(Error)) -> bool {
        let mut changed = false;
        for files in &mut self.certificates {
            match files.look(&self.rules) {
                None => {}
                Some(Ok(())) => changed = true,
                Some(Err(error)) => trouble(error),
            }
        }
        if changed {
            // Each is good for itself; whether they go together is another question.
            match self.together(CertificateFiles::found) {
                Ok(_) => self
                    .certificates
                    .iter_mut()
                    .for_each(CertificateFiles::show),
                Err(error) => {
                    trouble(error);
                    changed = false;
                }
            }
        }
        let authorities = self.authorities.as_mut();
        match authorities.and_then(|it| it.look(&self.clients, &self.rules)) {
            None => changed,
            Some(Ok(())) => true,
            Some(Err(error)) => {
                trouble(error);
                changed
            }
        }
    }

    /// What is held of each file, certificates in their order.
    pub fn held(&self) -> Vec<Held> {
        let certificates = self.certificates.iter().map(|files| Held {
            file: files.pair.certificate.clone(),
            validity: files.shown.validity(),
            is_old: files.is_unusable || !Arc::ptr_eq(&files.shown, &files.found),
        });
        let authorities = self.authorities.iter().map(|authorities| Held {
            file: authorities.file.clone(),
            validity: None,
            is_old: authorities.is_unusable,
        });
        certificates.chain(authorities).collect()
    }

    fn together(
        &self,
        which: fn(&CertificateFiles) -> &Arc<Certificate>,
    ) -> Result<Certificates, Error> {
        let all = self.certificates.iter();
        let all: Vec<_> = all.map(|it| (&it.pair, Arc::clone(which(it)))).collect();
        Certificates::new(&all)?.ok_or_else(|| Error::Setup(rustls::Error::NoCertificatesPresented))
    }
}

impl CertificateFiles {
    fn open(pair: &Pair, rules: &Rules) -> Result<Self, Error> {
        let (certificate, key) = (read(&pair.certificate)?, read(&pair.key)?);
        let found = Arc::new(pair.parse(&certificate, &key, rules.provider())?);
        Ok(Self {
            pair: pair.clone(),
            shown: Arc::clone(&found),
            found,
            seen: Some(fingerprint(&[&certificate, &key])),
            is_unusable: false,
        })
    }

    const fn shown(&self) -> &Arc<Certificate> {
        &self.shown
    }

    const fn found(&self) -> &Arc<Certificate> {
        &self.found
    }

    fn show(&mut self) {
        self.shown = Arc::clone(&self.found);
    }

    /// Takes what the files hold, if they have changed.
    fn look(&mut self, rules: &Rules) -> Option<Result<(), Error>> {
        let contents = read(&self.pair.certificate)
            .and_then(|certificate| Ok((certificate, read(&self.pair.key)?)));
        let seen = contents.as_ref().ok();
        let seen = seen.map(|(certificate, key)| fingerprint(&[certificate, key]));
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        let found = contents
            .and_then(|(certificate, key)| self.pair.parse(&certificate, &key, rules.provider()));
        self.is_unusable = found.is_err();
        Some(found.map(|found| self.found = Arc::new(found)))
    }
}

impl Authorities {
    fn open(file: &Path, clients: &ClientAuth, rules: &Rules) -> Result<Self, Error> {
        let contents = read(file)?;
        Ok(Self {
            verifier: rules.verifier(clients, file, certificates(file, &contents)?)?,
            seen: Some(fingerprint(&[&contents])),
            file: file.to_owned(),
            is_unusable: false,
        })
    }

    fn look(&mut self, clients: &ClientAuth, rules: &Rules) -> Option<Result<(), Error>> {
        let contents = read(&self.file);
        let seen = contents.as_ref().ok().map(|it| fingerprint(&[it]));
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        let verifier = contents
            .and_then(|contents| certificates(&self.file, &contents))
            .and_then(|authorities| rules.verifier(clients, &self.file, authorities));
        self.is_unusable = verifier.is_err();
        Some(verifier.map(|verifier| self.verifier = verifier))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io {
        file: file.to_owned(),
        source,
    };
    let mut contents = Vec::new();
    File::open(file)
        .and_then(|open| open.take(LARGEST + 1).read_to_end(&mut contents))
        .map_err(failed)?;
    if contents.len() as u64 > LARGEST {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(contents)
}

fn fingerprint(contents: &[&[u8]]) -> Vec<u8> {
    // Digests of equal length: contents cannot run into one another.
    let mut all = Context::new(&SHA256);
    for content in contents {
        all.update(digest(&SHA256, content).as_ref());
    }
    all.finish().as_ref().to_vec()
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authorities({})", self.file.display())
    }
}
