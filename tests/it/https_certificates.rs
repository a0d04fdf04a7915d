//! Which certificate a client is shown, which requests may come on its connection, and what happens when files change.

use std::time::Duration;

use crate::stage::{
    BEHIND_A_PROXY, HTTPS, PATIENCE, Stage,
    client::{Answer, Call},
    h2::{H2, get},
    papers::{Paper, Papers, put},
    tls::{TlsClient, shown},
};
use tokio::time::{interval, timeout};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

async fn stage(papers: &[&Paper], settings: &[&str]) -> Stage {
    let mut all = vec![HTTPS.to_owned()];
    all.extend(settings.iter().map(|line| (*line).to_owned()));
    all.extend(papers.iter().map(|paper| paper.setting()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Stage::with(&all).await
}

fn first_in(paper: &Paper) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let certificate = CertificateDer::from_pem_file(&paper.cert);
    certificate.expect("PEM").to_vec()
}

/// Asks for `host` on a connection to `name`.
async fn ask(client: &TlsClient, stage: &Stage, name: &str, host: &str) -> Answer {
    let call = Call::new(stage.https(), "GET", "/").header("host", host);
    client.send(name, call).await.expect("a connection")
}

/// Waits until clients are shown this certificate.
async fn is_shown(client: &TlsClient, stage: &Stage, name: &str, paper: &Paper) {
    let wanted = first_in(paper);
    let mut looks = interval(Duration::from_millis(50));
    let taken_over = async {
        loop {
            looks.tick().await;
            let stream = client.connect(stage.https(), name).await.expect("TLS");
            if shown(&stream) == wanted {
                return;
            }
        }
    };
    timeout(PATIENCE, taken_over).await.expect("it in time");
}

/// Waits until a metric has this value.
async fn reaches(stage: &Stage, metric: &str, value: &str) {
    let line = format!("otp_gateway_{metric} {value}");
    let mut looks = interval(Duration::from_millis(50));
    let reached = async {
        loop {
            looks.tick().await;
            let metrics = stage.operators("/metrics").await.text();
            if metrics.lines().any(|found| found == line) {
                return;
            }
        }
    };
    timeout(PATIENCE, reached).await.expect("it in time");
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_for_the_name_it_asks_for() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:a.test,DNS:localhost");
    let other = papers.server("other", "DNS:B.test");
    let wild = papers.server("wild", "DNS:*.c.test");
    let stage = stage(&[&first, &other, &wild], &[OPEN]).await;
    let client = TlsClient::of(&papers);
    for (name, paper) in [
        ("a.test", &first),
        ("b.test", &other),
        ("B.TEST", &other),
        ("x.c.test", &wild),
    ] {
        let stream = client.connect(stage.https(), name).await.expect(name);
        assert_eq!(shown(&stream), first_in(paper), "{name}");
    }
    // Who asks for nothing, or for something else, gets the first one, and can judge for itself.
    for name in ["c.test", "x.y.c.test", "else.test"] {
        let refused = client.connect(stage.https(), name).await;
        let refused = refused.expect_err(name).to_string();
        assert!(refused.contains("not valid for name"), "{refused}");
    }
    let silent = client.without_sni();
    let stream = silent.connect(stage.https(), "localhost").await.unwrap();
    assert_eq!(shown(&stream), first_in(&first));
}

#[tokio::test]
async fn a_request_for_a_host_of_another_certificate_is_misdirected() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:a.test,DNS:*.a.test,IP:127.0.0.1");
    let other = papers.server("other", "DNS:b.test");
    let stage = stage(&[&first, &other], &[OPEN]).await;
    let client = TlsClient::of(&papers);
    for host in ["a.test", "A.test:8443", "a.test.", "x.a.test", "127.0.0.1"] {
        assert_eq!(
            ask(&client, &stage, "a.test", host).await.status,
            200,
            "{host}"
        );
    }
    for host in [
        "b.test",
        "B.Test:443",
        "else.test",
        "x.x.a.test",
        "127.0.0.2",
    ] {
        let refused = ask(&client, &stage, "a.test", host).await;
        refused.is_refused(421, "misdirected_request");
    }
    let refused = ask(&client, &stage, "b.test", "a.test").await;
    refused.is_refused(421, "misdirected_request");
    assert_eq!(ask(&client, &stage, "b.test", "b.test").await.status, 200);
    // What was right once does not make right what comes after it.
    let mut one = client.http1(stage.https(), "a.test").await.unwrap();
    for (host, status) in [
        ("a.test", 200),
        ("b.test", 421),
        ("x.a.test", 200),
        ("b.test", 421),
    ] {
        let call = Call::new(stage.https(), "GET", "/").header("host", host);
        assert_eq!(one.send(call).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn http_2_clients_share_a_connection_among_the_hosts_of_its_certificate_alone() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:a.test,DNS:b.test");
    let other = papers.server("other", "DNS:c.test");
    let stage = stage(&[&first, &other], &[OPEN]).await;
    let client = TlsClient::of(&papers).speaking(&["h2"]);
    let stream = client.connect(stage.https(), "a.test").await.unwrap();
    let (client, _connection) = H2::over(stream).await;
    for host in ["a.test", "b.test"] {
        let url = format!("https://{host}/");
        assert_eq!(client.send(get(&url)).await.status, 200, "{host}");
    }
    let refused = client.send(get("https://c.test/")).await;
    refused.is_refused(421, "misdirected_request");
}

#[tokio::test]
async fn the_auth_endpoints_are_as_strict() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:a.test");
    let stage = stage(&[&first, &papers.server("other", "DNS:b.test")], &[]).await;
    let client = TlsClient::of(&papers);
    let call = Call::new(stage.https(), "GET", "/api/auth/login").header("host", "b.test");
    let refused = client.send("a.test", call).await.unwrap();
    refused.is_refused(421, "misdirected_request");
    let line = stage.access_log.line(|line| line.contains(" 421 ")).await;
    assert!(line.contains("code=misdirected_request"), "{line}");
}

#[tokio::test]
async fn who_asks_for_no_name_may_ask_for_every_host_that_has_no_certificate_of_its_own() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:a.test,DNS:localhost");
    let stage = stage(&[&first, &papers.server("other", "DNS:b.test")], &[OPEN]).await;
    let silent = TlsClient::of(&papers).without_sni();
    for host in ["a.test", "127.0.0.1:8443", "[::1]", "else.test"] {
        let answer = ask(&silent, &stage, "localhost", host).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    let refused = ask(&silent, &stage, "localhost", "b.test").await;
    refused.is_refused(421, "misdirected_request");
}

#[tokio::test]
async fn a_trusted_proxy_has_its_own_names_for_us() {
    let papers = Papers::new();
    let first = papers.server("first", "DNS:gateway.internal");
    let stage = stage(&[&first], &[BEHIND_A_PROXY, OPEN]).await;
    let client = TlsClient::of(&papers);
    let answer = ask(&client, &stage, "gateway.internal", "app.test").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn renewed_certificates_are_taken_over_while_connections_go_on() {
    let papers = Papers::new();
    let one = papers.server("one", "DNS:a.test");
    let two = papers.server("two", "DNS:b.test");
    let stage = stage(&[&one, &two], &[OPEN]).await;
    let client = TlsClient::of(&papers);
    let mut open = client.http1(stage.https(), "a.test").await.unwrap();
    let call = || Call::new(stage.https(), "GET", "/").header("host", "a.test");
    assert_eq!(open.send(call()).await.status, 200);
    let renewed = papers.server("renewed", "DNS:a.test");
    one.replace_with(&renewed);
    is_shown(&client, &stage, "a.test", &renewed).await;
    assert_eq!(open.send(call()).await.status, 200);
    let stream = client.connect(stage.https(), "b.test").await.unwrap();
    assert_eq!(shown(&stream), first_in(&two));
}

#[tokio::test]
async fn a_bad_file_keeps_its_old_certificate_and_no_other_and_says_so() {
    let papers = Papers::new();
    let one = papers.server("one", "DNS:a.test");
    let two = papers.server("two", "DNS:b.test");
    let stage = stage(&[&one, &two], &[OPEN]).await;
    let client = TlsClient::of(&papers);
    let old = papers.server("old", "DNS:a.test");
    one.replace_with(&old);
    is_shown(&client, &stage, "a.test", &old).await;
    let refused = format!("tls_file_refused{{file=\"{}\"}}", one.cert.display());
    reaches(&stage, &refused, "0").await;
    // A key that belongs to another certificate, as in the middle of a renewal.
    put(&one.key, &std::fs::read(&two.key).unwrap());
    reaches(&stage, &refused, "1").await;
    let renewed = papers.server("renewed", "DNS:b.test");
    two.replace_with(&renewed);
    is_shown(&client, &stage, "b.test", &renewed).await;
    let stream = client.connect(stage.https(), "a.test").await.unwrap();
    assert_eq!(shown(&stream), first_in(&old));
    let good = papers.server("good", "DNS:a.test");
    one.replace_with(&good);
    is_shown(&client, &stage, "a.test", &good).await;
    reaches(&stage, &refused, "0").await;
}

#[tokio::test]
async fn certificates_that_would_share_a_name_are_not_taken_over_until_they_do_not() {
    let papers = Papers::new();
    let one = papers.server("one", "DNS:a.test");
    let two = papers.server("two", "DNS:b.test");
    let stage = stage(&[&one, &two], &[OPEN]).await;
    let client = TlsClient::of(&papers);
    let both = papers.server("both", "DNS:a.test,DNS:b.test");
    one.replace_with(&both);
    let refused = format!("tls_file_refused{{file=\"{}\"}}", one.cert.display());
    reaches(&stage, &refused, "1").await;
    let stream = client.connect(stage.https(), "b.test").await.unwrap();
    assert_eq!(shown(&stream), first_in(&two));
    two.replace_with(&papers.server("third", "DNS:c.test"));
    is_shown(&client, &stage, "b.test", &both).await;
    reaches(&stage, &refused, "0").await;
}

#[tokio::test]
async fn operators_see_how_long_certificates_are_valid() {
    let papers = Papers::new();
    let paper = papers.server("one", "DNS:a.test");
    let stage = stage(&[&paper], &[OPEN]).await;
    let metric = format!(
        "tls_certificate_days_left{{file=\"{}\"}}",
        paper.cert.display()
    );
    let days = stage.metric(&metric).await;
    assert!(days > 1, "{days}");
    stage.pass(Duration::from_hours(24 * (days - 1)));
    assert_eq!(stage.metric(&metric).await, 1);
    stage.pass(Duration::from_hours(24 * 3));
    reaches(&stage, &metric, "-2").await;
}
