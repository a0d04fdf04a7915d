//! What callers of gRPC are told when the gateway refuses them: a status of gRPC, never a page, never a way elsewhere.

use http::{Request, Version};

use crate::stage::{
    Stage,
    client::Call,
    grpc::{Caller, frame},
    h2_app::H2Puppet,
    wire::Puppet,
};

const ROUTES: &str = "[[routes]]\npath = \"/\"\nupstream = \"app\"\n\
    [[routes]]\npath = \"/open\"\nauth = \"none\"\nmax_body = \"1kb\"\nupstream = \"app\"\n\
    [[routes]]\npath = \"/get\"\nauth = \"none\"\nmethods = [\"GET\"]\nupstream = \"app\"";

async fn stage(app: &H2Puppet) -> (Stage, Caller) {
    let stage = Stage::with(&[ROUTES, &app.setting()]).await;
    let caller = Caller::to(stage.address).await;
    (stage, caller)
}

fn to(path: &str) -> http::request::Builder {
    Request::post(format!("http://h{path}")).header("content-type", "application/grpc")
}

#[tokio::test]
async fn who_has_no_token_is_told_so_and_is_not_sent_to_a_login_page() {
    let app = H2Puppet::new().await;
    let (stage, caller) = stage(&app).await;
    for more in [
        &[][..],
        &[("accept", "text/html"), ("sec-fetch-mode", "navigate")],
        &[("accept", "text/html"), ("sec-fetch-dest", "document")],
    ] {
        let ended = caller.ask(more, b"hello").await;
        ended.is_refused("16", "missing_token");
        assert_eq!(ended.head["www-authenticate"], "Bearer");
        assert!(!ended.head.contains_key("location"));
    }
    let forged = [("authorization", "Bearer x.y.z")];
    let ended = caller.ask(&forged, b"hello").await;
    ended.is_refused("16", "invalid_token");
    let line = stage.access_log.line(|line| line.contains("invalid_token"));
    assert!(line.await.contains(" 200 POST "));
}

#[tokio::test]
async fn who_goes_where_nothing_is_or_in_another_way_is_told_so() {
    let app = H2Puppet::new().await;
    let (_stage, caller) = stage(&app).await;
    let call = caller.begin(to("/api/auth/nothing")).await;
    call.end().await.is_refused("12", "not_found");
    let call = caller.begin(to("/get")).await;
    call.end().await.is_refused("12", "method_not_allowed");
    let call = caller.begin(to("/a//b")).await;
    call.end().await.is_refused("3", "invalid_request_target");
}

#[tokio::test]
async fn who_sends_too_much_is_told_so_whether_it_says_how_much_or_not() {
    let app = H2Puppet::new().await;
    let (_stage, caller) = stage(&app).await;
    let declared = to("/open").header("content-length", "1025");
    let call = caller.begin(declared).await;
    call.end().await.is_refused("8", "body_too_large");
    let mut call = caller.begin(to("/open")).await;
    drop(call.sending.send_data(frame(&[b'x'; 2000]), false));
    let mut line = app.accept().await;
    let mut exchange = line.next().await;
    call.end().await.is_refused("8", "body_too_large");
    exchange.is_given_up().await;
}

#[tokio::test]
async fn an_app_that_is_not_there_is_unavailable() {
    let closed = Puppet::new().await;
    let setting = closed.setting();
    drop(closed);
    let stage = Stage::with(&[ROUTES, &setting]).await;
    let caller = Caller::to(stage.address).await;
    let call = caller.begin(to("/open")).await;
    let ended = call.end().await;
    ended.is_refused("14", "upstream_unreachable");
    assert!(ended.head.contains_key("proxy-status"));
}

#[tokio::test]
async fn who_only_pretends_to_speak_grpc_gets_what_everybody_gets() {
    let stage = Stage::with(&[ROUTES]).await;
    let call = |kind: &str| stage.post("/x").header("content-type", kind);
    let old: Call = call("application/grpc");
    old.send().await.is_refused(401, "missing_token");
    let (client, _connection) = crate::stage::h2::H2::to(stage.address).await;
    let web = Request::post("http://h/x")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc-web")
        .body(crate::stage::h2::body(""))
        .expect("a request");
    client.send(web).await.is_refused(401, "missing_token");
}
