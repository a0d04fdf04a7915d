//! What is still under way when its session ends: cut on both sides, soon, even when nothing moves; everybody else's goes on.

use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage, Tokens,
    client::Answer,
    h2::{H2, body},
    wire::{Puppet, Wire},
};

const OTHER_PHONE: &str = "+14155550199";
const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const LAST_CHUNK: &str = "0\r\n\r\n";

/// Within which a stream ends after its session: two ticks and a little.
const BOUND: Duration = Duration::from_millis(250);

/// Longer than that, for those that go on.
const LONGER: Duration = Duration::from_millis(500);

/// A gateway over an app that a test speaks for.
struct Scene {
    stage: Stage,
    app: Puppet,
}

/// An exchange under way.
struct Stream {
    client: Wire,
    server: Wire,
}

impl Scene {
    async fn new(settings: &[&str]) -> Self {
        let app = Puppet::new().await;
        let setting = app.setting();
        let mut all = vec![BEHIND_A_PROXY, &*setting];
        all.extend(settings);
        let stage = Stage::with(&all).await;
        Self { stage, app }
    }

    /// A request with this token, its head at the app.
    async fn request(&self, line: &str, token: &str) -> Stream {
        let mut client = Wire::to(self.stage.address).await;
        let credentials = if token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {token}\r\n")
        };
        client
            .send(format!("{line}\r\nHost: h\r\n{credentials}\r\n"))
            .await;
        let mut server = self.app.accept().await;
        server.head().await;
        Stream { client, server }
    }

    /// A stream of events whose first has arrived.
    async fn events(&self, token: &str) -> Stream {
        let mut stream = self.request("GET /events HTTP/1.1", token).await;
        stream.server.send(EVENTS).await;
        stream.client.until("\r\n\r\n").await;
        stream.goes_on("one").await;
        stream
    }

    async fn log_out(&self, tokens: &Tokens, body: &Value) -> Answer {
        let call = self.stage.post("/api/auth/logout").bearer(&tokens.access);
        let answer = call.json(body).send().await;
        assert_eq!(answer.status, 204);
        answer
    }

    /// The line of the request with this path.
    async fn logged(&self, path: &str) -> String {
        let path = format!(" {path} ");
        let access_log = &self.stage.access_log;
        access_log.line(|line| line.contains(&path)).await
    }
}

impl Stream {
    async fn goes_on(&mut self, event: &str) {
        self.server.send(format!("3\r\n{event}\r\n")).await;
        self.client.until(&format!("{event}\r\n")).await;
    }

    /// Both ends see it break off, and neither sees a proper end.
    async fn is_cut(&mut self) {
        let rest = self.client.rest().await;
        assert!(!rest.contains(LAST_CHUNK), "{rest:?}");
        assert_eq!(self.server.rest().await, "");
    }
}

#[tokio::test]
async fn a_silent_stream_ends_with_its_session_and_that_of_another_session_goes_on() {
    let scene = Scene::new(&[]).await;
    let (gone, stays) = (
        scene.stage.log_in(PHONE).await,
        scene.stage.log_in(PHONE).await,
    );
    // Several on each side, so that both workers have some.
    let (mut cut, mut left) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        cut.push(scene.events(&gone.access).await);
        left.push(scene.events(&stays.access).await);
    }
    scene.log_out(&gone, &json!({})).await;
    for stream in &mut cut {
        stream.is_cut().await;
    }
    for stream in &mut left {
        stream.goes_on("two").await;
    }
    let line = scene
        .stage
        .access_log
        .line(|line| line.contains(" /events "));
    let line = line.await;
    assert!(line.contains(" 200 GET "), "{line}");
    assert!(line.contains(" code=session_revoked "), "{line}");
    assert_eq!(scene.stage.metric("requests_cut_total").await, 6);
}

#[tokio::test]
async fn a_stream_ends_within_a_quarter_of_a_second_after_its_session() {
    let scene = Scene::new(&[]).await;
    let mut fastest = Duration::MAX;
    // A machine that has much to do delays some, hardly all.
    for n in 0..5 {
        let tokens = scene.stage.log_in(&format!("+1415555010{n}")).await;
        let mut stream = scene.events(&tokens.access).await;
        scene.log_out(&tokens, &json!({})).await;
        let ended = Instant::now();
        stream.is_cut().await;
        fastest = fastest.min(ended.elapsed());
        if fastest <= BOUND {
            return;
        }
    }
    panic!("{fastest:?}");
}

