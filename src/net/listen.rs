//! Listening sockets: one per worker on the same address, so that the kernel spreads connections and no worker waits for another.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Connections the kernel keeps for us while a worker is busy.
const BACKLOG: i32 = 4096;

/// How long to wait after the process ran out of file descriptors: until some connection ends.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Binds `count` sockets to one address (`SO_REUSEPORT`); port 0 becomes the same free port for all.
/// They are non-blocking, ready for a runtime that need not exist yet.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<StdListener>> {
    let mut sockets = Vec::with_capacity(count);
    let mut address = address;
    for _ in 0..count {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
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

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
