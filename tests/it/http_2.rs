//! HTTP/2 clients: many requests at once on one connection, under the same rules.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{task::JoinHandle, time::timeout};

use crate::stage::{
    PATIENCE, Stage,
    h2::{H2, body, get, whole},
    upstream::told,
    wire::Puppet,
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// More than all buffers on the way together.
const MUCH: usize = 32 << 20;

#[tokio::test]
async fn a_client_may_speak_http_2_at_once_and_ask_for_many_things_together() {
    let app = Puppet::new().await;
    let stage = Stage::with(&["server.workers = 1", OPEN, &app.setting()]).await;
    let (client, _connection) = H2::to(stage.address).await;
    let mut waiting = Vec::new();
    for n in 0..5 {
        let client = client.clone();
        let request = get(&format!("http://app.test/{n}"));
        waiting.push(tokio::spawn(async move { client.send(request).await }));
    }
    let mut servers = Vec::new();
    for _ in 0..5 {
        let mut server = app.accept().await;
        let heard = server.request().await;
        assert_eq!(heard.told("host"), ["app.test"]);
        let path = heard.line.split(' ').nth(1).expect("a path").to_owned();
        servers.push((server, path));
    }
    // All of them are under way at once; the last one is answered first.
    for (server, path) in servers.iter_mut().rev() {
        server
            .send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{path}"
            ))
            .await;
    }
    for (n, answer) in waiting.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().body, format!("/{n}"));
    }
}

#[tokio::test]
async fn http_2_requests_meet_the_same_rules() {
    let stage = Stage::with(&[
        "[[routes]]\npath = \"/\"",
        "[[routes]]\nhost = \"open.test\"\npath = \"/\"\nauth = \"none\"\nmax_body = \"1kb\"",
    ])
    .await;
    let (client, _connection) = H2::to(stage.address).await;
    let refused = client.send(get("http://app.test/")).await;
    refused.is_refused(401, "missing_token");
    let ambiguous = client.send(get("http://open.test/a//b")).await;
    ambiguous.is_refused(400, "invalid_request_target");
    let other_host = Request::get("http://open.test/")
        .header("host", "app.test")
        .body(body(""))
        .unwrap();
    client
        .send(other_host)
        .await
        .is_refused(400, "invalid_request_target");
    let crumbs = Request::post("http://open.test/")
        .header("cookie", "a=1")
        .header("cookie", "otp_access=secret")
        .header("cookie", "b=2")
        .header("x-auth-subject", "admin")
        .body(body("sent"))
        .unwrap();
    let seen = client.send(crumbs).await.json();
    assert_eq!(told(&seen, "cookie"), ["a=1; b=2"]);
    let without_ours = Request::get("http://open.test/")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(body(""))
        .unwrap();
    let answer = client.send(without_ours).await.json();
    assert_eq!(told(&answer, "cookie"), ["a=1; b=2"]);
    assert_eq!(told(&seen, "x-auth-subject"), [] as [String; 0]);
    assert_eq!(seen["body"], "sent");
    let large = Request::post("http://open.test/")
        .body(body(vec![b'x'; 1025]))
        .unwrap();
    let too_large = client.send(large).await;
    too_large.is_refused(413, "body_too_large");
}

/// A request on its way, while others are.
fn ask(client: &H2, path: &str) -> JoinHandle<hyper::Result<Response<Incoming>>> {
    let (client, request) = (client.clone(), get(&format!("http://h{path}")));
    tokio::spawn(async move { client.begin(request).await })
}

#[tokio::test]
async fn one_stream_that_nobody_reads_does_not_hold_up_the_others() {
    let app = Puppet::new().await;
    let stage = Stage::with(&["server.workers = 1", OPEN, &app.setting()]).await;
    let (client, _connection) = H2::to(stage.address).await;
    let slow = ask(&client, "/slow");
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    let unread = slow.await.unwrap().expect("a head");
    let taken = server.flood(MUCH).await;
    assert!(taken < MUCH, "{taken} bytes went somewhere");
    let quick = ask(&client, "/quick");
    let mut other = app.accept().await;
    other.request().await;
    other.send(OK).await;
    let (answer, _) = whole(quick.await.unwrap().expect("a head")).await;
    assert_eq!(answer.body, "ok");
    let mut unread = unread.into_body();
    assert!(unread.frame().await.expect("a piece").is_ok());
}

#[tokio::test]
async fn answers_that_nobody_takes_are_given_up_and_do_not_use_up_the_connections_to_the_app() {
    let app = Puppet::new().await;
    let settings = [
        "server.workers = 1",
        OPEN,
        &app.setting(),
        "server.limits.body_idle = \"1s\"",
        "upstreams.app.max_connections = 2",
    ];
    let stage = Stage::with(&settings).await;
    let (client, _connection) = H2::to(stage.address).await;
    let slow = ask(&client, "/slow");
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    let unread = slow.await.unwrap().expect("a head");
    let patient = ask(&client, "/patient");
    let mut other = app.accept().await;
    other.request().await;
    // Half of an answer, and a pause that is longer than any client may make.
    let (first, second) = OK.split_at(OK.len() - 1);
    other.send(first).await;
    let patient = patient.await.unwrap().expect("a head");
    let block = vec![b'x'; 1 << 16];
    let flood = async { while server.try_send(&block).await.is_ok() {} };
    timeout(Duration::from_secs(15), flood)
        .await
        .expect("an end");
    let mut unread = unread.into_body();
    let broken = async { while let Some(Ok(_)) = unread.frame().await {} };
    timeout(PATIENCE, broken).await.expect("an end");
    let next = ask(&client, "/next");
    let mut server = app.accept().await;
    server.request().await;
    server.send(OK).await;
    let next = next.await.unwrap().expect("a head");
    // An app that takes its time is not a client that does.
    other.send(second).await;
    for answer in [next, patient] {
        assert_eq!(whole(answer).await.0.body, "ok");
    }
}
