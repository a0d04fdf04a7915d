//! The end of a gateway: what is under way is finished, nothing new is begun, nobody waits for the silent.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use otp_gateway::app::{App, Ending};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::Command,
    task::spawn_blocking,
    time::timeout,
};

use crate::stage::{
    PATIENCE, Stage,
    h2::{H2, get, whole},
    program::Program,
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn end(app: App) -> Ending {
    let ended = spawn_blocking(|| app.wait());
    timeout(PATIENCE, ended)
        .await
        .expect("an end")
        .expect("no panic")
}

/// Waits until nobody listens any more.
async fn refuses_connections(address: std::net::SocketAddr) {
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("refused in time");
}

#[tokio::test]
async fn a_request_under_way_is_finished_and_nothing_new_begins() {
    let app = Puppet::new().await;
    let mut stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;

    let gateway = stage.take_app();
    gateway.stop();
    refuses_connections(stage.address).await;
    let ready = stage.operators("/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["stopping"], true);
    assert!(!gateway.has_ended());

    server.send(OK).await;
    let answer = client.answer().await;
    assert_eq!(answer.body, "ok");
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(client.rest().await, "");
    assert_eq!(end(gateway).await, Ending::Asked);
    // Every line was written.
    assert!(stage.access_log.lines()[0].contains(" 200 GET / "));
}

#[tokio::test]
async fn an_http_2_client_is_told_to_go_and_finishes_what_it_began() {
    let app = Puppet::new().await;
    let mut stage = Stage::with(&[OPEN, &app.setting()]).await;
    let (client, connection) = H2::to(stage.address).await;
    let asking = client.clone();
    let answer = tokio::spawn(async move { asking.begin(get("http://h/")).await });
    let mut server = app.accept().await;
    server.request().await;
    let gateway = stage.take_app();
    gateway.stop();
    refuses_connections(stage.address).await;
    server.send(OK).await;
    let (answer, _) = whole(answer.await.unwrap().expect("a head")).await;
    assert_eq!(answer.body, "ok");
    assert_eq!(end(gateway).await, Ending::Asked);
    let closed = timeout(PATIENCE, connection).await.expect("an end");
    closed.unwrap().expect("in order");
}

#[tokio::test]
async fn nobody_waits_for_connections_on_which_nothing_happens() {
    let mut stage = Stage::with(&[OPEN]).await;
    let mut silent = Wire::to(stage.address).await;
    let mut idle = Wire::to(stage.address).await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.status, 200);
    let (h2, _connection) = H2::to(stage.address).await;
    assert_eq!(h2.send(get("http://h/")).await.status, 200);
    let gateway = stage.take_app();
    let began = Instant::now();
    gateway.stop();
    assert_eq!(end(gateway).await, Ending::Asked);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(silent.rest().await, "");
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn who_does_not_finish_within_the_drain_is_cut_off() {
    let app = Puppet::new().await;
    let drain = "server.limits.drain = \"300ms\"";
    let mut stage = Stage::with(&[OPEN, drain, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    let gateway = stage.take_app();
    gateway.stop();
    assert_eq!(end(gateway).await, Ending::Asked);
    assert_eq!(client.rest().await, "");
    assert_eq!(server.rest().await, "");
}

#[tokio::test]
async fn who_is_told_twice_waits_for_nobody() {
    let app = Puppet::new().await;
    let mut stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    let gateway = stage.take_app();
    gateway.stop();
    refuses_connections(stage.address).await;
    assert!(!gateway.has_ended());
    gateway.abort();
    assert_eq!(end(gateway).await, Ending::Asked);
    assert_eq!(client.rest().await, "");
}

/// The real program in front of an app that a test speaks for, with a request under way.
async fn program_under_way(app: &Puppet) -> (tempfile::TempDir, Program, Wire, Wire) {
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("http://{}", app.address);
    std::fs::write(
        dir.path().join("gateway.toml"),
        format!(
            "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
             [upstreams.app]\nservers = \"{url}\"\n{OPEN}"
        ),
    )
    .expect("a file");
    let program = Program::run(dir.path(), &[]);
    let mut client = Wire::to(program.address().await).await;
    client.send(GET).await;
    let mut server = app.accept().await;
    server.request().await;
    (dir, program, client, server)
}

#[tokio::test]
async fn the_program_finishes_what_is_under_way_when_it_is_told_to_end() {
    for signal in ["TERM", "INT"] {
        let app = Puppet::new().await;
        let (_dir, mut program, mut client, mut server) = program_under_way(&app).await;
        program.signal(signal).await;
        refuses_connections(program.address().await).await;
        let ready = program.operators("/ready").await;
        assert_eq!(ready.status, 503);
        server.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
        assert_eq!(program.ends().await, 0);
        program.out.line(|line| line.contains(" 200 GET / ")).await;
    }
}

#[tokio::test]
async fn a_program_that_is_told_to_end_while_it_still_says_hello_ends_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    // More than a pipe holds, so that it is still at it.
    let app = |n| format!("[upstreams.app{n}]\nservers = \"http://127.0.0.1:9\"\n");
    let apps: String = (0..3000).map(app).collect();
    let listen = "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\n";
    let file = dir.path().join("gateway.toml");
    std::fs::write(file, format!("{listen}{apps}")).expect("a file");
    let mut program = Command::new(env!("CARGO_BIN_EXE_otp-gateway"))
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program");
    let mut hello = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let first = timeout(PATIENCE, hello.next_line()).await;
    assert!(first.is_ok_and(|line| line.is_ok_and(|line| line.is_some())));
    let id = program.id().expect("running").to_string();
    let told = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(told.await.expect("kill").success());
    while let Ok(Some(_)) = hello.next_line().await {}
    let status = timeout(PATIENCE, program.wait()).await.expect("an end");
    assert_eq!(status.expect("its end").code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let app = Puppet::new().await;
    let (_dir, mut program, mut client, _server) = program_under_way(&app).await;
    program.signal("TERM").await;
    refuses_connections(program.address().await).await;
    program.signal("TERM").await;
    assert_eq!(program.ends().await, 0);
    assert_eq!(client.rest().await, "");
}
