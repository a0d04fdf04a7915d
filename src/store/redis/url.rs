//! How a Redis store is written as a URL; connects to nothing.
//!
//! Errors and `Display` never repeat what may be a password, whatever is wrong with the text.

use std::{fmt, net::Ipv6Addr, path::PathBuf, str::FromStr};

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
const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl Url {
    /// Whether this text is meant to be a URL of a Redis store, though it may have mistakes.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("redis")
    }
}

impl FromStr for Url {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (scheme, rest) = text.split_once("://").ok_or(Invalid::Scheme)?;
        match scheme {
            "redis" => one(rest, Transport::Plain),
            "rediss" => one(rest, Transport::Tls),
            "redis+unix" => socket(rest),
            "redis+sentinel" => sentinel(rest, Transport::Plain),
            "rediss+sentinel" => sentinel(rest, Transport::Tls),
            "redis+cluster" => cluster(rest, Transport::Plain),
            "rediss+cluster" => cluster(rest, Transport::Tls),
            _ => Err(Invalid::Scheme),
        }
    }
}

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

fn one(rest: &str, transport: Transport) -> Result<Url, Invalid> {
    let Parts { login, hosts, path } = parts(rest)?;
    let mut servers = addresses(hosts, REDIS_PORT)?.into_iter();
    match (servers.next(), servers.next()) {
        (Some(address), None) => Ok(Url {
            servers: Servers::One(address),
            transport,
            login,
            database: number(path)?,
        }),
        (Some(_), Some(_)) => Err(Invalid::Several),
        (None, _) => Err(Invalid::NoHost),
    }
}

fn sentinel(rest: &str, transport: Transport) -> Result<Url, Invalid> {
    let Parts { login, hosts, path } = parts(rest)?;
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if master.is_empty() || !master.bytes().all(is_name) {
        return Err(Invalid::Master);
    }
    Ok(Url {
        servers: Servers::Sentinel {
            sentinels: addresses(hosts, SENTINEL_PORT)?,
            master: master.to_owned(),
        },
        transport,
        login,
        database: number(database)?,
    })
}

fn cluster(rest: &str, transport: Transport) -> Result<Url, Invalid> {
    let Parts { login, hosts, path } = parts(rest)?;
    if !path.is_empty() {
        return Err(Invalid::ClusterPath);
    }
    Ok(Url {
        servers: Servers::Cluster(addresses(hosts, REDIS_PORT)?),
        transport,
        login,
        database: 0,
    })
}

fn socket(rest: &str) -> Result<Url, Invalid> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') || path.len() < 2 {
        return Err(Invalid::Socket);
    }
    if rest.contains('#') {
        return Err(Invalid::TooMuch);
    }
    let (mut user, mut password, mut database) = (None, None, 0);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').ok_or(Invalid::Parameter)? {
            ("db", text) => database = number(text)?,
            ("user", text) => user = Some(unescaped(text)?),
            ("password", text) => password = Some(unescaped(text)?),
            (_, _) => return Err(Invalid::Parameter),
        }
    }
    let login = match (user, password) {
        (None, None) => None,
        (user, Some(password)) => Some(login(user.unwrap_or_default(), password)?),
        (Some(_), None) => return Err(Invalid::Login),
    };
    Ok(Url {
        servers: Servers::Socket(unescaped(path)?.into()),
        transport: Transport::Plain,
        login,
        database,
    })
}

/// What stands behind the scheme.
struct Parts<'a> {
    login: Option<Login>,
    hosts: &'a str,
    /// Without its first slash.
    path: &'a str,
}

fn parts(rest: &str) -> Result<Parts<'_>, Invalid> {
    if rest.contains(['?', '#']) {
        return Err(Invalid::TooMuch);
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') {
        // The slash is one of an unescaped password.
        return Err(Invalid::Port);
    }
    let (login, hosts) = match authority.split_once('@') {
        Some((text, hosts)) => {
            let (user, password) = text.split_once(':').ok_or(Invalid::Login)?;
            (Some(login(unescaped(user)?, unescaped(password)?)?), hosts)
        }
        None => (None, authority),
    };
    Ok(Parts { login, hosts, path })
}

fn login(user: String, password: String) -> Result<Login, Invalid> {
    if password.is_empty() {
        return Err(Invalid::Login);
    }
    Ok(Login {
        user: (!user.is_empty()).then_some(user),
        password: Secret::new(password.into_bytes()),
    })
}

fn addresses(hosts: &str, port: u16) -> Result<Vec<Address>, Invalid> {
    if hosts.is_empty() {
        return Err(Invalid::NoHost);
    }
    let addresses: Vec<_> = hosts
        .split(',')
        .map(|text| address(text, port))
        .collect::<Result<_, _>>()?;
    if addresses.len() > MAX_SERVERS {
        return Err(Invalid::TooMany);
    }
    Ok(addresses)
}

fn address(text: &str, default: u16) -> Result<Address, Invalid> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(Invalid::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| Invalid::Host)?;
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port),
                None if port.is_empty() => None,
                None => return Err(Invalid::Port),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(text)?, None),
        },
    };
    let port = match port {
        Some(text) => decimal(text)
            .filter(|port| *port > 0)
            .ok_or(Invalid::Port)?,
        None => default,
    };
    Ok(Address {
        host: host.to_ascii_lowercase(),
        port,
    })
}

fn name(host: &str) -> Result<&str, Invalid> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    match host {
        "" => Err(Invalid::NoHost),
        host if host.bytes().all(is_name) => Ok(host),
        _ => Err(Invalid::Host),
    }
}

/// The number of a database; none is 0.
fn number(text: &str) -> Result<u32, Invalid> {
    match text {
        "" => Ok(0),
        text => decimal(text).ok_or(Invalid::Database),
    }
}

/// Digits only: `parse` alone would take a plus sign.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Undoes percent escapes (RFC 3986 §2.1).
fn unescaped(text: &str) -> Result<String, Invalid> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let (high, low) = high.zip(low).ok_or(Invalid::Escape)?;
                u8::try_from(high * 16 + low).map_err(|_| Invalid::Escape)?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| Invalid::Escape)
}

#[cfg(test)]
mod tests;