#[tokio::test]
async fn whoever_ends_a_session_ends_its_streams() {
    let scene = Scene::new(&[]).await;
    let own = scene.stage.log_in(PHONE).await;
    let mut own_stream = scene.events(&own.access).await;

    let other = scene.stage.log_in(PHONE).await;
    let mut stream = scene.events(&other.access).await;
    scene.log_out(&own, &json!({ "scope": "others" })).await;
    stream.is_cut().await;
    own_stream.goes_on("two").await;

    let other = scene.stage.log_in(PHONE).await;
    let mut stream = scene.events(&other.access).await;
    let path = format!("/api/auth/sessions/{}", other.session);
    let deleted = scene.stage.call("DELETE", &path).bearer(&own.access);
    assert_eq!(deleted.send().await.status, 204);
    stream.is_cut().await;
    own_stream.goes_on("six").await;

    scene.log_out(&own, &json!({ "scope": "all" })).await;
    own_stream.is_cut().await;
}

#[tokio::test]
async fn refreshing_cuts_nothing_and_a_replayed_token_does() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let mut stream = scene.events(&tokens.access).await;
    let refreshed = scene.stage.refresh(&tokens.refresh).await;
    assert_eq!(refreshed.status, 200);
    stream.client.stays_quiet(LONGER).await;
    stream.goes_on("two").await;
    // The streams of both access tokens are of one session.
    let renewed = Tokens::of(&refreshed.json());
    let mut second = scene.events(&renewed.access).await;

    scene.stage.pass(Duration::from_secs(31));
    let replayed = scene.stage.refresh(&tokens.refresh).await;
    replayed.is_refused(400, "invalid_grant");
    stream.is_cut().await;
    second.is_cut().await;
}

#[tokio::test]
async fn a_stream_that_outlived_its_token_still_ends_with_its_session() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let mut stream = scene.events(&tokens.access).await;
    scene.stage.pass(Duration::from_hours(5));
    stream.goes_on("two").await;
    scene.log_out(&tokens, &json!({})).await;
    stream.is_cut().await;
}

#[tokio::test]
async fn a_download_in_full_flow_breaks_off() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let mut stream = scene.request("GET /file HTTP/1.1", &tokens.access).await;
    let length = 1_u64 << 40;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    stream.server.send(head).await;
    stream.client.until("\r\n\r\n").await;
    let block = vec![b'x'; 1 << 16];
    let mut server = stream.server;
    let flood = tokio::spawn(async move { while server.try_send(&block).await.is_ok() {} });
    let block = "x".repeat(1 << 16);
    for _ in 0..32 {
        stream.client.until(&block).await;
    }
    scene.log_out(&tokens, &json!({})).await;
    while !stream.client.is_over().await {}
    flood.await.expect("an end");
    let line = scene.logged("/file").await;
    assert!(line.contains(" code=session_revoked "), "{line}");
}

#[tokio::test]
async fn an_h2_stream_is_reset_and_the_others_of_its_connection_go_on() {
    let scene = Scene::new(&[]).await;
    let (gone, stays) = (
        scene.stage.log_in(PHONE).await,
        scene.stage.log_in(OTHER_PHONE).await,
    );
    let (client, _connection) = H2::to(scene.stage.address).await;
    let mut streams = Vec::new();
    for tokens in [&gone, &stays] {
        let request = Request::get("http://h/events")
            .header("authorization", format!("Bearer {}", tokens.access))
            .body(body(""))
            .unwrap();
        let asking = client.clone();
        let asked = tokio::spawn(async move { asking.begin(request).await });
        let mut server = scene.app.accept().await;
        server.request().await;
        server.send(EVENTS).await;
        server.send("3\r\none\r\n").await;
        let mut body = asked.await.unwrap().expect("a head").into_body();
        let first = body.frame().await.expect("a piece").expect("a piece");
        assert_eq!(first.into_data().unwrap(), "one");
        streams.push((body, server));
    }
    let (on, mut on_server) = streams.pop().expect("two");
    let (mut cut, mut cut_server) = streams.pop().expect("two");
    scene.log_out(&gone, &json!({})).await;
    cut.frame().await.expect("no end").expect_err("a reset");
    assert_eq!(cut_server.rest().await, "");
    on_server.send("3\r\ntwo\r\n0\r\n\r\n").await;
    let rest = on.collect().await.expect("an end").to_bytes();
    assert_eq!(rest, "two");
}

