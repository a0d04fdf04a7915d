//! The servers of the stage itself, and the line to one: each does what the scenarios rely on.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use crate::stage::redis::{
    Cut, Cutter, DURABLE, RedisCluster, RedisServer, Reply, Sentinels, Weather, frame,
    tls::TlsServer,
};

#[test]
fn a_server_forgets_or_keeps_what_it_was_told() {
    let mut server = RedisServer::with(&DURABLE);
    let address = server.address();
    assert_eq!(server.cli(&["SET", "name", "value"]), "OK");
    server.restart();
    assert_eq!(server.cli(&["GET", "name"]), "value");
    server.restart_empty();
    assert_eq!(server.cli(&["GET", "name"]), "");
    assert_eq!(server.address(), address);
    assert_eq!(ping(address).expect("an answer"), "+PONG\r\n");

    let mut forgetful = RedisServer::start();
    forgetful.cli(&["SET", "name", "value"]);
    forgetful.restart();
    assert_eq!(forgetful.cli(&["GET", "name"]), "");
}

#[test]
fn a_server_that_is_gone_is_gone_and_one_that_is_frozen_is_silent() {
    let mut server = RedisServer::start();
    server.freeze();
    let silent = ping(server.address()).expect_err("silence");
    assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
    server.thaw();
    assert_eq!(ping(server.address()).expect("an answer"), "+PONG\r\n");
    server.kill();
    assert!(!server.is_running());
    let gone = ping(server.address()).expect_err("nobody");
    assert_eq!(gone.kind(), io::ErrorKind::ConnectionRefused);
    // Whatever becomes of it, nothing stays behind.
    server.restart();
    server.freeze();
    let (dir, address) = (server.dir().to_owned(), server.address());
    drop(server);
    assert!(!dir.exists());
    ping(address).expect_err("nobody");
}

#[test]
fn a_server_takes_passwords_and_limits() {
    let server = RedisServer::with(&[
        "requirepass hush",
        "maxmemory 4mb",
        "maxmemory-policy noeviction",
    ]);
    assert!(
        ping(server.address())
            .expect("an answer")
            .starts_with("-NOAUTH")
    );
    let large = "x".repeat(1_000_000);
    let replies: Vec<Reply> = (0..4)
        .map(|key| server.ask(&["SET", &key.to_string(), &large]))
        .collect::<io::Result<_>>()
        .expect("answers");
    assert_eq!(replies[0].text(), "OK");
    assert!(replies[3].text().starts_with("OOM"), "{replies:?}");
}

