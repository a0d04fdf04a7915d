//! Connections to the apps: what one caller leaves on them is never the next one's answer. The rest is in `crate::pool`.

use super::{DOORS, gate};
use crate::stage::wire::{Puppet, Wire};

const GET: &str = "GET /public HTTP/1.1\r\nHost: h\r\n\r\n";

// Cache and pool, and D3 on the way back: answers that two readers would end in two places.
#[tokio::test]
async fn an_answer_that_could_end_in_two_places_is_none() {
    const OTHER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for head in [
        "Content-Length: 2\r\nContent-Length: 60",
        "Content-Length: 2, 60",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: -2",
        "Transfer-Encoding: chunked\r\nContent-Length : 2",
        "Transfer-Encoding: chunked, identity\r\nContent-Length: 2",
        "Content-Length: 2\r\n 60",
        "Content-Length: 2\r\n: 60",
        "X-A\u{0}: b\r\nContent-Length: 2",
    ] {
        let app = Puppet::new().await;
        let stage = gate(&[&app.setting(), DOORS[1]]).await;
        let mut client = Wire::to(stage.address).await;
        client.send(GET).await;
        let mut server = app.accept().await;
        server.request().await;
        // It may be hung up on in the middle of it.
        drop(
            server
                .try_send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nok{OTHER}"))
                .await,
        );
        let answer = client.answer().await;
        if answer.status == 200 {
            assert_ne!(answer.text(), "forged", "{head}");
        } else {
            assert_eq!(answer.status, 502, "{head}: {answer:?}");
        }
        let mut next = Wire::to(stage.address).await;
        next.send(GET).await;
        let mut fresh = app.accept().await;
        fresh.request().await;
        fresh
            .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
            .await;
        assert_eq!(next.answer().await.text(), "mine", "{head}");
    }
}

// Pingora CVE-2026-2836: nothing is kept to be given to somebody else.
#[tokio::test]
async fn no_answer_is_given_twice() {
    let app = Puppet::new().await;
    let stage = gate(&[&app.setting(), DOORS[1]]).await;
    let mut server = None;
    for body in ["one", "two"] {
        let mut client = Wire::to(stage.address).await;
        client.send(GET).await;
        let server = match &mut server {
            Some(server) => server,
            none => none.insert(app.accept().await),
        };
        server.request().await;
        let head = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\nETag: \"x\"\r\nAge: 1";
        server
            .send(format!("{head}\r\nContent-Length: 3\r\n\r\n{body}"))
            .await;
        assert_eq!(client.answer().await.text(), body);
    }
}

// Answers are cut where lines end: nothing that an app repeats of a request becomes a header of the answer.
#[tokio::test]
async fn what_an_app_repeats_of_a_request_begins_no_line() {
    let stage = gate(&DOORS).await;
    for value in [
        "x%0d%0aSet-Cookie:a=b",
        "x%0aSet-Cookie:a=b",
        "x%E5%98%8D%E5%98%8ASet-Cookie:a=b",
    ] {
        let answer = stage.get(&format!("/public?to={value}")).send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.set_cookies().is_empty(), "{value}");
        let arrived = stage.arrived().await;
        assert_eq!(arrived[0]["target"], format!("/public?to={value}"));
    }
}

// Traefik CVE-2026-88007: an app that knows a caller by the connection takes the next one for the same.
#[tokio::test]
async fn a_connection_that_an_app_knows_somebody_by_is_nobody_elses() {
    let app = Puppet::new().await;
    let stage = gate(&[&app.setting(), DOORS[1]]).await;
    let exchange = async |said: &str, head: &str| {
        let mut client = Wire::to(stage.address).await;
        let asked = format!("GET /public HTTP/1.1\r\nHost: h\r\n{said}\r\n");
        client.send(asked).await;
        let mut server = app.accept().await;
        server.request().await;
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\n\r\nok");
        server.send(answer).await;
        assert_eq!(client.answer().await.text(), "ok");
        server
    };
    for (said, head) in [
        ("", "401 Unauthorized\r\nWWW-Authenticate: NTLM"),
        (
            "",
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\", negotiate",
        ),
        (
            "Authorization: NTLM TlRMTVNTUAAB\r\n",
            "401 Unauthorized\r\nWWW-Authenticate: NTLM TlRMTVNTUAAC",
        ),
        ("Authorization: Negotiate YII=\r\n", "200 OK"),
        ("", "200 OK\r\nWWW-Authenticate: Negotiate oYG="),
    ] {
        let mut server = exchange(said, head).await;
        assert_eq!(server.rest().await, "", "{said} {head}");
    }
    // A login that comes with every request leaves nothing behind.
    let basic = "Authorization: Basic YTpi\r\n";
    let mut server = exchange(basic, "401 Unauthorized\r\nWWW-Authenticate: Basic").await;
    let mut client = Wire::to(stage.address).await;
    client.send(GET).await;
    assert_eq!(server.request().await.line, "GET /public HTTP/1.1");
}
