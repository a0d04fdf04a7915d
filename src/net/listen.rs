//! Listening sockets: one per worker on the same address, so that the kernel spreads connections and no worker waits for another.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener as StdListener},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::net::{dial::KEEPALIVE, proxy_protocol::Preamble};

/// An address where clients connect, and what they meet there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// What.
    pub entrance: Entrance,
    /// What comes before it.
    pub preamble: Preamble,
}

/// What clients meet at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// HTTP in the clear.
    Plain,
    /// HTTP over TLS.
    Tls,
    /// HTTP in the clear that only leads to HTTPS.
    Redirect,
}

/// Connections the kernel keeps for us while a worker is busy.
const BACKLOG: i32 = 4096;

/// Bytes that the kernel takes from us before it has sent them. Without a bound it would keep megabytes
/// for each client that does not read; what is on its way to those that do is not counted.
const MAX_UNSENT: u32 = 256 << 10;

/// How long to wait after the process ran out of file descriptors: until some connection ends.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// As a URL of what is there.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.entrance {
            Entrance::Plain | Entrance::Redirect => "http",
            Entrance::Tls => "https",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// Binds `count` sockets to one address (`SO_REUSEPORT`); port 0 becomes the same free port for all.
/// They are non-blocking, ready for a runtime that need not exist yet.
///
/// An address that another gateway listens on is refused like any other that is taken: the two
/// would share its connections without a word. So the first socket is bound as one that shares with
/// nobody, and only then opened to those that follow.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<StdListener>> {
    let mut sockets = Vec::with_capacity(count);
    let mut address = address;
    for _ in 0..count {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // What is accepted takes these over.
        socket.set_tcp_keepalive(&KEEPALIVE)?;
        socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if sockets.is_empty() {
            socket.bind(&address.into())?;
            socket.set_reuse_port(true)?;
        } else {
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
        }
        socket.listen(BACKLOG)?;
        let listener = StdListener::from(socket);
        address = listener.local_addr()?;
        sockets.push(listener);
    }
    Ok(sockets)
}

/// The next connection. Errors of one connection are passed over, as `accept(2)` advises; when
/// descriptors run out it waits for some to come back rather than spin.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A gateway answers in few, complete writes; waiting to fill a segment only delays them.
                if stream.set_nodelay(true).is_ok() {
                    return (stream, peer);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for now");
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Ends a connection at once, with a reset: who has too many of them shall not have this machine remember
/// for a minute that there was one more.
pub fn turn_away(stream: TcpStream) {
    // Without it the end would be a little more polite.
    let _set: io::Result<()> = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream as StdStream;

    #[test]
    fn the_sockets_of_one_address_share_its_connections() {
        let sockets = bind(([127, 0, 0, 1], 0).into(), 3).expect("a free port");
        let address = sockets[0].local_addr().expect("an address");
        // Kept open: a socket that nobody connects to would have to be very unlucky.
        let _clients: Vec<_> = (0..100)
            .map(|_| StdStream::connect(address).expect("a connection"))
            .collect();
        for socket in &sockets {
            assert_eq!(socket.local_addr().expect("an address"), address);
            assert!(socket.accept().is_ok());
        }
    }

    #[test]
    fn a_client_that_is_gone_without_a_word_is_noticed_by_the_kernel() {
        let listener = bind(([127, 0, 0, 1], 0).into(), 1).expect("a free port");
        let address = listener[0].local_addr().expect("an address");
        let _client = StdStream::connect(address).expect("a connection");
        let (stream, _) = loop {
            match listener[0].accept() {
                Ok(accepted) => break accepted,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        let asked_after = socket.tcp_keepalive_time().expect("an option");
        assert_eq!(asked_after, Duration::from_secs(30));
    }

    #[test]
    fn an_address_that_another_gateway_listens_on_is_taken() {
        for (first, second) in [(1, 1), (1, 4), (4, 1), (4, 4)] {
            let ours = bind(([127, 0, 0, 1], 0).into(), first).expect("a free port");
            let address = ours[0].local_addr().expect("an address");
            let refused = bind(address, second).expect_err("two of them");
            assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
            drop(ours);
            assert!(bind(address, second).is_ok());
        }
    }
}
