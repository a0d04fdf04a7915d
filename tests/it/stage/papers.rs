//! Certificates and keys in PEM files, by openssl: an authority, and whom it vouches for. Knows nothing of who uses them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::redis::tls::openssl;

/// An authority with a directory of its own.
#[derive(Debug)]
pub struct Papers(TempDir);

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Paper {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A key that is quickly made and that everybody knows.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

impl Papers {
    pub fn new() -> Self {
        let papers = Self(TempDir::new().expect("a directory"));
        let words = format!("req -x509 {KEY} -days 3650 -subj /CN=authority");
        papers.openssl(&format!("{words} -keyout ca.key -out ca.pem"));
        papers
    }

    /// The certificate of the authority itself.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// For hosts: `DNS:a.test,IP:127.0.0.1`. It is valid for ten years.
    pub fn server(&self, name: &str, hosts: &str) -> Paper {
        self.server_for(name, hosts, 3650)
    }

    /// The same, valid for so many days.
    pub fn server_for(&self, name: &str, hosts: &str, days: u32) -> Paper {
        self.issue(
            name,
            &format!("-days {days} -addext subjectAltName={hosts}"),
        )
    }

    /// For a client; it is valid for so many days.
    pub fn client(&self, name: &str, days: u32) -> Paper {
        let more = format!("-days {days} -addext extendedKeyUsage=clientAuth");
        self.issue(name, &more)
    }

    /// For this use alone, such as `serverAuth`; it is valid for ten years.
    pub fn purpose(&self, name: &str, purpose: &str) -> Paper {
        let more = format!("-days 3650 -addext extendedKeyUsage={purpose}");
        self.issue(name, &more)
    }

    fn issue(&self, name: &str, more: &str) -> Paper {
        let paper = Paper {
            cert: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        let (cert, key) = (paper.cert.display(), paper.key.display());
        self.openssl(&format!(
            "req -x509 {KEY} -subj /CN={name} -CA ca.pem -CAkey ca.key {more} \
             -addext basicConstraints=critical,CA:FALSE -keyout {key} -out {cert}"
        ));
        paper
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, words: &str) {
        openssl(self.0.path(), words);
    }
}

impl Paper {
    /// The settings of a gateway that serves it.
    pub fn setting(&self) -> String {
        let (cert, key) = (self.cert.display(), self.key.display());
        format!("[[server.tls.certificates]]\ncert = \"{cert}\"\nkey = \"{key}\"")
    }

    /// Puts other papers in their place, each file at once, as those who renew certificates do.
    pub fn replace_with(&self, other: &Self) {
        for (to, from) in [(&self.cert, &other.cert), (&self.key, &other.key)] {
            put(to, &std::fs::read(from).expect("a file"));
        }
    }
}

/// Writes a file that appears whole.
pub fn put(file: &Path, contents: &[u8]) {
    let aside = file.with_extension("new");
    std::fs::write(&aside, contents).expect("written");
    std::fs::rename(&aside, file).expect("renamed");
}
