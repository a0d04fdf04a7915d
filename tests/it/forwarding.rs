//! Headers on their way: who the client was, which request this is, and what belongs to one connection only.

use crate::stage::{
    Stage,
    upstream::told,
    wire::{Puppet, Wire},
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const TRUSTING: &str = "server.trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";

#[tokio::test]
async fn nobody_who_is_not_trusted_speaks_for_somebody_else() {
    let stage = Stage::with(&[OPEN]).await;
    let mut call = stage.get("/").header("host", "app.test:81");
    for (name, value) in [
        ("X-Forwarded-For", "192.0.2.1"),
        ("x_forwarded_for", "192.0.2.2"),
        ("X-Forwarded.For", "192.0.2.3"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("X_Forwarded_Host", "evil.test"),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Real-IP", "192.0.2.4"),
        ("X_Real_IP", "192.0.2.4"),
        ("Forwarded", "for=192.0.2.5;host=evil.test"),
        ("X-Request-Id", "forged"),
        ("X_Request_Id", "forged"),
    ] {
        call = call.header(name, value);
    }
    let answer = call.send().await;
    let seen = answer.json();
    assert_eq!(told(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(told(&seen, "x-forwarded-proto"), ["http"]);
    assert_eq!(told(&seen, "x-forwarded-host"), ["app.test:81"]);
    for forged in ["192.0.2", "evil", "https", "forged", "x-forwarded-port"] {
        assert!(!seen.to_string().contains(forged), "{forged}: {seen}");
    }
}

#[tokio::test]
async fn a_trusted_chain_is_read_from_the_right_and_goes_on_with_the_peer() {
    let stage = Stage::with(&[OPEN, TRUSTING]).await;
    for (chain, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("1.2.3.4, nonsense, 10.1.1.1", "10.1.1.1"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("[2001:db8::1]:99", "2001:db8::1"),
    ] {
        let answer = stage.get("/").header("x-forwarded-for", chain).send().await;
        let chain = format!("{chain}, 127.0.0.1");
        assert_eq!(told(&answer.json(), "x-forwarded-for"), [chain]);
        let id = answer.header("x-request-id").to_owned();
        let line = stage.access_log.line(|line| line.contains(&id)).await;
        assert!(line.contains(&format!(" client={client} ")), "{line}");
    }
}

#[tokio::test]
async fn what_a_trusted_proxy_says_goes_on_to_the_app() {
    let stage = Stage::with(&[OPEN, TRUSTING]).await;
    let answer = stage
        .get("/")
        .header("host", "inner.test")
        .header("x-forwarded-for", "1.2.3.4")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "outer.test")
        .header("x-request-id", "trace-1")
        .send()
        .await;
    let seen = answer.json();
    let chain = told(&seen, "x-forwarded-for");
    assert_eq!(chain, ["1.2.3.4, 203.0.113.9, 127.0.0.1"]);
    assert_eq!(told(&seen, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&seen, "x-forwarded-host"), ["outer.test"]);
    assert_eq!(told(&seen, "x-request-id"), ["trace-1"]);
    assert_eq!(answer.header("x-request-id"), "trace-1");
}

#[tokio::test]
async fn where_proxies_speak_the_standard_nothing_else_is_believed() {
    let stage = Stage::with(&[OPEN, TRUSTING, "server.forwarded = \"forwarded\""]).await;
    let answer = stage
        .get("/")
        .header("host", "inner.test")
        .header(
            "forwarded",
            "for=192.0.2.66;host=evil.test, for=\"[2001:db8::9]:1\";proto=https;host=a.test",
        )
        .header("forwarded", "for=10.1.1.1;proto=http")
        .header("x-forwarded-for", "192.0.2.66")
        .header("x-forwarded-host", "evil.test")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-prefix", "/evil")
        .header("x-real-ip", "192.0.2.66")
        .send()
        .await;
    let seen = answer.json();
    let chain = told(&seen, "x-forwarded-for");
    assert_eq!(chain, ["2001:db8::9, 10.1.1.1, 127.0.0.1"]);
    assert_eq!(told(&seen, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&seen, "x-forwarded-host"), ["a.test"]);
    for forged in ["192.0.2", "evil", "\"forwarded\""] {
        assert!(!seen.to_string().contains(forged), "{forged}: {seen}");
    }
    let id = answer.header("x-request-id").to_owned();
    let line = stage.access_log.line(|line| line.contains(&id)).await;
    assert!(line.contains(" client=2001:db8::9 "), "{line}");
}

#[tokio::test]
async fn mapped_addresses_are_the_ones_they_stand_for_wherever_they_are_written() {
    let trusting = "server.trusted_proxies = [\"::ffff:127.0.0.0/104\", \"::ffff:10.0.0.0/104\"]";
    for (dialect, header, chain) in [
        (
            "x-forwarded-for",
            "x-forwarded-for",
            "::ffff:203.0.113.9, ::ffff:10.0.0.7",
        ),
        (
            "forwarded",
            "forwarded",
            "for=\"[::ffff:203.0.113.9]\", for=\"[::ffff:10.0.0.7]\"",
        ),
    ] {
        let dialect = format!("server.forwarded = \"{dialect}\"");
        let stage = Stage::with(&[OPEN, trusting, &dialect]).await;
        let answer = stage.get("/").header(header, chain).send().await;
        let id = answer.header("x-request-id").to_owned();
        let line = stage.access_log.line(|line| line.contains(&id)).await;
        assert!(line.contains(" client=203.0.113.9 "), "{line}");
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own_at_the_app_and_at_the_client() {
    let stage = Stage::with(&[OPEN]).await;
    let mut wire = Wire::to(stage.address).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        wire.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let answer = wire.answer().await;
        let id = answer.header("x-request-id").to_owned();
        assert_eq!(told(&answer.json(), "x-request-id"), [&*id]);
        assert!(!ids.contains(&id));
        ids.push(id);
    }
    let refused = stage.get("//").send().await;
    assert_eq!(refused.header("x-request-id").len(), ids[0].len());
}

#[tokio::test]
async fn headers_of_one_connection_end_with_it_in_both_directions() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: X-First, keep-alive\r\n\
             Connection: x-second\r\nX-First: 1\r\nX-Second: 2\r\nX-Kept: 3\r\n\
             Keep-Alive: timeout=9\r\nProxy-Connection: close\r\nTE: trailers\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: Basic eA==\r\n\r\n",
        )
        .await;
    let mut server = app.accept().await;
    let heard = server.request().await;
    assert_eq!(heard.told("x-kept"), ["3"]);
    for name in [
        "connection",
        "x-first",
        "x-second",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
        "proxy-authorization",
    ] {
        assert_eq!(heard.told(name), [] as [&str; 0], "{name}");
    }
    server
        .send(
            "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nX-Kept: 2\r\n\
             Keep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n\
             Content-Length: 2\r\n\r\nok",
        )
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.header("x-kept"), "2");
    for name in ["x-mine", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn several_lines_of_one_header_stay_several_and_in_order() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send("GET / HTTP/1.1\r\nHost: h\r\nX-Many: 1\r\nX-Many: 2, 3\r\nX-Many:\r\n\r\n")
        .await;
    let mut server = app.accept().await;
    assert_eq!(server.request().await.told("x-many"), ["1", "2, 3", ""]);
    server
        .send(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
             Content-Length: 0\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.cookies(), ["a=1", "b=2"]);
}

#[tokio::test]
async fn a_request_without_a_host_is_sent_on_with_an_empty_one() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("GET /old HTTP/1.0\r\n\r\n").await;
    let heard = app.accept().await.request().await;
    assert_eq!(heard.line, "GET /old HTTP/1.1");
    assert_eq!(heard.told("host"), [""]);
}

#[tokio::test]
async fn a_body_that_will_be_refused_is_never_asked_for() {
    let stage = Stage::with(&["[[routes]]\npath = \"/\"\nmax_body = \"1kb\""]).await;
    let tokens = stage.log_in(crate::stage::PHONE).await;
    for (authorization, length, status) in [
        (String::new(), 10, 401),
        (
            format!("Authorization: Bearer {}\r\n", tokens.access),
            1025,
            413,
        ),
    ] {
        let mut wire = Wire::to(stage.address).await;
        wire.send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\n{authorization}Expect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_body_that_is_wanted_is_asked_for_once_and_by_the_gateway() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let asked = client.until("\r\n\r\n").await;
    assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc").await;
    let mut server = app.accept().await;
    let heard = server.request().await;
    assert_eq!(heard.told("expect"), [] as [&str; 0]);
    assert_eq!(heard.body, "abc");
    server
        .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 201);
}

#[tokio::test]
async fn interim_answers_of_the_app_do_not_become_the_answer() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));
}

#[tokio::test]
async fn an_app_cannot_switch_protocols_on_a_client_that_did_not_ask() {
    let app = Puppet::new().await;
    let stage = Stage::with(&[OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    server.request().await;
    server
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        .await;
    let answer = client.answer().await;
    answer.is_refused(502, "upstream_unreachable");
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_leave_the_connection_in_step() {
    let app = Puppet::new().await;
    let stage = Stage::with(&["server.workers = 1", OPEN, &app.setting()]).await;
    let mut client = Wire::to(stage.address).await;
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut server = app.accept().await;
    assert_eq!(server.request().await.line, "HEAD / HTTP/1.1");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n")
        .await;
    let (status, headers) = client.head().await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(headers["content-length"], "1000");
    for sent in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
    ] {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        server.request().await;
        server.send(sent).await;
        let (status, headers) = client.head().await;
        assert!(sent.starts_with(&status), "{status}");
        assert!(!headers.contains_key("transfer-encoding"));
    }
    // The next one begins right where the last one ended.
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    server.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.answer().await.body, "ok");
}