#[tokio::test]
async fn an_upload_is_cut_and_the_app_sees_no_end_of_it() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let line = "POST /up HTTP/1.1\r\nTransfer-Encoding: chunked";
    let mut stream = scene.request(line, &tokens.access).await;
    stream.client.send("3\r\nabc\r\n").await;
    stream.server.until("abc\r\n").await;
    scene.log_out(&tokens, &json!({})).await;
    // Nothing was answered yet, so there is room to say why.
    let answer = stream.client.answer().await;
    answer.is_refused(401, "session_revoked");
    assert_eq!(stream.server.rest().await, "");
    let line = scene.logged("/up").await;
    assert!(line.contains(" 401 POST "), "{line}");
    assert!(line.contains(" code=session_revoked "), "{line}");
    assert_eq!(scene.stage.metric("requests_cut_total").await, 1);
}

#[tokio::test]
async fn an_upload_that_is_answered_while_it_runs_is_cut_too() {
    let scene = Scene::new(&[]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let line = "POST /up HTTP/1.1\r\nTransfer-Encoding: chunked";
    let mut stream = scene.request(line, &tokens.access).await;
    stream.server.send(EVENTS).await;
    stream.client.until("\r\n\r\n").await;
    stream.client.send("3\r\nabc\r\n").await;
    stream.server.until("abc\r\n").await;
    scene.log_out(&tokens, &json!({})).await;
    stream.is_cut().await;
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_is_refused_and_is_not_sent_again() {
    let scene = Scene::new(&["server.workers = 1"]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    // On a connection that was used before, where one that was not sent would be sent again.
    let mut warm = scene.request("GET /warm HTTP/1.1", &tokens.access).await;
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    warm.server.send(empty).await;
    assert_eq!(warm.client.answer().await.status, 200);
    let request = format!(
        "GET /slow HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n",
        tokens.access
    );
    warm.client.send(request).await;
    warm.server.request().await;
    scene.log_out(&tokens, &json!({})).await;
    let answer = warm.client.answer().await;
    answer.is_refused(401, "session_revoked");
    assert_eq!(warm.server.rest().await, "");
    assert!(!scene.app.is_wanted());
}

#[tokio::test]
async fn an_exchange_that_is_over_leaves_its_connection_to_the_next() {
    let scene = Scene::new(&["server.workers = 1"]).await;
    let (gone, stays) = (
        scene.stage.log_in(PHONE).await,
        scene.stage.log_in(PHONE).await,
    );
    let mut first = scene.events(&gone.access).await;
    first.server.send(LAST_CHUNK).await;
    first.client.until(LAST_CHUNK).await;
    // The next stream goes over the same connection to the app.
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n",
        stays.access
    );
    first.client.send(request).await;
    first.server.request().await;
    first.server.send(EVENTS).await;
    first.client.until("\r\n\r\n").await;
    scene.log_out(&gone, &json!({})).await;
    first.client.stays_quiet(LONGER).await;
    first.goes_on("two").await;
    assert_eq!(scene.stage.metric("requests_cut_total").await, 0);
}

#[tokio::test]
async fn what_needed_no_session_outlives_it() {
    let routes = "[[routes]]\npath = \"/open\"\nauth = \"none\"\n\
                  [[routes]]\npath = \"/events\"\nauth = \"optional\"";
    let scene = Scene::new(&[routes]).await;
    let tokens = scene.stage.log_in(PHONE).await;
    let mut stay = Vec::new();
    for (line, token) in [
        ("GET /open HTTP/1.1", &*tokens.access),
        ("GET /events HTTP/1.1", ""),
    ] {
        let mut stream = scene.request(line, token).await;
        stream.server.send(EVENTS).await;
        stream.client.until("\r\n\r\n").await;
        stay.push(stream);
    }
    // Who need not say who he is and does is held to it.
    let mut identified = scene.events(&tokens.access).await;
    scene.log_out(&tokens, &json!({})).await;
    identified.is_cut().await;
    for stream in &mut stay {
        stream.client.stays_quiet(LONGER).await;
        stream.goes_on("two").await;
    }
}
