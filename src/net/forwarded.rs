//! `Forwarded` (RFC 7239): what proxies say of those who came to them, read from the right as far as they are believed. Knows nothing of requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::peer::{Scheme, TrustedProxies};

/// What trusted proxies say of a request's client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The first address from the right that is no trusted proxy.
    pub client: IpAddr,
    /// How the client reached them, when they say so.
    pub scheme: Option<Scheme>,
    /// The host that it asked them for, when they say so.
    pub host: Option<String>,
    /// The addresses that were believed, from the client on; without the peer.
    pub chain: Vec<IpAddr>,
}

/// What one proxy says of who came to it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    /// `None` for somebody it does not want to name, or cannot.
    node: Option<IpAddr>,
    scheme: Option<Scheme>,
    host: Option<String>,
}

/// An element that is not written as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

impl Told {
    /// What `lines` say, which `peer` sent in this order. Somebody without an address ends the reading, and
    /// so does what is not well-formed: nothing left of it can be believed.
    pub fn read<'a>(
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
        trusted: &TrustedProxies,
    ) -> Self {
        let mut told = Self {
            client: peer,
            scheme: None,
            host: None,
            chain: Vec::new(),
        };
        for element in lines.rev().flat_map(elements_from_the_right) {
            if !trusted.contains(told.client) {
                break;
            }
            let Ok(Element { node, scheme, host }) = element else {
                break;
            };
            told.scheme = scheme.or(told.scheme);
            told.host = host.or(told.host);
            let Some(node) = node else {
                break;
            };
            told.client = node;
            told.chain.insert(0, node);
        }
        told
    }
}

/// The elements of one line. Each proxy writes at the end, so that read from there nothing that a client has
/// begun, a quoted string for instance, reaches into what a proxy has added.
fn elements_from_the_right(line: &[u8]) -> impl Iterator<Item = Result<Element, Malformed>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        loop {
            let (before, last) = part_last(rest?);
            rest = before;
            let last = last.trim_ascii();
            if !last.is_empty() {
                return Some(Element::parse(last));
            }
        }
    })
}

/// What stands left of the last comma outside of quotes, and right of it.
fn part_last(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        let (before, from_here) = list.split_at(at);
        match byte {
            b'"' if !is_escaped(before) => quoted = !quoted,
            b',' if !quoted => return (Some(before), from_here.get(1..).unwrap_or_default()),
            _ => {}
        }
    }
    (None, list)
}

/// Whether what follows `before` is escaped by a backslash at its end.
fn is_escaped(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

impl Element {
    /// `for=192.0.2.1;proto=https`, each name at most once.
    fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let mut element = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, value, behind) = pair(rest)?;
            rest = behind;
            if seen.contains(&name) {
                return Err(Malformed);
            }
            match name.as_str() {
                "for" => element.node = node(&value)?,
                "proto" => {
                    let is_https = value.eq_ignore_ascii_case("https");
                    element.scheme = Some(if is_https {
                        Scheme::Https
                    } else {
                        Scheme::Http
                    });
                }
                "host" => element.host = Some(value),
                _ => {}
            }
            seen.push(name);
        }
        Ok(element)
    }
}

/// A name in lower case, its value without quotes, and what follows behind the semicolon.
fn pair(text: &[u8]) -> Result<(String, String, &[u8]), Malformed> {
    let equals = text.iter().position(|byte| *byte == b'=');
    let (name, rest) = text.split_at(equals.ok_or(Malformed)?);
    let rest = rest.get(1..).unwrap_or_default();
    let (value, rest) = if let Some((b'"', rest)) = rest.split_first() {
        quoted(rest)?
    } else {
        let end = rest.iter().position(|byte| !is_token(*byte));
        let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
        (text_of(value)?, rest)
    };
    // Spaces around the semicolon are not foreseen, and often there.
    let behind = match rest.trim_ascii().split_first() {
        None => &[],
        Some((b';', behind)) => behind.trim_ascii(),
        Some(_) => return Err(Malformed),
    };
    let name = name.trim_ascii();
    if name.is_empty() || value.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Malformed);
    }
    Ok((text_of(name)?.to_ascii_lowercase(), value, behind))
}

/// What stands between an opening quote and the closing one, and what follows.
fn quoted(text: &[u8]) -> Result<(String, &[u8]), Malformed> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                return Ok((text_of(&value)?, rest));
            }
            b'\\' => value.push(*bytes.next().ok_or(Malformed)?.1),
            byte => value.push(*byte),
        }
    }
    Err(Malformed)
}

fn text_of(bytes: &[u8]) -> Result<String, Malformed> {
    let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    let text = is_plain.then(|| String::from_utf8(bytes.to_vec()).ok());
    text.flatten().ok_or(Malformed)
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// RFC 7239 §6: an address, that of IPv6 in brackets, with or without a port; `None` for `unknown` and for
/// a name that hides somebody.
fn node(text: &str) -> Result<Option<IpAddr>, Malformed> {
    let (name, port) = if let Some(inside) = text.strip_prefix('[') {
        let (v6, port) = inside.split_once(']').ok_or(Malformed)?;
        let v6: Ipv6Addr = v6.parse().map_err(|_| Malformed)?;
        (Some(IpAddr::V6(v6).to_canonical()), port)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let (name, port) = text.split_at(end);
        if name.eq_ignore_ascii_case("unknown") || is_hidden(name) {
            (None, port)
        } else {
            let v4: Ipv4Addr = name.parse().map_err(|_| Malformed)?;
            (Some(IpAddr::V4(v4)), port)
        }
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok() && !port.starts_with('+');
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(name),
        Some(port) if is_port(port) || is_hidden(port) => Ok(name),
        Some(_) | None => Err(Malformed),
    }
}

/// `_hidden`.
fn is_hidden(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    name.strip_prefix('_')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(plain))
}

#[cfg(test)]
mod tests;
