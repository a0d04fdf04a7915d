//! Many connections of one client, and many at one address: who has too many is sent away, and everybody else is served.

use std::{io, net::SocketAddr};

use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::stage::{BEHIND_A_PROXY, HTTPS, Stage, papers::Papers, tls::TlsClient, wire::Wire};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const ME: &str = "127.0.0.1";
const ONE_WORKER: &str = "server.workers = 1";
const PROXIED: &str = "server.listen = \"127.0.0.1:0 proxy_protocol\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const TURNED_AWAY: &str = "connections_ended_total{reason=\"too_many\"}";

fn at_most(count: u32) -> String {
    format!("server.limits.max_connections_per_client = {count}")
}

/// Whether a request on this connection is answered.
async fn is_served(wire: &mut Wire) -> bool {
    let is_served = wire.try_send(GET).await.is_ok() && wire.begins().await;
    if is_served {
        assert_eq!(wire.answer().await.status, 200);
    }
    is_served
}

/// A connection from an address of this machine, if a request on it is answered. One that is not may be
/// gone before it is known to stand.
async fn come(client: &str, to: SocketAddr) -> Option<Wire> {
    let mut wire = Wire::over(connect(client, to).await.ok()?);
    is_served(&mut wire).await.then_some(wire)
}

async fn connect(client: &str, to: SocketAddr) -> io::Result<TcpStream> {
    let client = format!("{client}:0").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(client).expect("an address of this machine");
    socket.connect(to).await
}

/// A connection of a client that a proxy announces.
async fn announced(client: &str, to: SocketAddr) -> Wire {
    let mut wire = Wire::to(to).await;
    let family = if client.contains(':') { "TCP6" } else { "TCP4" };
    let own = if client.contains(':') {
        "::1"
    } else {
        "127.0.0.1"
    };
    drop(
        wire.try_send(format!("PROXY {family} {client} {own} 9 80\r\n"))
            .await,
    );
    wire
}

#[tokio::test]
async fn a_client_with_as_many_connections_as_one_may_have_gets_no_further_one() {
    let stage = Stage::with(&[OPEN, ONE_WORKER, &at_most(3)]).await;
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(come(ME, stage.address).await.expect("room"));
    }
    for _ in 0..5 {
        assert!(come(ME, stage.address).await.is_none());
    }
    assert_eq!(stage.metric(TURNED_AWAY).await, 5);
    // Those that are there stay, and others have as many.
    for wire in &mut mine {
        assert!(is_served(wire).await);
    }
    assert!(come("127.0.0.2", stage.address).await.is_some());
    // Who leaves makes room.
    let mut leaving = mine.pop().expect("three");
    let close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    leaving.send(close).await;
    leaving.rest().await;
    while come(ME, stage.address).await.is_none() {}
}

#[tokio::test]
async fn of_many_that_come_at_once_as_many_are_served_as_may_be() {
    let stage = Stage::with(&[OPEN, ONE_WORKER, &at_most(20)]).await;
    let mut coming = JoinSet::new();
    for _ in 0..100 {
        coming.spawn(come(ME, stage.address));
    }
    // All are kept until the last one has been judged.
    let judged = coming.join_all().await;
    assert_eq!(judged.iter().flatten().count(), 20);
    assert_eq!(stage.metric(TURNED_AWAY).await, 80);
}

#[tokio::test]
async fn who_is_turned_away_does_not_get_as_far_as_a_handshake() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:localhost");
    let stage = Stage::with(&[OPEN, ONE_WORKER, &at_most(1), HTTPS, &paper.setting()]).await;
    let client = TlsClient::of(&papers);
    let first = client.connect(stage.https(), "localhost").await;
    let first = first.expect("TLS");
    if let Ok(stream) = connect(ME, stage.https()).await {
        assert!(client.secure(stream, "localhost").await.is_err());
    }
    for (result, count) in [("full", 1), ("failed", 0)] {
        let handshakes = format!("tls_handshakes_total{{result=\"{result}\"}}");
        assert_eq!(stage.metric(&handshakes).await, count, "{result}");
    }
    assert_eq!(stage.metric(TURNED_AWAY).await, 1);
    // It counts at whichever address its connections are.
    assert!(come(ME, stage.address).await.is_none());
    drop(first);
}

#[tokio::test]
async fn a_trusted_proxy_may_have_any_number() {
    let stage = Stage::with(&[OPEN, ONE_WORKER, BEHIND_A_PROXY, &at_most(1)]).await;
    let mut wires = Vec::new();
    for _ in 0..5 {
        wires.push(come(ME, stage.address).await.expect("room"));
    }
    assert_eq!(stage.metric(TURNED_AWAY).await, 0);
}

#[tokio::test]
async fn behind_a_proxy_its_clients_are_counted_each_by_its_network() {
    let settings = [OPEN, ONE_WORKER, BEHIND_A_PROXY, PROXIED, &at_most(1)];
    let stage = Stage::with(&settings).await;
    let mut wires = Vec::new();
    for (client, is_welcome) in [
        ("203.0.113.1", true),
        ("203.0.113.1", false),
        ("::ffff:203.0.113.1", false),
        ("203.0.113.2", true),
        ("2001:db8:0:1::1", true),
        ("2001:db8:0:1:ffff::1", false),
        ("2001:db8:0:2::1", true),
        // One that speaks for others itself.
        ("127.0.0.1", true),
        ("127.0.0.1", true),
    ] {
        let mut wire = announced(client, stage.address).await;
        assert_eq!(is_served(&mut wire).await, is_welcome, "{client}");
        wires.push(wire);
    }
    // Nobody can say how many those are whom a proxy cannot name.
    for _ in 0..3 {
        let mut wire = Wire::to(stage.address).await;
        wire.send("PROXY UNKNOWN\r\n").await;
        assert!(is_served(&mut wire).await);
        wires.push(wire);
    }
}

#[tokio::test]
async fn who_fills_one_address_leaves_the_others_served() {
    let listen = "server.listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]";
    let few = "server.limits.max_connections = 2";
    let stage = Stage::with(&[OPEN, ONE_WORKER, listen, few]).await;
    let [flooded, other] = [stage.addresses[0], stage.addresses[1]];
    let mut flood = Vec::new();
    for _ in 0..2 {
        flood.push(come(ME, flooded).await.expect("room"));
    }
    for _ in 0..20 {
        flood.push(Wire::to(flooded).await);
    }
    let first = come(ME, other).await;
    let second = come(ME, other).await;
    assert!(first.is_some() && second.is_some());
    // Who waits is served in turn.
    flood.drain(..2);
    assert!(is_served(&mut flood[0]).await);
}
