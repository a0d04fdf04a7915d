//! Apps that speak HTTP/2: many requests on few connections, under the same rules.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Barrier;

use crate::stage::{
    Stage,
    upstream::{Reply, Speaks, Upstream, reply, told},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const H2: &str = "upstreams.app.protocol = \"h2\"";
const ONE_WORKER: &str = "server.workers = 1";

/// An app that answers only when so many requests are there together.
async fn together(at_once: usize, streams: u32) -> Upstream {
    let barrier = Arc::new(Barrier::new(at_once));
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::speaking_and_doing(Speaks::Http2(streams), move |_| {
        let (barrier, count) = (Arc::clone(&barrier), Arc::clone(&count));
        let answer = async move {
            barrier.wait().await;
            reply(count.fetch_add(1, Ordering::SeqCst).to_string())
        };
        Box::pin(answer) as Pin<Box<dyn Future<Output = Reply> + Send>>
    })
    .await
}

/// Asks for so many things at once, and waits for all answers.
async fn ask(stage: &Stage, at_once: usize) {
    let asked: Vec<_> = (0..at_once)
        .map(|_| tokio::spawn(stage.get("/").send()))
        .collect();
    for answer in asked {
        assert_eq!(answer.await.expect("an answer").status, 200);
    }
}

#[tokio::test]
async fn a_request_reaches_an_app_that_speaks_http_2_whole_and_so_does_its_answer() {
    let app = Upstream::speaking(Speaks::Http2(100)).await;
    let stage = Stage::over(app, &[OPEN, H2]).await;
    let call = stage.post("/a/b?c=d").header("x-word", "said");
    let answer = call.body("sent").send().await;
    assert_eq!(answer.status, 200);
    let seen = answer.json();
    assert_eq!(seen["version"], "HTTP/2.0");
    let target = format!("http://{}/a/b?c=d", stage.address);
    assert_eq!(seen["target"], target);
    assert_eq!(seen["body"], "sent");
    assert_eq!(told(&seen, "x-word"), ["said"]);
    assert_eq!(told(&seen, "host"), [] as [String; 0]);
}

#[tokio::test]
async fn many_requests_at_once_share_one_connection() {
    let app = together(50, 100).await;
    let stage = Stage::over(app, &[ONE_WORKER, OPEN, H2]).await;
    ask(&stage, 50).await;
    assert_eq!(stage.upstream.connections(), 1);
}

#[tokio::test]
async fn a_further_connection_is_opened_when_the_app_takes_no_more_streams_on_the_first() {
    let app = together(6, 2).await;
    let stage = Stage::over(app, &[ONE_WORKER, OPEN, H2]).await;
    ask(&stage, 6).await;
    assert_eq!(stage.upstream.connections(), 3);
    ask(&stage, 6).await;
    assert_eq!(stage.upstream.connections(), 3);
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed_however_few_streams_they_carry() {
    let app = together(2, 1).await;
    let limit = "upstreams.app.max_connections = 1";
    let stage = Stage::over(app, &[ONE_WORKER, OPEN, H2, limit]).await;
    let waiting = tokio::spawn(stage.get("/").send());
    while stage.upstream.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let turned_away = stage.get("/").send().await;
    turned_away.is_refused(503, "overloaded");
    waiting.abort();
}

#[tokio::test]
async fn an_app_that_does_not_speak_http_2_is_unreachable_and_one_that_says_nothing_is_late() {
    let app = Puppet::new().await;
    let hasty = "upstreams.app.connect_timeout = \"300ms\"";
    let stage = Stage::with(&[OPEN, H2, hasty, &app.setting()]).await;
    let asked = tokio::spawn(stage.get("/").send());
    let mut server: Wire = app.accept().await;
    server.until("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    server
        .send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        .await;
    let answer = asked.await.expect("an answer");
    answer.is_refused(502, "upstream_unreachable");
    let answer = stage.get("/").send().await;
    answer.is_refused(504, "upstream_timeout");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let app = Puppet::new().await;
    let idle = "upstreams.app.idle = \"1s\"";
    let stage = Stage::with(&[OPEN, H2, idle, &app.setting()]).await;
    let asked = tokio::spawn(stage.get("/").send());
    let mut server = h2::server::handshake(app.accept().await.into_stream())
        .await
        .expect("HTTP/2");
    let (_, mut respond) = server.accept().await.expect("a request").expect("one");
    respond
        .send_response(http::Response::new(()), true)
        .expect("to be heard");
    let ended = server.accept().await;
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(asked.await.expect("an answer").status, 200);
}
