//! Bodies: streamed as they come, held back when nobody takes them, limited, and broken off where they broke off.

use http::Request;
use http_body_util::BodyExt;

use crate::stage::{
    Stage,
    h2::{H2, get, whole},
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// More than any socket between an app and a client holds: what still moves beyond it is in memory.
const MUCH: usize = 32 << 20;

/// A stage over an app that a test speaks for, with one worker, and a request on its way to it.
struct Scene {
    stage: Stage,
    app: Puppet,
    client: Wire,
    server: Wire,
}

impl Scene {
    async fn after(request: &str, settings: &[&str]) -> Self {
        let app = Puppet::new().await;
        let setting = app.setting();
        let mut all = vec!["server.workers = 1", &setting];
        all.extend(settings);
        if !settings
            .iter()
            .any(|setting| setting.contains("[[routes]]"))
        {
            all.push(OPEN);
        }
        let stage = Stage::with(&all).await;
        let mut client = Wire::to(stage.address).await;
        client.send(request).await;
        let server = app.accept().await;
        Self {
            stage,
            app,
            client,
            server,
        }
    }

    async fn get(settings: &[&str]) -> Self {
        let mut scene = Self::after("GET / HTTP/1.1\r\nHost: h\r\n\r\n", settings).await;
        scene.server.request().await;
        scene
    }

    async fn large_upload(settings: &[&str]) -> Self {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n";
        let large = "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1gb\"";
        let settings = if settings.is_empty() {
            &[large]
        } else {
            settings
        };
        let mut scene = Self::after(head, settings).await;
        scene.server.head().await;
        scene
    }

    async fn upload(settings: &[&str]) -> Self {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut scene = Self::after(head, settings).await;
        scene.server.head().await;
        scene
    }
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_as_the_app_gives_it() {
    let mut scene = Scene::get(&[]).await;
    scene
        .server
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    scene.client.until("\r\n\r\n").await;
    for event in ["one", "two", "six"] {
        scene
            .server
            .send(format!("b\r\ndata: {event}\n\n\r\n"))
            .await;
        scene.client.until(&format!("data: {event}\n\n")).await;
    }
    scene.server.send("0\r\n\r\n").await;
    scene.client.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn an_upload_arrives_piece_by_piece_as_the_client_gives_it() {
    let mut scene = Scene::upload(&[]).await;
    for piece in ["one", "two", "six"] {
        scene.client.send(format!("3\r\n{piece}\r\n")).await;
        scene.server.until(piece).await;
    }
    // The app may answer before the last of it.
    scene.server.send(CHUNKED).await;
    scene.client.until("\r\n\r\n").await;
    scene.client.send("0\r\n\r\n").await;
    scene.server.until("0\r\n\r\n").await;
    scene.server.send("2\r\nok\r\n0\r\n\r\n").await;
    scene.client.until("ok\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn of_an_answer_that_nobody_reads_the_kernel_keeps_little() {
    let mut scene = Scene::get(&[]).await;
    scene
        .server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    scene.server.flood(MUCH).await;
    let kept = unacknowledged(scene.stage.address.port());
    // It would be 4 MiB, or whatever else `tcp_wmem` says.
    assert!((1..1 << 20).contains(&kept), "{kept} bytes");
}

/// Bytes that the kernel keeps for who has connected to this port.
fn unacknowledged(port: u16) -> usize {
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let ours = format!(":{port:04X}");
    let kept = sockets.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?;
        let queues = fields.nth(2)?;
        let (waiting, _) = queues.split_once(':')?;
        local.ends_with(&ours).then_some(waiting)
    });
    kept.map(|hex| usize::from_str_radix(hex, 16).expect("hex"))
        .sum()
}

#[tokio::test]
async fn an_endless_answer_waits_for_a_client_that_does_not_read() {
    let mut scene = Scene::get(&[]).await;
    scene
        .server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        .await;
    let taken = scene.server.flood(MUCH).await;
    assert!(taken < MUCH, "{taken} bytes went somewhere");
    // It only waited: once the client reads, all goes on.
    scene.client.until("\r\n\r\n").await;
    drop(scene.server);
    assert_eq!(scene.client.rest().await.len(), taken);
}

#[tokio::test]
async fn an_endless_upload_waits_for_an_app_that_does_not_read() {
    let mut scene = Scene::large_upload(&[]).await;
    let taken = scene.client.flood(MUCH).await;
    assert!(taken < MUCH, "{taken} bytes went somewhere");
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let stage =
        Stage::with(&["[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1kb\""]).await;
    let fits = stage.post("/").body(vec![b'x'; 1024]).send().await;
    assert_eq!(fits.status, 200);
    let mut wire = Wire::to(stage.address).await;
    wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n")
        .await;
    wire.answer().await.is_refused(413, "body_too_large");
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_cut_off_and_the_app_sees_no_end_of_it() {
    let settings = "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1kb\"";
    let mut scene = Scene::upload(&[settings]).await;
    let piece = "x".repeat(1024);
    scene.client.send(format!("400\r\n{piece}\r\n")).await;
    scene.server.until(&piece).await;
    scene.client.send("1\r\ny\r\n0\r\n\r\n").await;
    scene
        .client
        .answer()
        .await
        .is_refused(413, "body_too_large");
    let rest = scene.server.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    assert!(!rest.contains('y'));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_in_chunks_too() {
    let settings = "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1kb\"";
    let mut scene = Scene::upload(&[settings]).await;
    let piece = "x".repeat(512);
    for _ in 0..2 {
        scene.client.send(format!("200\r\n{piece}\r\n")).await;
    }
    scene.client.send("0\r\n\r\n").await;
    scene.server.until("0\r\n\r\n").await;
    scene
        .server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(scene.client.answer().await.status, 200);
}

#[tokio::test]
async fn an_app_notices_that_the_client_has_gone_while_it_thinks() {
    let mut scene = Scene::get(&["server.limits.half_closed = \"1s\""]).await;
    drop(scene.client);
    assert_eq!(scene.server.rest().await, "");
    let line = scene
        .stage
        .access_log
        .line(|line| line.contains(" 499 "))
        .await;
    assert!(line.contains(" GET / "));
}

#[tokio::test]
async fn an_app_notices_that_the_client_has_gone_while_it_streams() {
    let mut scene = Scene::get(&["server.limits.half_closed = \"1s\""]).await;
    scene.server.send(CHUNKED).await;
    scene.client.until("\r\n\r\n").await;
    drop(scene.client);
    assert_eq!(scene.server.rest().await, "");
}

#[tokio::test]
async fn an_upload_that_breaks_off_never_looks_complete_to_the_app() {
    let mut scene = Scene::upload(&[]).await;
    scene.client.send("3\r\nabc\r\n").await;
    scene.server.until("abc\r\n").await;
    drop(scene.client);
    assert_eq!(scene.server.rest().await, "");
}

#[tokio::test]
async fn an_upload_that_stops_coming_is_given_up() {
    let mut scene = Scene::upload(&["server.limits.body_idle = \"1s\""]).await;
    scene.client.send("3\r\nabc\r\n").await;
    scene.server.until("abc\r\n").await;
    scene
        .client
        .answer()
        .await
        .is_refused(408, "request_timeout");
    assert_eq!(scene.server.rest().await, "");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_complete_to_the_client() {
    for (head, body) in [
        (CHUNKED, "3\r\nabc\r\n"),
        (CHUNKED, "3\r\nab"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "abc"),
    ] {
        let mut scene = Scene::get(&[]).await;
        scene.server.send(head).await;
        scene.server.send(body).await;
        scene.client.until("ab").await;
        drop(scene.server);
        let rest = scene.client.rest().await;
        assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_coming_is_broken_off() {
    let mut scene = Scene::get(&["upstreams.app.body_idle = \"1s\""]).await;
    scene.server.send(CHUNKED).await;
    scene.server.send("3\r\nabc\r\n").await;
    scene.client.until("abc").await;
    let rest = scene.client.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    assert_eq!(scene.server.rest().await, "");
}

#[tokio::test]
async fn an_h2_client_is_told_that_an_answer_broke_off() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let (client, _connection) = H2::to(stage.address).await;
    let answer = tokio::spawn(async move { client.begin(get("http://h/")).await });
    let mut server = app.accept().await;
    server.request().await;
    server.send(CHUNKED).await;
    server.send("3\r\nabc\r\n").await;
    let mut body = answer.await.unwrap().expect("a head").into_body();
    let first = body.frame().await.expect("a piece").expect("a piece");
    assert_eq!(first.into_data().unwrap(), "abc");
    drop(server);
    body.frame().await.expect("no end").expect_err("an error");
}

#[tokio::test]
async fn trailers_of_the_app_reach_a_client_that_can_read_them() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let (client, _connection) = H2::to(stage.address).await;
    let request = Request::get("http://h/")
        .header("te", "trailers")
        .body(crate::stage::h2::body(""))
        .unwrap();
    let answer = tokio::spawn(async move { client.begin(request).await });
    let mut server = app.accept().await;
    server.request().await;
    server
        .send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n\
             2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n",
        )
        .await;
    let (answer, trailers) = whole(answer.await.unwrap().expect("a head")).await;
    assert_eq!(answer.body, "ok");
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
}

#[tokio::test]
async fn an_old_client_gets_trailers_only_if_it_asked_for_them() {
    for (asked, next) in [("TE: trailers\r\n", "grpc-status: 0\r\n"), ("", "\r\n")] {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{asked}\r\n");
        let mut scene = Scene::after(&request, &[]).await;
        scene.server.request().await;
        scene
            .server
            .send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n\
                 2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n",
            )
            .await;
        scene.client.until("ok\r\n0\r\n").await;
        assert_eq!(scene.client.until("\r\n").await, next);
    }
}

#[tokio::test]
async fn an_app_that_neither_reads_nor_answers_is_given_up() {
    let settings = [
        "[[routes]]\npath = \"/\"\nauth = \"none\"\nmax_body = \"1gb\"\nresponse_timeout = \"500ms\"",
    ];
    let mut scene = Scene::large_upload(&settings).await;
    scene.client.flood(MUCH).await;
    let line = scene
        .stage
        .access_log
        .line(|line| line.contains(" POST / "))
        .await;
    assert!(line.contains(" 504 "), "{line}");
    // It hears no end of it, and no second time.
    scene.server.rest().await;
    assert!(!scene.app.is_wanted());
}

#[tokio::test]
async fn a_body_in_chunks_arrives_whatever_the_method() {
    for method in ["GET", "HEAD", "DELETE", "POST"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let mut scene = Scene::after(&request, &[]).await;
        let heard = scene.server.request().await;
        assert_eq!(heard.told("transfer-encoding"), ["chunked"], "{method}");
        assert_eq!(heard.body, "abc", "{method}");
        scene
            .server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        let (line, _) = scene.client.head().await;
        assert_eq!(line, "HTTP/1.1 200 OK");
    }
}
