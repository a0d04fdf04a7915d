//! gRPC through the gateway: messages both ways as they are said, a status at the end, and an end for whoever does not wait any longer.

use std::time::Duration;

use h2::Reason;
use http::Response;
use tokio::time::timeout;

use crate::stage::{
    Stage,
    grpc::{Caller, answer, frame, status},
    h2_app::{Exchange, H2Puppet, Line, is_given_up, piece, rest},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"20mb\"";

struct Scene {
    _stage: Stage,
    caller: Caller,
    app: H2Puppet,
}

impl Scene {
    async fn new(settings: &[&str]) -> Self {
        let app = H2Puppet::new().await;
        let setting = app.setting();
        let mut all = vec!["server.workers = 1", &*setting];
        all.extend(settings);
        if !settings.iter().any(|setting| setting.starts_with("[[")) {
            all.push(OPEN);
        }
        let stage = Stage::with(&all).await;
        let caller = Caller::to(stage.address).await;
        Self {
            _stage: stage,
            caller,
            app,
        }
    }

    /// The app's end of the first call.
    async fn first(&self) -> (Line, Exchange) {
        let mut line = self.app.accept().await;
        let exchange = line.next().await;
        (line, exchange)
    }
}

#[tokio::test]
async fn one_message_goes_there_one_comes_back_and_the_status_stands_at_the_end() {
    let scene = Scene::new(&[]).await;
    let caller = scene.caller.clone();
    let more = [("x-metadata", "told"), ("x-auth-subject", "admin")];
    let asked = tokio::spawn(async move { caller.ask(&more, b"hello").await });
    let (_line, mut exchange) = scene.first().await;
    let headers = exchange.request.headers().clone();
    assert_eq!(exchange.request.uri().path(), "/echo.Echo/Say");
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["content-type"], "application/grpc+proto");
    assert_eq!(headers["x-metadata"], "told");
    assert!(!headers.contains_key("x-auth-subject"));
    assert_eq!(exchange.rest().await.0, frame(b"hello"));
    let mut body = exchange.begin(answer());
    body.send_data(frame(b"world"), false).expect("heard");
    body.send_trailers(status("0")).expect("heard");
    let ended = asked.await.expect("an end");
    assert_eq!(ended.messages, frame(b"world"));
    assert_eq!(ended.head["content-type"], "application/grpc+proto");
    let trailers = ended.trailers.expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["grpc-message"], "said");
}

#[tokio::test]
async fn an_app_that_fails_at_once_says_so_in_its_head() {
    let scene = Scene::new(&[]).await;
    let caller = scene.caller.clone();
    let asked = tokio::spawn(async move { caller.ask(&[], b"hello").await });
    let (_line, mut exchange) = scene.first().await;
    let failed = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "5")
        .body(())
        .expect("a head");
    exchange.respond.send_response(failed, true).expect("heard");
    let ended = asked.await.expect("an end");
    assert_eq!(ended.head["grpc-status"], "5");
    assert!(!ended.head.contains_key("proxy-status"));
    assert!(ended.messages.is_empty());
}

#[tokio::test]
async fn both_sides_talk_in_turns_for_as_long_as_they_like() {
    let scene = Scene::new(&[]).await;
    let mut call = scene.caller.call(&[]).await;
    call.say(b"0");
    let (_line, mut exchange) = scene.first().await;
    let mut body = exchange.begin(answer());
    let mut heard = call.head().await.into_body();
    assert_eq!(exchange.piece().await.expect("a message"), frame(b"0"));
    for n in 1..20_u8 {
        body.send_data(frame(&[n]), false).expect("heard");
        assert_eq!(piece(&mut heard).await.expect("a message"), frame(&[n]));
        call.say(&[n]);
        assert_eq!(exchange.piece().await.expect("a message"), frame(&[n]));
    }
    call.sending.send_data(frame(b""), true).expect("heard");
    assert_eq!(exchange.rest().await.0, frame(b""));
    body.send_trailers(status("0")).expect("heard");
    let (left, trailers) = rest(&mut heard).await;
    assert!(left.is_empty());
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
}