#[test]
fn a_server_speaks_tls() {
    let tls = TlsServer::with(&[]);
    let address = tls.server.address();
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error"])
        .args(["-verify_hostname", "localhost", "-CAfile"])
        .arg(tls.authority())
        .args(["-connect", &address.to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("openssl");
    let stdin = client.stdin.as_mut().expect("a pipe");
    stdin.write_all(b"PING\r\nQUIT\r\n").expect("to be heard");
    let mut said = String::new();
    let mut stdout = client.stdout.take().expect("a pipe");
    stdout.read_to_string(&mut said).expect("text");
    client.wait().expect("its end");
    assert_eq!(said, "+PONG\r\n+OK\r\n");
}

#[test]
fn a_slot_of_a_cluster_moves_step_by_step() {
    let cluster = RedisCluster::start();
    assert_eq!(cluster.addresses().split(',').count(), 6);
    // CLUSTER KEYSLOT foo
    let slot = 12_182;
    let (from, to) = (2, 0);
    assert_eq!(cluster.master_of(slot), from);
    let [source, target] = [from, to].map(|node| &cluster.nodes[node]);
    source.cli(&["SET", "{foo}1", "1"]);
    source.cli(&["SET", "{foo}2", "2"]);
    let refusal = |node: &RedisServer, command: &[&str]| {
        let error = node.ask(command).expect("an answer").text();
        let word = error.split(' ').next().expect("a word");
        word.to_owned()
    };
    let on_its_way = cluster.start_move(slot, to);
    assert_eq!(on_its_way.some_keys(1), 1);
    assert_eq!(refusal(target, &["GET", "{foo}1"]), "MOVED");
    assert_eq!(refusal(source, &["GET", "{foo}3"]), "ASK");
    let both = ["MGET", "{foo}1", "{foo}2"];
    // Up to 6.2 it is the other one that says TRYAGAIN.
    assert!(["TRYAGAIN", "ASK"].contains(&&*refusal(source, &both)));
    assert_eq!(on_its_way.some_keys(10), 1);
    assert_eq!(on_its_way.some_keys(10), 0);
    on_its_way.finish();
    assert_eq!(cluster.master_of(slot), to);
    assert_eq!(refusal(source, &both), "MOVED");
    assert_eq!(target.cli(&both), "1\n2");
    cluster.migrate_slot(slot, from);
    assert_eq!(source.cli(&both), "1\n2");
}

#[test]
fn a_replica_in_a_cluster_takes_the_place_of_its_master() {
    let mut cluster = RedisCluster::start();
    let slot = 0;
    let old = cluster.kill_master_of(slot);
    let new = cluster.master_of(slot);
    assert_ne!(new, old);
    cluster.is_whole();
    cluster.nodes[old].restart();
    cluster.is_whole();
    assert_eq!(cluster.master_of(slot), new);
}

#[test]
fn sentinels_put_a_replica_in_the_place_of_the_master() {
    let mut watched = Sentinels::start();
    assert_eq!(watched.addresses().split(',').count(), 3);
    assert_eq!(watched.master(), 0);
    watched.servers[0].cli(&["SET", "name", "value"]);
    watched.servers[0].cli(&["WAIT", "2", "5000"]);
    let old = watched.kill_master();
    let new = watched.master_after(old);
    assert_eq!(watched.servers[new].cli(&["GET", "name"]), "value");
}

#[test]
fn a_line_is_slow_or_silent_and_loses_nothing() {
    let (server, line) = behind_a_line();
    let mut client = Client::to(line.address());
    let delay = Duration::from_millis(80);
    line.set(Weather::Slow(delay));
    let asked = Instant::now();
    assert_eq!(client.ask("PING"), "+PONG");
    assert!(asked.elapsed() >= delay);
    line.set(Weather::Silent);
    client.say("INCR count");
    client.hears_nothing();
    assert_eq!(server.cli(&["GET", "count"]), "");
    line.set(Weather::Clear);
    assert_eq!(client.hear(), ":1");
    assert_eq!((line.count("PING"), line.count("INCR")), (1, 1));
}

#[test]
fn a_line_is_cut_before_during_and_after_a_command() {
    let (server, line) = behind_a_line();
    for (cut, heard, count) in [
        (Cut::BeforeCommand, "", "1000000"),
        (Cut::BeforeReply, "", "1000001"),
        (Cut::InReply, ":1000", "1000001"),
    ] {
        server.cli(&["SET", "count", "1000000"]);
        let mut client = Client::to(line.address());
        line.cut_next("INCR", cut);
        // The reply that was awaited before still comes.
        client.say("PING");
        client.say("INCR count");
        assert_eq!(client.hear(), "+PONG");
        assert_eq!(client.rest(), heard);
        assert_eq!(server.cli(&["GET", "count"]), count);
        assert!(!line.is_waiting_to_cut());
    }
    let mut client = Client::to(line.address());
    assert_eq!(client.ask("PING"), "+PONG");
    line.hang_up();
    assert_eq!(client.rest(), "");
}

fn behind_a_line() -> (RedisServer, Cutter) {
    let server = RedisServer::start();
    let line = Cutter::before(server.address());
    (server, line)
}

/// Says so and hears one line, within a moment.
fn ping(server: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    stream.write_all(b"PING\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// A client that says one thing after the other.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("a deadline");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, command: &str) -> String {
        self.say(command);
        self.hear()
    }

    fn say(&mut self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let frame = frame::of(&words);
        let stream = self.0.get_mut();
        stream.write_all(&frame).expect("to be heard");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn hears_nothing(&mut self) {
        let stream = self.0.get_mut();
        stream.set_nonblocking(true).expect("a mode");
        let heard = stream.read(&mut [0]).expect_err("nothing");
        assert_eq!(heard.kind(), io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).expect("a mode");
    }

    /// All that still comes.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        // A reset is as good an end as any.
        drop(self.0.read_to_string(&mut rest));
        rest
    }
}
