//! The beginning and the end of TLS connections: who never gets through a handshake, who comes back, and how one takes leave.

use std::time::{Duration, Instant};

use otp_gateway::app::Ending;
use rustls::{
    HandshakeKind,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
    time::timeout,
};

use crate::stage::{
    HTTPS, PATIENCE, Stage,
    client::{Call, raw},
    h2::{H2, get},
    papers::Papers,
    tls::{TlsClient, rest},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CLOSING: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The beginning of a record that never ends.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01";

async fn stage(papers: &Papers, settings: &[&str]) -> Stage {
    let paper = papers.server("server", "DNS:localhost").setting();
    Stage::with(&[&[HTTPS, &paper], settings].concat()).await
}

/// Waits for the end of a connection.
async fn end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    drop(ended.expect("an end in time"));
}

/// Waits until so many handshakes have ended like this.
async fn counted(stage: &Stage, result: &str, count: u64) {
    let metric = format!("tls_handshakes_total{{result=\"{result}\"}}");
    let counted = async {
        while stage.metric(&metric).await != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("it in time");
}

/// How many have succeeded.
async fn handshakes(stage: &Stage) -> u64 {
    let metric = |result| format!("tls_handshakes_total{{result=\"{result}\"}}");
    stage.metric(&metric("full")).await + stage.metric(&metric("resumed")).await
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let papers = Papers::new();
    let hasty = "server.limits.handshake = \"1s\"";
    let stage = stage(&papers, &[hasty, OPEN]).await;
    for begun in [&[][..], BEGUN] {
        let mut stream = TcpStream::connect(stage.https()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let began = Instant::now();
        end(&mut stream).await;
        let took = began.elapsed();
        assert!(took > Duration::from_millis(900), "{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    counted(&stage, "late", 2).await;
}

#[tokio::test]
async fn a_handshake_byte_by_byte_does_not_get_more_time() {
    let papers = Papers::new();
    let hasty = "server.limits.handshake = \"1s\"";
    let stage = stage(&papers, &[hasty, OPEN]).await;
    let mut stream = TcpStream::connect(stage.https()).await.unwrap();
    stream.write_all(BEGUN).await.unwrap();
    let began = Instant::now();
    let mut pauses = tokio::time::interval(Duration::from_millis(50));
    let drip = async {
        while stream.write_all(b"x").await.is_ok() {
            pauses.tick().await;
        }
    };
    timeout(PATIENCE, drip).await.expect("an end");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn after_its_handshake_a_silent_client_is_hung_up_on() {
    let papers = Papers::new();
    let hasty = "server.limits.first_byte = \"1s\"";
    let stage = stage(&papers, &[hasty, OPEN]).await;
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let client = TlsClient::of(&papers).speaking(protocols);
        let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
        let began = Instant::now();
        drop(rest(&mut stream).await);
        let took = began.elapsed();
        assert!(took > Duration::from_millis(900), "{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn who_does_not_go_on_makes_room_for_who_does() {
    let papers = Papers::new();
    let few = "server.limits.max_handshakes = 3";
    let stage = stage(&papers, &["server.workers = 1", few, OPEN]).await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(stage.https()).await.unwrap();
        stream.write_all(BEGUN).await.unwrap();
        slow.push(stream);
    }
    counted(&stage, "crowded_out", 2).await;
    let client = TlsClient::of(&papers);
    for _ in 0..10 {
        client.connect(stage.https(), "localhost").await.unwrap();
    }
    // Each of them was alone with two of the slow ones.
    counted(&stage, "crowded_out", 3).await;
    for stream in slow.iter_mut().take(3) {
        end(stream).await;
    }
    counted(&stage, "full", 10).await;
}

#[tokio::test]
async fn what_is_no_tls_costs_one_line_and_is_counted() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    let said = raw(stage.https(), GET).await;
    assert!(!said.contains("HTTP"), "{said}");
    // A client that does not believe us says so.
    let stranger = TlsClient::of(&Papers::new());
    assert!(!stranger.is_let_in(stage.https(), "localhost").await);
    counted(&stage, "failed", 2).await;
    counted(&stage, "full", 0).await;
}

#[tokio::test]
async fn a_hello_in_pieces_is_the_same_hello() {
    let papers = Papers::new();
    let (first, other) = ("DNS:a.test", "DNS:b.test");
    let (first, other) = (papers.server("first", first), papers.server("other", other));
    let settings = [HTTPS, OPEN, &first.setting(), &other.setting()];
    let stage = Stage::with(&settings).await;
    // A line that gives away a few bytes at a time.
    let (near, far) = (Puppet::new().await, stage.https());
    let client = TlsClient::of(&papers);
    let stream = TcpStream::connect(near.address).await.unwrap();
    let mut ours = near.accept().await.into_stream();
    let relay = tokio::spawn(async move {
        let mut theirs = TcpStream::connect(far).await.unwrap();
        theirs.set_nodelay(true).unwrap();
        let (mut from, mut to) = theirs.split();
        let (mut back, mut forth) = ours.split();
        let up = async {
            let mut block = [0; 7];
            while let Ok(count @ 1..) = back.read(&mut block).await {
                to.write_all(&block[..count]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(up, tokio::io::copy(&mut from, &mut forth))
    });
    let secured = client.secure(stream, "b.test").await;
    secured.expect("its own certificate");
    relay.abort();
}

#[tokio::test]
async fn sessions_are_resumed_by_whichever_worker_and_after_a_renewal() {
    let papers = Papers::new();
    let paper = papers.server("server", "DNS:localhost");
    let settings = ["server.workers = 4", HTTPS, &paper.setting(), OPEN];
    let stage = Stage::with(&settings).await;
    for version in [&TLS12, &TLS13] {
        let client = TlsClient::with(&papers, &[version], None);
        let mut kinds = Vec::new();
        for _ in 0..12 {
            let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            // The tickets come behind the handshake.
            stream.write_all(CLOSING).await.unwrap();
            rest(&mut stream).await.unwrap();
        }
        assert_eq!(kinds[0], HandshakeKind::Full);
        let resumed = |kind: &&HandshakeKind| **kind == HandshakeKind::Resumed;
        assert_eq!(kinds.iter().filter(resumed).count(), 11, "{kinds:?}");
    }
    counted(&stage, "resumed", 22).await;
}

#[tokio::test]
async fn nothing_is_taken_before_the_handshake_is_over() {
    let papers = Papers::new();
    let stage = stage(&papers, &[OPEN]).await;
    let client = TlsClient::of(&papers);
    let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
    stream.write_all(CLOSING).await.unwrap();
    rest(&mut stream).await.unwrap();
    assert!(!client.may_be_early("localhost"));
    // It does have what it could come back with.
    let stream = client.connect(stage.https(), "localhost").await.unwrap();
    let kind = stream.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn the_end_of_a_connection_is_said() {
    let papers = Papers::new();
    let hasty = "server.limits.idle = \"1s\"";
    let stage = stage(&papers, &[hasty, OPEN]).await;
    let client = TlsClient::of(&papers);
    // After the last answer, and after silence.
    for last in ["Connection: close\r\n", ""] {
        let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await.expect("an end that is said");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    let client = client.speaking(&["h2"]);
    let stream = client.connect(stage.https(), "localhost").await.unwrap();
    let (client, connection) = H2::over(stream).await;
    assert_eq!(client.send(get("https://localhost/")).await.status, 200);
    let ended = timeout(PATIENCE, connection).await.expect("an end in time");
    ended.unwrap().expect("a GOAWAY, and then the end");
}

#[tokio::test]
async fn a_request_that_is_cut_off_does_not_pass_for_a_whole_one() {
    let papers = Papers::new();
    let app = Puppet::new().await;
    let stage = stage(&papers, &[OPEN, &app.setting()]).await;
    let client = TlsClient::of(&papers);
    let mut stream = client.connect(stage.https(), "localhost").await.unwrap();
    let head =
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    stream.write_all(head).await.unwrap();
    let mut server = app.accept().await;
    server.until("abc").await;
    // Without a word, as somebody on the way would do it.
    let (mut stream, _) = stream.into_inner();
    stream.shutdown().await.unwrap();
    assert!(!server.rest().await.contains("0\r\n\r\n"));
}

#[tokio::test]
async fn a_gateway_that_stops_finishes_what_is_under_way_and_waits_for_no_handshake() {
    let papers = Papers::new();
    let app = Puppet::new().await;
    let mut stage = stage(&papers, &[OPEN, &app.setting()]).await;
    let client = TlsClient::of(&papers);
    let mut busy = client.http1(stage.https(), "localhost").await.unwrap();
    let call = Call::new(stage.https(), "GET", "/").header("host", "localhost");
    let answer = tokio::spawn(async move { busy.send(call).await });
    let mut server = app.accept().await;
    server.request().await;
    let mut begun = Wire::to(stage.https()).await;
    begun.send(BEGUN).await;
    let mut silent = client.connect(stage.https(), "localhost").await.unwrap();
    let in_all = async {
        while handshakes(&stage).await != 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, in_all).await.expect("it in time");
    let gateway = stage.take_app();
    gateway.stop();
    assert_eq!(begun.rest().await, "");
    drop(rest(&mut silent).await);
    assert!(!gateway.has_ended());
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = answer.await.unwrap();
    assert_eq!(answer.body, "ok");
    assert_eq!(answer.header("connection"), "close");
    let ended = spawn_blocking(|| gateway.wait());
    let ended = timeout(PATIENCE, ended).await.expect("an end");
    assert_eq!(ended.unwrap(), Ending::Asked);
}
