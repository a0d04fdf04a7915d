//! The app behind: answers every GET with a line, and takes whatever else it is sent without a word. Lives on the load's core.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    thread,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

use crate::stage::load::block_on;

/// The end of every answer.
pub const SAYS: &[u8] = b"\r\n\r\nHello, world!";

/// Starts it.
pub fn start() -> SocketAddr {
    let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(|| block_on(serve(listener)));
    address
}

/// The settings of a gateway in front of it.
pub fn settings(app: SocketAddr) -> String {
    format!(
        "store.url = \"memory:\"\nserver.limits.idle = \"10m\"\nserver.limits.max_connections = 50000\n\
         upstreams.app.servers = \"http://{app}\"\n[[routes]]\npath = \"/\"\nauth = \"none\"\n"
    )
}

async fn serve(listener: StdListener) {
    listener.set_nonblocking(true).expect("a socket");
    let listener = TcpListener::from_std(listener).expect("a socket");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        drop(spawn_local(answer(stream)));
    }
}

async fn answer(mut stream: TcpStream) {
    let mut asked = Vec::with_capacity(1024);
    while let Ok(1..) = stream.read_buf(&mut asked).await {
        let is_get = asked.starts_with(b"GET ") && asked.ends_with(b"\r\n\r\n");
        if is_get {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 13";
            if stream.write_all(&[&head[..], SAYS].concat()).await.is_err() {
                return;
            }
        }
        if is_get || asked.len() > 1024 {
            asked.clear();
        }
    }
}
