//! When a WebSocket ends, for whom, and what is written of it.

use std::time::{Duration, Instant};

use otp_gateway::app::Ending;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::spawn_blocking,
    time::timeout,
};

use super::{OPEN, Scene, Socket, handshake, request};
use crate::stage::{PATIENCE, PHONE};

/// Within which a tunnel ends after its session: two ticks and a little.
const BOUND: Duration = Duration::from_millis(250);

impl Socket {
    /// Both ends see that it is over.
    async fn is_cut(&mut self) {
        self.client.rest().await;
        self.server.rest().await;
    }
}

impl Scene {
    /// What is written of a WebSocket that is over.
    async fn logged(&self) -> String {
        let access_log = &self.stage.access_log;
        access_log.line(|line| line.contains(" /live ")).await
    }
}

#[tokio::test]
async fn who_goes_away_takes_the_other_end_along() {
    let scene = Scene::new(&[OPEN]).await;
    for _ in 0..3 {
        let mut socket = scene.socket("").await;
        socket.works().await;
        drop(socket.client);
        assert_eq!(socket.server.rest().await, "");

        let mut socket = scene.socket("").await;
        socket.works().await;
        drop(socket.server);
        assert_eq!(socket.client.rest().await, "");
    }
}

#[tokio::test]
async fn who_has_said_all_still_hears_the_other_out() {
    let scene = Scene::new(&[OPEN]).await;
    for ends_first in ["client", "app"] {
        let mut socket = scene.socket("").await;
        socket.works().await;
        let (mut first, mut last) = match ends_first {
            "client" => (socket.client.into_stream(), socket.server.into_stream()),
            _ => (socket.server.into_stream(), socket.client.into_stream()),
        };
        first.write_all(b"that was all").await.expect("open");
        first.shutdown().await.expect("open");
        let mut heard = String::new();
        let ended = timeout(PATIENCE, last.read_to_string(&mut heard)).await;
        ended.expect("in time").expect("an end");
        assert_eq!(heard, "that was all");
        last.write_all(b"then goodbye").await.expect("open");
        drop(last);
        heard.clear();
        let ended = timeout(PATIENCE, first.read_to_string(&mut heard)).await;
        ended.expect("in time").expect("an end");
        assert_eq!(heard, "then goodbye");
    }
}

#[tokio::test]
async fn one_line_is_written_when_it_is_over() {
    let scene = Scene::new(&[OPEN]).await;
    let mut socket = scene.socket("").await;
    socket.server.send("x".repeat(100_000) + ";").await;
    socket.client.until(";").await;
    assert_eq!(scene.stage.access_log.lines(), [] as [&str; 0]);
    drop(socket);
    let line = scene.logged().await;
    assert!(line.contains(" 101 GET /live "), "{line}");
    assert!(
        line.contains(" 100001B route=/ client=127.0.0.1 "),
        "{line}"
    );
}

#[tokio::test]
async fn it_ends_with_its_session_at_once_and_no_other_does() {
    let scene = Scene::new(&[]).await;
    let (gone, stays) = (
        scene.stage.log_in(PHONE).await,
        scene.stage.log_in(PHONE).await,
    );
    let (mut idle, mut left) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        idle.push(scene.socket(&gone.access).await);
        left.push(scene.socket(&stays.access).await);
    }
    // One on which both sides talk without a pause, and one whose client takes nothing of it.
    let Socket {
        mut client,
        mut server,
    } = scene.socket(&gone.access).await;
    let busy = [
        tokio::spawn(async move { while client.try_send([b'x'; 4096]).await.is_ok() {} }),
        tokio::spawn(async move {
            server.rest().await;
        }),
    ];
    let mut deaf = scene.socket(&gone.access).await;
    assert!(deaf.server.flood(64 << 20).await < 64 << 20);

    scene.log_out(&gone).await;
    let began = Instant::now();
    for socket in &mut idle {
        socket.is_cut().await;
    }
    let took = began.elapsed();
    for end in busy {
        timeout(PATIENCE, end)
            .await
            .expect("an end")
            .expect("no panic");
    }
    // What its client says no longer arrives, either.
    deaf.server.rest().await;
    for socket in &mut left {
        socket.works().await;
    }
    assert!(took < BOUND * 4, "{took:?}");
    let line = scene.logged().await;
    assert!(line.contains(" 101 GET /live "), "{line}");
    assert!(line.contains(" code=session_revoked "), "{line}");
    assert_eq!(scene.stage.metric("requests_cut_total").await, 6);
}

