//! How a Redis store is written as a URL; connects to nothing.
//!
//! Errors and `Display` never repeat what may be a password, whatever is wrong with the text.

mod parse;

use std::{fmt, path::PathBuf};

use crate::secret::Secret;

/// Where the store is and how one is let in.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Which servers.
    pub servers: Servers,
    /// How bytes travel.
    pub transport: Transport,
    /// As whom, if the servers ask.
    pub login: Option<Login>,
    /// Which of a server's databases; a cluster has only 0.
    pub database: u32,
}

/// Which servers, and how the one that takes writes is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// This one.
    One(Address),
    /// This one, on the same machine.
    Socket(PathBuf),
    /// The one that sentinels name.
    Sentinel {
        /// Whom to ask; never empty.
        sentinels: Vec<Address>,
        /// What they call it.
        master: String,
    },
    /// Those of a cluster, found through any of these; never empty.
    Cluster(Vec<Address>),
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Readable by everybody on the way.
    Plain,
    /// Encrypted, to a server with a certificate for its name.
    Tls,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// An ACL user; `None` is the default one.
    pub user: Option<String>,
    /// Its password, valid UTF-8.
    pub password: Secret,
}

/// A host and a port. An IPv6 address is kept without its brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or an address.
    pub host: String,
    /// Never 0 in a URL.
    pub port: u16,
}

/// Why a text is no URL of a Redis store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Something else, or a misspelt scheme.
    #[error(
        "must begin with redis://, rediss://, redis+unix://, redis+sentinel://, \
         rediss+sentinel://, redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// Nobody to connect to.
    #[error("names no host")]
    NoHost,
    /// Not a name or an address.
    #[error("has a host that is none (an IPv6 address stands in brackets)")]
    Host,
    /// Not a number, or 0.
    #[error(
        "has a port that is none (in a user name or password, : @ / ? # are written %3A %40 %2F %3F %23)"
    )]
    Port,
    /// One server was expected.
    #[error("names several servers, which only redis+sentinel:// and redis+cluster:// may")]
    Several,
    /// More than anybody has.
    #[error("names more than {MAX_SERVERS} servers")]
    TooMany,
    /// A user name alone, or an empty password.
    #[error("has a user name or password that is missing: write USER:PASSWORD@ or :PASSWORD@")]
    Login,
    /// A `%` that begins no escape, or one that is no text.
    #[error("has a percent escape that is none (% itself is written %25)")]
    Escape,
    /// A path that is no number.
    #[error("has a database that is no number")]
    Database,
    /// A path where none has a meaning.
    #[error("has a path, but a cluster has only one database")]
    ClusterPath,
    /// Which of the masters?
    #[error("must end with the name of the master, such as /mymaster")]
    Master,
    /// Not an absolute path.
    #[error("must name the socket by an absolute path, such as redis+unix:///run/redis.sock")]
    Socket,
    /// A parameter we do not know.
    #[error("has a parameter that is none of db, user and password")]
    Parameter,
    /// A `?` or `#` where none has a meaning.
    #[error("must end before ? and # (in a password they are written %3F and %23)")]
    TooMuch,
}

/// Servers that one URL may name.
const MAX_SERVERS: usize = 64;

/// The password is left out, so that the text can stand in a log.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = match self.transport {
            Transport::Plain => "",
            Transport::Tls => "s",
        };
        match &self.servers {
            Servers::One(address) => {
                write!(f, "redis{s}://{}{address}", Shown(self.login.as_ref()))?;
                database(f, self.database)
            }
            Servers::Socket(path) => {
                write!(f, "redis+unix://{}", path.display())?;
                match self.database {
                    0 => Ok(()),
                    database => write!(f, "?db={database}"),
                }
            }
            Servers::Sentinel { sentinels, master } => {
                let login = Shown(self.login.as_ref());
                write!(f, "redis{s}+sentinel://{login}{}/{master}", List(sentinels))?;
                database(f, self.database)
            }
            Servers::Cluster(seeds) => {
                let login = Shown(self.login.as_ref());
                write!(f, "redis{s}+cluster://{login}{}", List(seeds))
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// A login as it may be shown.
struct Shown<'a>(Option<&'a Login>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(login) => write!(f, "{}:…@", login.user.as_deref().unwrap_or_default()),
            None => Ok(()),
        }
    }
}

struct List<'a>(&'a [Address]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, address) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

fn database(f: &mut fmt::Formatter<'_>, database: u32) -> fmt::Result {
    match database {
        0 => Ok(()),
        database => write!(f, "/{database}"),
    }
}

#[cfg(test)]
mod tests;
