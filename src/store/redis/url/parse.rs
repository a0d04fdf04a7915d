//! The reading of a Redis URL, piece by piece; repeats none of it.

use std::{net::Ipv6Addr, str::FromStr};

use super::{Address, Invalid, Login, MAX_SERVERS, Servers, Transport, Url};
use crate::secret::Secret;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

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
