//! Providers behind TLS: whose word is taken for who they are, and that nobody else gets to see a code.

use serde_json::json;
use tokio::net::TcpListener;

use super::{KEY, counted, stage};
use crate::stage::{PHONE, papers::Papers, tls::serving, upstream::Upstream};

/// Settings of a gateway that sends by the program at this port, and else by the console.
fn program_at(host: &str, port: u16) -> Vec<String> {
    [
        "sms.providers = [\"webhook\", \"console\"]",
        &format!("sms.webhook.secret = \"{KEY}\""),
        &format!("sms.webhook.url = \"https://{host}:{port}/send\""),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn trusting(papers: &Papers) -> String {
    format!("sms.ca = {}", json!(papers.authority()))
}

#[tokio::test]
async fn a_provider_that_our_authorities_vouch_for_gets_the_code() {
    let papers = Papers::new();
    let paper = papers.server("sms", "DNS:localhost");
    let program = Upstream::secured(serving(&paper, &["http/1.1"], None)).await;
    let mut settings = program_at("localhost", program.address.port());
    settings.push(trusting(&papers));
    let stage = stage(&settings).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    counted(&stage, "webhook", "accepted").await;
    assert_eq!(program.seen().len(), 1);
    assert_eq!(stage.inbox.lines(), [""; 0]);
}

#[tokio::test]
async fn a_provider_whom_nobody_vouches_for_or_under_another_name_sees_nothing() {
    let (papers, others) = (Papers::new(), Papers::new());
    for (host, paper) in [
        ("localhost", others.server("sms", "DNS:localhost")),
        ("127.0.0.1", papers.server("sms", "DNS:localhost")),
    ] {
        let program = Upstream::secured(serving(&paper, &["http/1.1"], None)).await;
        let mut settings = program_at(host, program.address.port());
        settings.push(trusting(&papers));
        let stage = stage(&settings).await;
        assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
        stage.inbox.code_for(PHONE).await;
        counted(&stage, "webhook", "down").await;
        assert_eq!(program.seen().len(), 0, "{host}");
    }
}

#[tokio::test]
async fn a_provider_that_never_finishes_its_handshake_has_not_sent() {
    let papers = Papers::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut settings = program_at("localhost", listener.local_addr().expect("one").port());
    settings.push(trusting(&papers));
    settings.push("sms.timeout = \"200ms\"".to_owned());
    let stage = stage(&settings).await;
    assert_eq!(stage.ask_for_code(PHONE).await.status, 200);
    stage.inbox.code_for(PHONE).await;
    counted(&stage, "webhook", "down").await;
}
