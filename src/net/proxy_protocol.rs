//! Who the client behind a proxy is, where the proxy says so before anything else (haproxy's PROXY protocol, versions 1 and 2); knows nothing of who may say it.
//!
//! Where a header ends is decided here and what it says by the library, which only ever sees whole ones. A
//! header is looked at before it is taken, so that what follows it, TLS or HTTP, stays in the socket.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll},
};

use ppp::{v1, v2};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::net::progress::Progress;

/// Whether connections begin with who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preamble {
    /// They begin with what the client says.
    None,
    /// They begin with a header of the PROXY protocol.
    ProxyProtocol,
}

/// Whom a proxy has opened a connection for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// For this client.
    Client(SocketAddr),
    /// For nobody but itself: it wants to see whether we are well.
    Itself,
    /// For somebody it has no address of.
    Unknown,
}

/// Why nobody was announced.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Whoever connects may not speak for others.
    #[error("only a trusted proxy may connect here")]
    Stranger,
    /// The connection broke or ended.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// The client, or a proxy that was not told to, begins right away.
    #[error("it does not begin with a PROXY header")]
    Missing,
    /// No honest header is as long.
    #[error("its PROXY header does not end")]
    TooLong,
    /// The text means nothing.
    #[error("its PROXY header is broken: {0}")]
    Text(#[from] v1::BinaryParseError),
    /// The bytes mean nothing.
    #[error("its PROXY header is broken: {0}")]
    Binary(#[from] v2::ParseError),
    /// What is announced is no stream of bytes.
    #[error("its PROXY header is not about a connection")]
    NoConnection,
    /// It takes too long, which has been noted.
    #[error("its PROXY header took too long")]
    Late,
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
}

impl Error {
    /// Whether something is wrong with who connected, or with what it was told: it has said the wrong
    /// thing, or may say nothing.
    pub const fn is_of_the_proxy(&self) -> bool {
        match self {
            Self::Stranger
            | Self::Missing
            | Self::TooLong
            | Self::Text(_)
            | Self::Binary(_)
            | Self::NoConnection => true,
            Self::Broken(_) | Self::Late | Self::Stopping => false,
        }
    }
}

/// What a header of version 1 begins with.
const TEXT: &[u8] = b"PROXY ";

/// The longest header of version 1, by its specification.
const LONGEST_TEXT: usize = 107;

/// Of a header of version 2: the signature, what it is about, and how much follows.
const FIXED: usize = 16;

/// The longest header of version 2 that is read. Addresses take 216 bytes at most; what else may follow is
/// a few names, and at worst the certificate of a client.
const LONGEST_BINARY: usize = FIXED + 4096;

/// How much is looked at in one go: nearly always all of it.
const AT_ONCE: usize = 536;

/// Takes the header off a connection that has just been accepted, and not a byte more.
pub async fn read(stream: &mut TcpStream, progress: &Progress) -> Result<Announced, Error> {
    let mut reading = pin!(take(stream));
    let header = poll_fn(|cx: &mut Context<'_>| {
        if let Poll::Ready(header) = reading.as_mut().poll(cx) {
            return Poll::Ready(header);
        }
        if progress.is_draining() {
            return Poll::Ready(Err(Error::Stopping));
        }
        progress.poll_broken(cx).map(|_| Err(Error::Late))
    });
    parse(&header.await?)
}

async fn take(stream: &mut TcpStream) -> Result<Vec<u8>, Error> {
    let mut header = Vec::new();
    let mut ahead = vec![0; AT_ONCE];
    loop {
        let count = stream.peek(&mut ahead).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let taken = header.len();
        header.extend(ahead.iter().take(count));
        let end = end_of(&header)?;
        header.truncate(end.unwrap_or(header.len()));
        let seen = header.get_mut(taken..).unwrap_or_default();
        stream.read_exact(seen).await?;
        if end.is_some() {
            return Ok(header);
        }
    }
}

/// Where the header ends that `seen` begins with: `None` when more is to come.
fn end_of(seen: &[u8]) -> Result<Option<usize>, Error> {
    let begins_with = |mark: &[u8]| seen.starts_with(mark) || mark.starts_with(seen);
    if begins_with(v2::PROTOCOL_PREFIX) {
        let Some(&[high, low]) = seen.get(FIXED - 2..FIXED) else {
            return Ok(None);
        };
        let end = FIXED + usize::from(u16::from_be_bytes([high, low]));
        if end > LONGEST_BINARY {
            return Err(Error::TooLong);
        }
        return Ok((seen.len() >= end).then_some(end));
    }
    if begins_with(TEXT) {
        let mut line = seen.iter().take(LONGEST_TEXT);
        return match line.position(|byte| *byte == b'\n') {
            Some(at) => Ok(Some(at + 1)),
            None if seen.len() >= LONGEST_TEXT => Err(Error::TooLong),
            None => Ok(None),
        };
    }
    Err(Error::Missing)
}

/// What a whole header says.
fn parse(header: &[u8]) -> Result<Announced, Error> {
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        parse_binary(header)
    } else {
        parse_text(header)
    }
}

fn parse_text(header: &[u8]) -> Result<Announced, Error> {
    Ok(match v1::Header::try_from(header)?.addresses {
        v1::Addresses::Tcp4(it) => Announced::Client((it.source_address, it.source_port).into()),
        v1::Addresses::Tcp6(it) => Announced::Client((it.source_address, it.source_port).into()),
        v1::Addresses::Unknown => Announced::Unknown,
    })
}

fn parse_binary(header: &[u8]) -> Result<Announced, Error> {
    /// Version 2 and the command LOCAL, after which all that follows means nothing (§2.2).
    const LOCAL: u8 = 0x20;
    if header.get(v2::PROTOCOL_PREFIX.len()) == Some(&LOCAL) {
        return Ok(Announced::Itself);
    }
    let header = v2::Header::try_from(header)?;
    // None of them is used. But lengths that lead out of the header show that somebody else's bytes
    // got into it.
    for further in header.tlvs() {
        further?;
    }
    match (header.protocol, header.addresses) {
        (v2::Protocol::Stream, v2::Addresses::IPv4(it)) => Ok(Announced::Client(
            (it.source_address, it.source_port).into(),
        )),
        (v2::Protocol::Stream, v2::Addresses::IPv6(it)) => Ok(Announced::Client(
            (it.source_address, it.source_port).into(),
        )),
        (v2::Protocol::Stream, v2::Addresses::Unix(_))
        | (v2::Protocol::Unspecified, v2::Addresses::Unspecified) => Ok(Announced::Unknown),
        (
            v2::Protocol::Stream | v2::Protocol::Datagram | v2::Protocol::Unspecified,
            v2::Addresses::Unspecified
            | v2::Addresses::IPv4(_)
            | v2::Addresses::IPv6(_)
            | v2::Addresses::Unix(_),
        ) => Err(Error::NoConnection),
    }
}

#[cfg(test)]
mod tests;
