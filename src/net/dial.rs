//! Connections to servers, in the clear or through TLS. It does not know what is spoken there.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::net::{
    socket::Socket,
    tls::{HTTP_2, Outbound},
};

/// The bytes of one connection to a server.
pub type Dialled = Socket<TcpStream, TlsStream<TcpStream>>;

/// What was agreed on in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreed {
    /// HTTP/1.1, or nothing at all.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    /// The server cannot be found or accepts nobody.
    #[error("cannot connect: {0}")]
    Tcp(#[source] io::Error),
    /// It is not who it should be, or we are not; or it speaks no TLS that is any good.
    #[error("no TLS with it: {0}")]
    Tls(#[source] io::Error),
}

impl NoConnection {
    /// What happened, in the words of RFC 9209 §2.3.
    pub fn proxy_error(&self) -> &'static str {
        let (Self::Tcp(error) | Self::Tls(error)) = self;
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match (self, tls) {
            (Self::Tcp(_), _) => "destination_unavailable",
            (Self::Tls(_), Some(rustls::Error::InvalidCertificate(_))) => "tls_certificate_error",
            (Self::Tls(_), Some(rustls::Error::AlertReceived(_))) => "tls_alert_received",
            (Self::Tls(_), _) => "tls_protocol_error",
        }
    }
}

/// A peer that has gone without a word is noticed within a minute, on connections that are silent for
/// good reasons: whoever is there answers the kernel, whatever the program does.
pub const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

/// Connects to `address`, `host:port`, whose name is looked up each time.
pub async fn plain(address: &str) -> Result<Dialled, NoConnection> {
    tcp(address).await.map(Socket::Plain)
}

/// The same, and shakes hands.
pub async fn secured(address: &str, tls: &Outbound) -> Result<(Dialled, Agreed), NoConnection> {
    let stream = tcp(address).await?;
    let stream = tls.secure(host_of(address), stream).await;
    let stream = Box::new(stream.map_err(NoConnection::Tls)?);
    let agreed = match stream.get_ref().1.alpn_protocol() {
        Some(HTTP_2) => Agreed::Http2,
        Some(_) | None => Agreed::Http1,
    };
    Ok((Socket::Tls(stream), agreed))
}

async fn tcp(address: &str) -> Result<TcpStream, NoConnection> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(NoConnection::Tcp)?;
    stream.set_nodelay(true).map_err(NoConnection::Tcp)?;
    SockRef::from(&stream)
        .set_tcp_keepalive(&KEEPALIVE)
        .map_err(NoConnection::Tcp)?;
    Ok(stream)
}

/// `host:port` without the port, an address of IPv6 without its brackets.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}
