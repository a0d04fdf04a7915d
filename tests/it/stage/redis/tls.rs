//! Certificates for one test: an authority, and a server on this machine that it vouches for.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{port::Port, server::Server};

/// A server that speaks TLS alone, as `localhost`, and the authority to know it by.
#[derive(Debug)]
pub struct TlsServer {
    pub server: Server,
    papers: Papers,
}

/// Files in PEM.
#[derive(Debug)]
struct Papers(TempDir);

impl TlsServer {
    /// Clients need no certificate. Further settings as in [`Server::with`].
    pub fn with(settings: &[&str]) -> Self {
        let (papers, port) = (Papers::new(), Port::free());
        let mut lines = vec![
            format!("tls-port {}", port.number()),
            format!("tls-cert-file {}", papers.path("server.pem").display()),
            format!("tls-key-file {}", papers.path("server.key").display()),
            format!("tls-ca-cert-file {}", papers.path("ca.pem").display()),
            "tls-auth-clients no".to_owned(),
        ];
        lines.extend(settings.iter().map(|line| (*line).to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut server = Server::at(port, &lines);
        server.launch();
        server.is_up();
        Self { server, papers }
    }

    /// The certificate of its authority, a file.
    pub fn authority(&self) -> PathBuf {
        self.papers.path("ca.pem")
    }
}

impl Papers {
    fn new() -> Self {
        let papers = Self(TempDir::new().expect("a directory"));
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(
            papers.0.path(),
            &format!("req -x509 {key} -subj /CN=authority -keyout ca.key -out ca.pem"),
        );
        openssl(
            papers.0.path(),
            &format!(
                "req -x509 {key} -subj /CN=localhost -CA ca.pem -CAkey ca.key \
                 -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                 -addext basicConstraints=critical,CA:FALSE -keyout server.key -out server.pem"
            ),
        );
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs openssl in `dir`.
pub fn openssl(dir: &Path, words: &str) {
    let done = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(dir)
        .output()
        .expect("openssl, which tests/run installs");
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {words}: {complaint}");
}