#[tokio::test]
async fn it_outlives_the_token_it_was_opened_with() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let mut socket = scene.socket(&tokens.access).await;
    scene.stage.pass(Duration::from_hours(1));
    let mut again = scene
        .client(&handshake(&[&super::bearer(&tokens.access)]))
        .await;
    again.answer().await.is_refused(401, "token_expired");
    socket.works().await;
}

#[tokio::test]
async fn one_in_which_nobody_says_anything_ends_and_one_with_pings_does_not() {
    let scene = Scene::new(&[OPEN, "server.limits.tunnel_idle = \"1s\""]).await;
    let (mut silent, mut alive) = (scene.socket("").await, scene.socket("").await);
    let ends = async { silent.is_cut().await };
    tokio::pin!(ends);
    // Alternately, so that it is enough when either side speaks.
    let mut count = 0;
    loop {
        count += 1;
        let said = async {
            if count % 2 == 0 {
                alive.client.send("ping;").await;
                alive.server.until("ping;").await;
            } else {
                alive.server.send("ping;").await;
                alive.client.until("ping;").await;
            }
        };
        said.await;
        if timeout(Duration::from_millis(50), &mut ends).await.is_ok() {
            break;
        }
    }
    alive.works().await;
    let line = scene.logged().await;
    assert!(line.contains(" code=request_timeout "), "{line}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_it() {
    let scene = Scene::new(&[OPEN, "server.limits.body_idle = \"1s\""]).await;
    let mut socket = scene.socket("").await;
    assert!(socket.server.flood(64 << 20).await < 64 << 20);
    socket.server.rest().await;
    let stalled = "connections_ended_total{reason=\"stalled\"}";
    assert_eq!(scene.stage.metric(stalled).await, 1);
}

#[tokio::test]
async fn a_gateway_that_stops_leaves_it_open_until_its_patience_is_over() {
    let mut scene = Scene::new(&[OPEN, "server.limits.drain = \"1s\""]).await;
    let mut socket = scene.socket("").await;
    let gateway = scene.stage.take_app();
    gateway.stop();
    let ending = spawn_blocking(|| gateway.wait());
    socket.works().await;
    socket.is_cut().await;
    assert_eq!(ending.await.expect("no panic"), Ending::Asked);
}

#[tokio::test]
async fn it_counts_among_the_connections_to_its_app_for_as_long_as_it_is_open() {
    let one = "upstreams.app.max_connections = 1";
    let scene = Scene::new(&["server.workers = 1", one, OPEN]).await;
    let mut socket = scene.socket("").await;
    let other = handshake(&[]).replace("/live", "/refused");
    let mut refused = scene.client(&other).await;
    refused.answer().await.is_refused(503, "overloaded");
    socket.works().await;
    drop(socket);
    scene.logged().await;
    scene.socket("").await.works().await;
}

#[tokio::test]
async fn a_hundred_work_side_by_side() {
    let scene = Scene::new(&[OPEN]).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(scene.socket("").await);
    }
    for socket in &mut sockets {
        socket.works().await;
    }
    let halves: Vec<_> = sockets.drain(..50).map(|socket| socket.server).collect();
    for mut server in halves {
        server.rest().await;
    }
    for socket in &mut sockets {
        socket.works().await;
    }
}

#[tokio::test]
async fn a_connection_that_was_used_for_requests_may_become_one() {
    let scene = Scene::new(&[OPEN]).await;
    let mut client = scene.client(&request("GET / HTTP/1.1", &[])).await;
    let (mut server, _) = scene.asked().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.answer().await.text(), "ok");
    client.send(handshake(&[])).await;
    // Over a connection of its own, although there is one that rests.
    let (mut server, _) = scene.asked().await;
    server.send(super::switched(&[])).await;
    client.head().await;
    Socket { client, server }.works().await;
}
