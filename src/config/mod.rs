//! From the text of `gateway.toml` to the rooms' own specs: the only room that knows TOML. It starts nothing.
//!
//! Text becomes domain values in one pass, and every problem of the file is found in it, each with
//! line, column and what would be right. What comes out is right by construction and split in two:
//! what a running gateway can take over, and what needs a restart.

mod document;
mod item;
mod problem;
mod unknown;

mod http_url;
mod master;
mod money;
mod path;
mod units;
mod url;
mod value;

mod advice;
mod captcha;
mod cors;
mod guard;
mod headers;
mod identity;
mod login;
mod rates;
mod resolve;
mod routes;
mod secrets;
mod server;
mod sms;
mod state;
mod test_numbers;
mod tls;
mod tokens;
mod upstreams;
mod wording;

pub use master::{KeptError, MasterSecret};
pub use problem::{Advice, Place, Position, Problem, Problems};
pub use state::{NoStore, Stores};
pub use units::{Size, Span};
pub use url::{InvalidUrl, server as server_url};

use std::{
    fs, io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use http::HeaderValue;

use crate::{
    auth,
    config::{
        document::{Document, Env},
        resolve::resolve,
    },
    domain::{
        cors::Cors,
        rate::Rate,
        route::{Directory, Headers},
    },
    net::{
        self, introduction::Names, listen::Listener, peer::TrustedProxies, tls::Spec as TlsSpec,
    },
    observe::log,
    proxy::{Server, UpstreamSpec},
    sms as carriers, store,
    token::{self, Algorithm, Timetable},
};

/// Everything the gateway is told.
#[derive(Debug)]
pub struct Config {
    /// What only a restart can change.
    pub fixed: Fixed,
    /// What a running gateway takes over.
    pub live: Live,
}

/// What only a restart can change. Two of them that are equal need none.
#[derive(Debug, PartialEq)]
pub struct Fixed {
    /// Where clients connect; never empty.
    pub listen: Vec<Listener>,
    /// Where operators connect, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Threads that serve; `None` is one per core.
    pub workers: Option<NonZeroUsize>,
    /// Where the state lives.
    pub store: store::Spec,
    /// What all inner keys are derived from.
    pub secret: MasterSecret,
    /// How log lines look.
    pub log: log::Spec,
}

/// What a running gateway takes over.
#[derive(Debug)]
pub struct Live {
    /// What a client connection may take.
    pub limits: net::Limits,
    /// How many requests may come, wherever they go.
    pub rates: Vec<Rate>,
    /// How TLS is spoken, where there is a listener for it.
    pub tls: Option<TlsSpec>,
    /// The port of HTTPS, if `public_url` tells; otherwise it is that of the first listener.
    pub https_port: Option<u16>,
    /// What browsers are told of coming back by HTTPS.
    pub hsts: Option<HeaderValue>,
    /// Who may speak for others.
    pub trusted_proxies: Arc<TrustedProxies>,
    /// Whose pages may ask the gateway's own endpoints from another origin.
    pub cors: Option<Arc<Cors>>,
    /// What browsers are told where no route says it.
    pub headers: Headers,
    /// Whether there is a log line for every request.
    pub access_log: AccessLog,
    /// How tokens are made and judged.
    pub tokens: token::Spec,
    /// What access tokens are signed with.
    pub keys: Keys,
    /// Who carries messages.
    pub sms: carriers::Spec,
    /// How the auth service behaves.
    pub auth: Arc<auth::Spec>,
    /// How an app is told who is calling.
    pub identity: Names,
    /// The apps; routes name them by their places.
    pub upstreams: Vec<UpstreamSpec>,
    /// The ways to them.
    pub routes: Directory,
}

/// Whether there is a log line for every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// There is.
    On,
    /// There is not.
    Off,
}

/// Where the keys of access tokens are, and of which kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The directory.
    pub dir: PathBuf,
    /// How new ones sign.
    pub algorithm: Algorithm,
    /// When they change their states.
    pub timetable: Timetable,
}

/// Where a configuration comes from. It can be loaded again to see what has changed.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file; `None` is `gateway.toml` in the working directory, if there is one.
    pub file: Option<PathBuf>,
    /// What was said on the command line.
    pub flags: Flags,
}

/// What the command line says in place of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// In place of `server.listen`.
    pub listen: Option<SocketAddr>,
    /// In place of the servers of the only upstream.
    pub upstream: Option<Server>,
}

/// A configuration, and what to think of before it goes into production.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// How other stores than its own are found.
    pub stores: Stores,
    /// Never anything that is an error.
    pub advice: Vec<Advice>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to read.
    #[error(
        "there is no {DEFAULT_FILE} here\n  help: name a file with --config FILE, or an app with --upstream http://127.0.0.1:3000"
    )]
    Missing,
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// What is read when no file is named.
const DEFAULT_FILE: &str = "gateway.toml";

/// What stands for a file when there is none but `--upstream`.
const BUILT_IN: &str = r#"
[[routes]]
path = "/"

[upstreams.app]
servers = "demo:"  # --upstream takes its place
"#;

impl Source {
    /// Reads and resolves it.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        self.load_or(Path::new(DEFAULT_FILE))
    }

    /// As [`Source::load`], with `default` in place of the file in the working directory.
    fn load_or(&self, default: &Path) -> Result<Loaded, LoadError> {
        if let Some(file) = &self.file {
            return self.load_file(file);
        }
        match self.load_file(default) {
            Err(LoadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                if self.flags.upstream.is_none() {
                    return Err(LoadError::Missing);
                }
                Ok(self.resolve("(built-in)", BUILT_IN, env)?)
            }
            loaded => loaded,
        }
    }

    fn load_file(&self, file: &Path) -> Result<Loaded, LoadError> {
        let text = fs::read_to_string(file).map_err(|source| LoadError::Io {
            file: file.to_owned(),
            source,
        })?;
        Ok(self.resolve(&file.display().to_string(), &text, env)?)
    }

    fn resolve(&self, file: &str, text: &str, env: Env) -> Result<Loaded, Problems> {
        resolve(Document::parse(file, text, env)?, &self.flags)
    }
}

impl FromStr for Loaded {
    type Err = Problems;

    /// What a file with this text would be, for whoever has no file.
    fn from_str(text: &str) -> Result<Self, Problems> {
        Source::default().resolve("(text)", text, env)
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests;