#[tokio::test]
async fn messages_may_be_large_in_both_directions() {
    let scene = Scene::new(&[]).await;
    let large = vec![b'x'; 8 << 20];
    let mut call = scene.caller.call(&[]).await;
    call.sending
        .send_data(frame(&large), true)
        .expect("to be heard");
    let (_line, mut exchange) = scene.first().await;
    assert_eq!(exchange.rest().await.0.len(), large.len() + 5);
    let mut body = exchange.begin(answer());
    body.send_data(frame(&large), false).expect("heard");
    body.send_trailers(status("0")).expect("heard");
    assert!(call.end().await.messages == frame(&large));
}

#[tokio::test]
async fn a_caller_that_does_not_read_does_not_make_the_gateway_hold_what_it_leaves() {
    let scene = Scene::new(&[]).await;
    let mut call = scene.caller.call(&[]).await;
    let (_line, mut exchange) = scene.first().await;
    let mut body = exchange.begin(answer());
    let _unread = call.head().await;
    let mut taken = 0;
    loop {
        body.reserve_capacity(1 << 16);
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx));
        let Ok(room) = timeout(Duration::from_millis(300), room).await else {
            break;
        };
        let room = room.expect("open").expect("open");
        body.send_data(vec![b'x'; room].into(), false)
            .expect("heard");
        taken += room;
        assert!(taken < 4 << 20, "{taken} bytes went somewhere");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_its_stream_at_the_app_and_no_other() {
    let scene = Scene::new(&[]).await;
    let call = scene.caller.call(&[]).await;
    let (mut line, mut exchange) = scene.first().await;
    let mut other = scene.caller.call(&[]).await;
    let mut stays = line.next().await;
    drop(call);
    assert_eq!(exchange.is_given_up().await, Reason::CANCEL);

    let mut begun = scene.caller.call(&[]).await;
    let mut exchange = line.next().await;
    let mut body = exchange.begin(answer());
    drop((begun.head().await, begun));
    is_given_up(&mut body).await;

    other.say(b"still here");
    assert_eq!(stays.piece().await.expect("more"), frame(b"still here"));
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_it_said() {
    let scene = Scene::new(&[]).await;
    let caller = scene.caller.clone();
    let hasty = [("grpc-timeout", "200m")];
    let asked = tokio::spawn(async move { caller.ask(&hasty, b"hello").await });
    let (_line, mut exchange) = scene.first().await;
    assert_eq!(exchange.request.headers()["grpc-timeout"], "200m");
    let ended = asked.await.expect("an end");
    ended.is_refused("4", "upstream_timeout");
    exchange.is_given_up().await;
}

#[tokio::test]
async fn nor_longer_than_the_route_says_however_patient_it_is() {
    let hasty = "[[routes]]\npath = \"/\"\nauth = \"none\"\nresponse_timeout = \"200ms\"\nupstream = \"app\"";
    let scene = Scene::new(&[hasty]).await;
    let ended = scene.caller.ask(&[("grpc-timeout", "1H")], b"hello").await;
    ended.is_refused("4", "upstream_timeout");
}

#[tokio::test]
async fn silence_ends_no_call_before_its_time_and_then_it_does() {
    let app = H2Puppet::new().await;
    let servers = format!("upstreams.app.servers = \"http://{}\"", app.address);
    let stage = Stage::with(&[
        OPEN,
        &servers,
        "upstreams.app.protocol = \"h2\"",
        "upstreams.app.body_idle = \"1s\"",
        "upstreams.app.stream_idle = \"4s\"",
        "server.limits.body_idle = \"1s\"",
    ])
    .await;
    let caller = Caller::to(stage.address).await;
    let mut call = caller.call(&[]).await;
    let mut line = app.accept().await;
    let mut exchange = line.next().await;
    let mut body = exchange.begin(answer());
    let mut heard = call.head().await.into_body();
    let silence = timeout(Duration::from_millis(2500), heard.data()).await;
    assert!(silence.is_err(), "{silence:?}");
    call.say(b"still here");
    assert!(exchange.piece().await.is_some());
    body.send_data(frame(b"so am I"), false).expect("heard");
    assert!(piece(&mut heard).await.is_some());
    let ended = timeout(Duration::from_secs(15), heard.data()).await;
    ended
        .expect("an end")
        .expect("an end")
        .expect_err("a reset");
}
