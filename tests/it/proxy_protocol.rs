//! Clients behind a proxy that says who they are before they say anything: who is believed, and that not a byte of theirs is lost.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use socket2::SockRef;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    process::{Child, Command},
    time::{interval, timeout},
};

use crate::stage::{
    PATIENCE, Stage,
    client::{Call, Connection},
    h2::{H2, get},
    papers::Papers,
    redis::port::Port,
    tls::TlsClient,
    upstream::told,
    wire::Wire,
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const LISTEN: &str = "server.listen = [\"127.0.0.1:0\", \"127.0.0.1:0 proxy_protocol\"]";
const TRUSTING: &str = "server.trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n";

/// A header of version 2: command, family and protocol, and what follows.
fn v2(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    [signature, &[0x20 | command, kind][..], &length, rest].concat()
}

/// One that names a client of IPv4, and says further things.
fn v2_of(client: [u8; 4], further: &[u8]) -> Vec<u8> {
    let rest = [
        &client[..],
        &[198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb],
        further,
    ]
    .concat();
    v2(1, 0x11, &rest)
}

/// A gateway with an address in the clear, and one where trusted proxies announce their clients.
async fn stage(settings: &[&str]) -> Stage {
    Stage::with(&[&[OPEN, LISTEN, TRUSTING], settings].concat()).await
}

/// Where proxies announce their clients.
fn behind(stage: &Stage) -> SocketAddr {
    stage.addresses[1]
}

/// The client that a request in the log came from.
async fn logged(stage: &Stage, id: &str) -> String {
    let line = stage.access_log.line(|line| line.contains(id)).await;
    let client = line.split(" client=").nth(1).expect("a client");
    client.split(' ').next().expect("a client").to_owned()
}

/// Who a client is to app and log that is announced by `header`, and sends `request` right behind it.
async fn known(stage: &Stage, header: &[u8], request: &str) -> (String, String) {
    let mut wire = Wire::to(behind(stage)).await;
    wire.send([header, request.as_bytes()].concat()).await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 200);
    let chain = told(&answer.json(), "x-forwarded-for").join(" and ");
    (chain, logged(stage, answer.header("x-request-id")).await)
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_announces() {
    let stage = stage(&[]).await;
    let v6 = b"PROXY TCP6 2001:db8::9 ::1 4711 443\r\n";
    let mapped = b"PROXY TCP6 ::ffff:203.0.113.9 ::1 4711 443\r\n";
    let further = [0x04, 0, 3, 1, 2, 3];
    for (header, client) in [
        (V1, "203.0.113.9"),
        (v6, "2001:db8::9"),
        (mapped, "203.0.113.9"),
        (&v2_of([203, 0, 113, 9], &[]), "203.0.113.9"),
        (&v2_of([203, 0, 113, 9], &further), "203.0.113.9"),
        (&v2_of([203, 0, 113, 9], &vec![0; 3 * 300]), "203.0.113.9"),
    ] {
        let (chain, logged) = known(&stage, header, GET).await;
        assert_eq!((&*chain, &*logged), (client, client));
    }
}

#[tokio::test]
async fn a_proxy_that_asks_for_itself_or_names_nobody_is_known_by_its_own_address() {
    let stage = stage(&[]).await;
    for header in [
        &v2(0, 0x00, &[])[..],
        &v2(0, 0x11, &[0; 12]),
        &v2(1, 0x00, &[]),
        &v2(1, 0x31, &[b'/'; 216]),
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    ] {
        let (chain, logged) = known(&stage, header, GET).await;
        assert_eq!((&*chain, &*logged), ("127.0.0.1", "127.0.0.1"));
    }
}

#[tokio::test]
async fn whom_a_proxy_announces_is_believed_only_when_it_is_a_trusted_proxy_itself() {
    let stage = stage(&[]).await;
    let told = "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.66\r\n\r\n";
    for (header, chain, client) in [
        (
            &v2_of([203, 0, 113, 9], &[])[..],
            "203.0.113.9",
            "203.0.113.9",
        ),
        (
            &v2_of([10, 0, 0, 7], &[]),
            "192.0.2.66, 10.0.0.7",
            "192.0.2.66",
        ),
        // Whom the proxy cannot name may be anybody, and must not pass for the proxy.
        (b"PROXY UNKNOWN\r\n", "127.0.0.1", "127.0.0.1"),
        (&v2(1, 0x00, &[]), "127.0.0.1", "127.0.0.1"),
    ] {
        let known = known(&stage, header, told).await;
        assert_eq!(known, (chain.to_owned(), client.to_owned()));
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    let stage = stage(&[]).await;
    for header in [V1, &v2_of([203, 0, 113, 9], &[0x04, 0, 1, 1])] {
        let mut wire = Wire::to(behind(&stage)).await;
        for byte in [header, GET.as_bytes()].concat() {
            wire.send([byte]).await;
            tokio::task::yield_now().await;
        }
        let seen = wire.answer().await.json();
        assert_eq!(told(&seen, "x-forwarded-for"), ["203.0.113.9"]);
    }
}

#[tokio::test]
async fn http_2_may_follow_at_once() {
    let stage = stage(&[]).await;
    let (client, _connection) = H2::over(corked(behind(&stage), V1).await).await;
    for _ in 0..2 {
        let answer = client.send(get("http://h/")).await;
        assert_eq!(told(&answer.json(), "x-forwarded-for"), ["203.0.113.9"]);
    }
}

#[tokio::test]
async fn tls_may_follow_at_once() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:localhost");
    let https = "server.tls.listen = \"127.0.0.1:0 proxy_protocol\"";
    let stage = stage(&[https, &paper.setting()]).await;
    let address = stage.addresses[2];
    for header in [V1, &v2_of([203, 0, 113, 9], &[])] {
        let client = TlsClient::of(&papers).speaking(&["http/1.1"]);
        let stream = corked(address, header).await;
        let stream = client.secure(stream, "localhost").await.expect("TLS");
        let mut connection = Connection::over(stream).await;
        let call = Call::new(address, "GET", "/").header("host", "localhost");
        let seen = connection.send(call).await.json();
        assert_eq!(told(&seen, "x-forwarded-for"), ["203.0.113.9"]);
        assert_eq!(told(&seen, "x-forwarded-proto"), ["https"]);
    }
    // Who begins with TLS right away is not let in.
    let client = TlsClient::of(&papers);
    assert!(client.connect(address, "localhost").await.is_err());
}

/// A connection on which `header` goes out in one packet with whatever is written next.
async fn corked(to: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    SockRef::from(&stream).set_tcp_cork(true).expect("Linux");
    stream.write_all(header).await.expect("room");
    stream
}

#[tokio::test]
async fn where_clients_are_announced_nobody_comes_in_without_it() {
    let stage = stage(&[]).await;
    let unannounced = "connections_ended_total{reason=\"unannounced\"}";
    let openings = [
        GET.as_bytes(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 65536\r\n",
        &[&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat(),
        // Lengths that lead out of the header, into what follows it.
        &v2_of([203, 0, 113, 9], &[0x04, 0, 3, 1, 2]),
        &v2_of([203, 0, 113, 9], &[0x04, 0xff, 0xff]),
        &v2(1, 0x11, &[203, 0, 113, 9]),
        &v2(1, 0x12, &[0; 12]),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c\0\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for opening in openings {
        let mut wire = Wire::to(behind(&stage)).await;
        drop(wire.try_send([opening, GET.as_bytes()].concat()).await);
        assert_eq!(wire.rest().await, "", "{opening:?}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    let count = u64::try_from(openings.len()).expect("few");
    assert_eq!(stage.metric(unannounced).await, count);
}

#[tokio::test]
async fn a_stranger_cannot_announce_anybody() {
    let trusting = "server.trusted_proxies = [\"192.0.2.0/24\"]";
    let stage = Stage::with(&[OPEN, LISTEN, trusting]).await;
    let mut wire = Wire::to(behind(&stage)).await;
    drop(wire.try_send([V1, GET.as_bytes()].concat()).await);
    assert_eq!(wire.rest().await, "");
    assert_eq!(stage.upstream.seen().len(), 0);
    // Where nobody is announced everybody is as welcome as before.
    assert_eq!(stage.get("/").send().await.status, 200);
}

#[tokio::test]
async fn where_nobody_is_announced_a_header_is_not_read() {
    let stage = stage(&[]).await;
    for header in [V1, &v2_of([203, 0, 113, 9], &[])] {
        let mut wire = Wire::to(stage.address).await;
        wire.send([header, GET.as_bytes()].concat()).await;
        assert!(wire.rest().await.starts_with("HTTP/1.1 400 "));
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_proxy_has_as_long_for_its_header_as_a_client_for_its_first_byte() {
    let stage = stage(&["server.limits.first_byte = \"1s\""]).await;
    for opening in [
        &b""[..],
        b"PROXY TCP4 203.0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
        V1,
    ] {
        let mut wire = Wire::to(behind(&stage)).await;
        wire.send(opening).await;
        assert_eq!(wire.rest().await, "", "{opening:?}");
    }
    let late = "connections_ended_total{reason=\"first_byte\"}";
    assert_eq!(stage.metric(late).await, 4);
}

#[tokio::test]
async fn curl_is_whom_it_says_it_is() {
    let stage = stage(&[]).await;
    let url = format!("http://{}/", behind(&stage));
    let done = Command::new("curl")
        .args(["-sS", "--haproxy-protocol", &url])
        .output()
        .await
        .expect("a program that tests/run installs");
    let seen: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(told(&seen, "x-forwarded-for"), ["127.0.0.1"]);
}

#[tokio::test]
async fn haproxy_announces_its_clients_in_both_versions_and_asks_how_we_are() {
    let stage = stage(&[]).await;
    for (version, check) in [("send-proxy", ""), ("send-proxy-v2", "check inter 100")] {
        let haproxy = HaProxy::start(behind(&stage), &format!("{version} {check}"));
        // From another address of this machine, so that the client cannot be taken for the proxy.
        let call = Call::new(haproxy.port.address(), "GET", "/");
        let mut connection = haproxy.connect_from("127.0.0.2").await;
        let seen = connection.send(call).await.json();
        assert_eq!(told(&seen, "x-forwarded-for"), ["127.0.0.2"], "{version}");
    }
    let unannounced = "connections_ended_total{reason=\"unannounced\"}";
    assert_eq!(stage.metric(unannounced).await, 0);
}

/// haproxy in front of a gateway, of which it knows nothing but that it speaks TCP.
struct HaProxy {
    port: Port,
    _dir: TempDir,
    _process: Child,
}

impl HaProxy {
    fn start(gateway: SocketAddr, how: &str) -> Self {
        let port = Port::free();
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n\
             listen it\n bind {}\n server gateway {gateway} {how}\n",
            port.address()
        );
        std::fs::write(&file, text).expect("a file");
        let process = Command::new("haproxy")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a program that tests/run installs");
        Self {
            port,
            _dir: dir,
            _process: process,
        }
    }

    /// A connection as soon as it listens.
    async fn connect_from(&self, client: &str) -> Connection {
        let client: SocketAddr = format!("{client}:0").parse().expect("an address");
        let connecting = async {
            let mut tries = interval(Duration::from_millis(20));
            loop {
                tries.tick().await;
                let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
                socket.bind(client).expect("an address of this machine");
                if let Ok(stream) = socket.connect(self.port.address()).await {
                    return stream;
                }
            }
        };
        let stream = timeout(PATIENCE, connecting).await.expect("haproxy");
        Connection::over(stream).await
    }
}
