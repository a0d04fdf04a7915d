//! What stands behind a body: it goes on in both directions, but nobody can say there what only the gateway may say, or what should have stood in front.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::stage::{
    Stage,
    grpc::{Caller, request},
    h2_app::H2Puppet,
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

/// What a client might say at the end to pass for somebody, or for something, else.
const FORGED: [&str; 12] = [
    "x-auth-subject",
    "x_auth_phone",
    "x.auth.session",
    "x-forwarded-for",
    "x_real_ip",
    "forwarded",
    "x-request-id",
    "host",
    "authorization",
    "content-length",
    "transfer-encoding",
    "cookie",
];

fn fields(names: &[&'static str]) -> HeaderMap {
    let value = HeaderValue::from_static("1");
    let fields = names
        .iter()
        .map(|name| (HeaderName::from_static(name), value.clone()));
    fields.collect()
}

#[tokio::test]
async fn what_a_client_of_http_2_says_at_the_end_reaches_an_app_of_http_2() {
    let app = H2Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let caller = Caller::to(stage.address).await;
    let mut call = caller.begin(request()).await;
    call.sending
        .send_data(Bytes::from_static(b"abc"), false)
        .expect("heard");
    // What belongs to one connection HTTP/2 knows not at all.
    let forged: Vec<_> = FORGED
        .into_iter()
        .filter(|name| *name != "transfer-encoding")
        .chain(["x-checksum"])
        .collect();
    call.sending.send_trailers(fields(&forged)).expect("heard");
    let mut line = app.accept().await;
    let mut exchange = line.next().await;
    let (body, trailers) = exchange.rest().await;
    assert_eq!(body, b"abc");
    assert_eq!(trailers.expect("trailers"), fields(&["x-checksum"]));
    exchange.answer("ok");
}

#[tokio::test]
async fn what_a_client_of_http_1_says_at_the_end_reaches_an_app_of_http_1() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    let names = FORGED.join(", ");
    let forged = FORGED.map(|name| format!("{name}: 1\r\n")).concat();
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Checksum, {names}\r\n\r\n3\r\nabc\r\n0\r\n{forged}X-Checksum: 1\r\n\r\n"
        ))
        .await;
    let mut server = app.accept().await;
    server.until("3\r\nabc\r\n0\r\n").await;
    assert_eq!(server.until("\r\n\r\n").await, "x-checksum: 1\r\n\r\n");
}

#[tokio::test]
async fn what_a_client_says_at_the_end_without_a_word_of_it_in_front_changes_nothing() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n0\r\nX-Checksum: 1\r\nX-Auth-Subject: admin\r\n\r\n",
        )
        .await;
    let mut server = app.accept().await;
    let heard = server.request().await;
    assert_eq!(heard.body, "abc");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.answer().await.body, "ok");
}

#[tokio::test]
async fn what_an_app_says_at_the_end_cannot_frame_or_set_anything() {
    let app = H2Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let caller = Caller::to(stage.address).await;
    let call = caller.call(&[]).await;
    let mut line = app.accept().await;
    let mut exchange = line.next().await;
    let mut body = exchange.begin(Response::new(()));
    let names = [
        "grpc-status",
        "x-checksum",
        "set-cookie",
        "content-length",
        "location",
    ];
    body.send_trailers(fields(&names)).expect("heard");
    let trailers = call.end().await.trailers.expect("trailers");
    assert_eq!(trailers, fields(&["grpc-status", "x-checksum"]));
}

#[tokio::test]
async fn a_client_of_http_1_gets_what_an_app_of_http_2_announced_if_it_asked_for_it() {
    for (asked, end) in [("TE: trailers\r\n", "x-checksum: 1\r\n\r\n"), ("", "\r\n")] {
        let app = H2Puppet::new().await;
        let stage = Stage::with(&[OPEN, &app.setting()]).await;
        let mut client = Wire::to(stage.address).await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: h\r\n{asked}\r\n"))
            .await;
        let mut line = app.accept().await;
        let mut exchange = line.next().await;
        let te = exchange.request.headers().contains_key("te");
        assert_eq!(te, !asked.is_empty());
        let head = Response::builder().header("trailer", "x-checksum");
        let mut body = exchange.begin(head.body(()).expect("a head"));
        body.send_data("ok".into(), false).expect("heard");
        body.send_trailers(fields(&["x-checksum"])).expect("heard");
        client.until("2\r\nok\r\n0\r\n").await;
        let rest = client.until("\r\n").await;
        let rest = if rest == "\r\n" {
            rest
        } else {
            rest + &client.until("\r\n").await
        };
        assert_eq!(rest, end);
    }
}
