//! Streams to apps that speak HTTP/2: refused, given up, cut, answered early, and never sent twice by mistake.

use h2::Reason;
use http::Response;
use serde_json::json;

use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage,
    client::Call,
    h2_app::{H2Puppet, Line, is_given_up},
    wire::Wire,
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

async fn stage(app: &H2Puppet, settings: &[&str]) -> Stage {
    let setting = app.setting();
    let mut all = vec!["server.workers = 1", &*setting];
    all.extend(settings);
    Stage::with(&all).await
}

/// A request whose answer comes over a connection that was used before.
async fn second(stage: &Stage, app: &H2Puppet) -> Line {
    let asked = tokio::spawn(stage.get("/").send());
    let mut line = app.accept().await;
    line.next().await.answer("one");
    assert_eq!(asked.await.expect("an answer").text(), "one");
    line
}

#[tokio::test]
async fn what_an_app_refuses_to_begin_with_is_asked_again() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let asked = tokio::spawn(stage.get("/").header("x-word", "kept").send());
    let mut line = app.accept().await;
    line.next().await.refuse();
    let again = line.next().await;
    assert_eq!(again.request.headers()["x-word"], "kept");
    again.answer("now");
    assert_eq!(asked.await.expect("an answer").text(), "now");
}

#[tokio::test]
async fn an_app_that_refuses_for_ever_is_not_asked_for_ever() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let asked = tokio::spawn(stage.get("/").send());
    let mut line = app.accept().await;
    for _ in 0..3 {
        line.next().await.refuse();
    }
    let answer = asked.await.expect("an answer");
    answer.is_refused(502, "upstream_unreachable");
}

#[tokio::test]
async fn what_an_app_has_begun_with_is_not_asked_again() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let calls: [Call; 2] = [stage.get("/"), stage.post("/").body("x")];
    let mut line = second(&stage, &app).await;
    for call in calls {
        let asked = tokio::spawn(call.send());
        let mut begun = line.next().await;
        begun.respond.send_reset(Reason::INTERNAL_ERROR);
        let answer = asked.await.expect("an answer");
        answer.is_refused(502, "upstream_unreachable");
    }
    // It was the last one: what comes next is a new request.
    let asked = tokio::spawn(stage.get("/next").send());
    let next = line.next().await;
    assert_eq!(next.request.uri().path(), "/next");
    next.answer("ok");
    assert_eq!(asked.await.expect("an answer").status, 200);
}

#[tokio::test]
async fn an_app_that_leaves_ends_what_it_began_and_gets_nothing_new() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let mut line = second(&stage, &app).await;
    let begun = tokio::spawn(stage.get("/begun").send());
    let old = line.next().await;
    line.leaves();
    // The word may still be on its way: then it is the next request that comes too late for it.
    let asked = tokio::spawn(stage.get("/new").send());
    let mut fresh = app.accept().await;
    let new = fresh.next().await;
    assert_eq!(new.request.uri().path(), "/new");
    new.answer("new");
    assert_eq!(asked.await.expect("an answer").text(), "new");
    old.answer("old");
    assert_eq!(begun.await.expect("an answer").text(), "old");
}

#[tokio::test]
async fn a_client_of_http_1_that_goes_away_gives_its_stream_up_and_the_connection_stays() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let mut line = second(&stage, &app).await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    let mut exchange = line.next().await;
    drop(client);
    assert_eq!(exchange.is_given_up().await, Reason::CANCEL);
    let asked = tokio::spawn(stage.get("/").send());
    line.next().await.answer("two");
    assert_eq!(asked.await.expect("an answer").text(), "two");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_arrives_and_the_rest_is_given_up() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\nabc")
        .await;
    let mut line = app.accept().await;
    let mut exchange = line.next().await;
    assert_eq!(exchange.piece().await.expect("a piece"), "abc");
    let early = Response::builder()
        .status(413)
        .header("content-length", "2");
    let mut body = exchange.begin(early.body(()).expect("a head"));
    body.send_data("no".into(), true).expect("heard");
    let answer = client.answer().await;
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (413, "no".to_owned())
    );
    is_given_up(&mut body).await;
    let asked = tokio::spawn(stage.get("/").send());
    line.next().await.answer("two");
    assert_eq!(asked.await.expect("an answer").text(), "two");
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_the_others_of_its_connection_go_on() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[BEHIND_A_PROXY]).await;
    let (gone, stays) = (stage.log_in(PHONE).await, stage.log_in(PHONE).await);
    let begin = |token: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
        let address = stage.address;
        async move {
            let mut client = Wire::to(address).await;
            client.send(head).await;
            client
        }
    };
    let mut cut = begin(&gone.access).await;
    let mut line = app.accept().await;
    let mut ends = line.next().await;
    let mut cut_off = ends.begin(Response::new(()));
    cut.until("\r\n\r\n").await;
    let mut left = begin(&stays.access).await;
    let mut goes_on = line.next().await;
    let mut body = goes_on.begin(Response::new(()));
    left.until("\r\n\r\n").await;
    let mut waits = begin(&gone.access).await;
    let mut unanswered = line.next().await;

    let logout = stage.post("/api/auth/logout").bearer(&gone.access);
    assert_eq!(logout.json(&json!({})).send().await.status, 204);
    is_given_up(&mut cut_off).await;
    unanswered.is_given_up().await;
    assert!(!cut.rest().await.contains("0\r\n\r\n"));
    waits.answer().await.is_refused(401, "session_revoked");
    body.send_data("on".into(), false).expect("heard");
    left.until("on").await;
}

#[tokio::test]
async fn answers_without_a_body_have_none_whatever_they_say_of_its_length() {
    let app = H2Puppet::new().await;
    let stage = stage(&app, &[OPEN]).await;
    let mut client = Wire::to(stage.address).await;
    let mut line = None;
    for (method, status) in [("HEAD", 200), ("GET", 304), ("GET", 204)] {
        client
            .send(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await;
        if line.is_none() {
            line = Some(app.accept().await);
        }
        let mut exchange = line.as_mut().expect("a connection").next().await;
        let mut answer = Response::builder().status(status);
        if status != 204 {
            answer = answer.header("content-length", "5");
        }
        let answer = answer.body(()).expect("a head");
        exchange.respond.send_response(answer, true).expect("heard");
        let (first, headers) = client.head().await;
        assert!(first.contains(&status.to_string()), "{first}");
        if method == "HEAD" {
            assert_eq!(headers["content-length"], "5");
        }
    }
}
