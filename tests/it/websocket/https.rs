//! A WebSocket with an app behind TLS: it is offered nothing but HTTP/1.1, whatever else is spoken with it.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{OPEN, handshake, switched};
use crate::stage::{PATIENCE, Stage, papers::Papers, tls::serving, wire::Wire};

/// The next connection of the gateway, after its handshake.
async fn accepted(listener: &TcpListener, acceptor: &TlsAcceptor) -> TlsStream<TcpStream> {
    let secured = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        acceptor.accept(stream).await.expect("a handshake")
    };
    timeout(PATIENCE, secured).await.expect("in time")
}

/// Everything up to and including `mark`.
async fn until(stream: &mut (impl AsyncRead + Unpin), mark: &str) -> String {
    let mut heard = Vec::new();
    let search = async {
        while !heard.ends_with(mark.as_bytes()) {
            heard.push(stream.read_u8().await.expect("more"));
        }
    };
    timeout(PATIENCE, search).await.expect("in time");
    String::from_utf8(heard).expect("text")
}

#[tokio::test]
async fn an_app_behind_tls_is_talked_to_by_tls_in_a_websocket_too() {
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(serving(&paper, &["h2", "http/1.1"], None)));
    let servers = format!("upstreams.app.servers = \"https://localhost:{port}\"");
    let authority = papers.authority();
    let ca = format!("upstreams.app.tls.ca = \"{}\"", authority.display());
    for protocol in ["http/1.1", "auto", "h2"] {
        let protocol = format!("upstreams.app.protocol = \"{protocol}\"");
        let stage = Stage::with(&[OPEN, &servers, &ca, &protocol]).await;
        let mut client = Wire::to(stage.address).await;
        client.send(handshake(&[])).await;
        let mut server = accepted(&listener, &acceptor).await;
        assert_ne!(server.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let head = until(&mut server, "\r\n\r\n").await;
        assert!(head.starts_with("GET /live HTTP/1.1\r\n"), "{head}");
        let answer = switched(&[]);
        server.write_all(answer.as_bytes()).await.expect("open");
        client.head().await;
        client.send("from the client;").await;
        until(&mut server, "from the client;").await;
        server.write_all(b"from the app;").await.expect("open");
        client.until("from the app;").await;
    }
}
