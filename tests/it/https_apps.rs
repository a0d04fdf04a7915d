//! Apps behind TLS: the gateway goes to nobody who does not prove to be the app, and says what is wrong.

use crate::stage::{
    Stage,
    client::{Answer, Call},
    papers::{Paper, Papers},
    program::Program,
    tls::serving,
    upstream::Upstream,
    wire::Puppet,
};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";
const BOTH: [&str; 2] = ["h2", "http/1.1"];

/// A gateway that takes the word of `papers` for an app, whose name is `localhost`.
async fn stage(app: Upstream, papers: &Papers, settings: &[&str]) -> Stage {
    let servers = format!(
        "upstreams.app.servers = \"https://localhost:{}\"",
        app.address.port()
    );
    let ca = format!(
        "upstreams.app.tls.ca = \"{}\"",
        papers.authority().display()
    );
    let mut all = vec![OPEN, &*servers, &*ca];
    all.extend(settings);
    Stage::over(app, &all).await
}

/// What an app that shows this certificate is asked, or why it is not.
async fn asked(papers: &Papers, paper: &Paper, settings: &[&str]) -> Answer {
    let app = Upstream::secured(serving(paper, &BOTH, None)).await;
    let stage = stage(app, papers, settings).await;
    let answer = stage.get("/").send().await;
    let reached = usize::from(answer.status == 200);
    assert_eq!(stage.upstream.seen().len(), reached);
    answer
}

#[tokio::test]
async fn an_app_is_reached_by_tls_in_the_words_it_is_told_to_speak() {
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    for (setting, version) in [
        ("upstreams.app.protocol = \"http/1.1\"", "HTTP/1.1"),
        ("upstreams.app.protocol = \"h2\"", "HTTP/2.0"),
        ("upstreams.app.protocol = \"auto\"", "HTTP/2.0"),
    ] {
        let answer = asked(&papers, &paper, &[setting]).await;
        assert_eq!(answer.json()["version"], version, "{setting}");
    }
}

#[tokio::test]
async fn an_app_that_is_asked_what_it_speaks_may_say_http_1_or_nothing() {
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    for protocols in [&["http/1.1"][..], &[]] {
        let app = Upstream::secured(serving(&paper, protocols, None)).await;
        let auto = "upstreams.app.protocol = \"auto\"";
        let stage = stage(app, &papers, &["server.workers = 1", auto]).await;
        for _ in 0..3 {
            let answer = stage.get("/").send().await;
            assert_eq!(answer.json()["version"], "HTTP/1.1");
        }
        assert_eq!(stage.upstream.connections(), 1);
    }
}

#[tokio::test]
async fn an_app_that_does_not_agree_on_http_2_is_not_spoken_to_in_it() {
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    for protocols in [&["http/1.1"][..], &[]] {
        let app = Upstream::secured(serving(&paper, protocols, None)).await;
        let stage = stage(app, &papers, &["upstreams.app.protocol = \"h2\""]).await;
        let answer = stage.get("/").send().await;
        answer.is_refused(502, "upstream_unreachable");
        assert!(stage.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn nobody_is_taken_for_the_app_who_cannot_prove_it() {
    let papers = Papers::new();
    let strangers = Papers::new();
    for (paper, what) in [
        (strangers.server("app", "DNS:localhost"), "a stranger"),
        (papers.server("other", "DNS:other.test"), "somebody else"),
        (papers.server_for("old", "DNS:localhost", 2), "an old one"),
        (papers.purpose("client", "clientAuth"), "a client"),
    ] {
        let answer = asked(&papers, &paper, &[]).await;
        answer.is_refused(502, "upstream_unreachable");
        let status = answer.header("proxy-status");
        assert_eq!(status, "otp-gateway; error=tls_certificate_error", "{what}");
    }
}

#[tokio::test]
async fn without_an_authority_of_its_own_an_app_needs_one_that_the_system_trusts() {
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    let answer = asked(&papers, &paper, &["upstreams.app.tls.ca = \"\""]).await;
    answer.is_refused(502, "upstream_unreachable");
}

#[tokio::test]
async fn whom_the_system_trusts_the_gateway_does_and_its_log_says_why_it_trusts_somebody_else_not()
{
    let papers = Papers::new();
    let paper = papers.server("app", "DNS:localhost");
    let app = Upstream::secured(serving(&paper, &BOTH, None)).await;
    let port = app.address.port();
    let dir = tempfile::tempdir().expect("a directory");
    let toml = format!(
        "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\nstore.url = \"memory:\"\n{OPEN}\n\
         [upstreams.app]\nservers = \"https://localhost:{port}\"\n"
    );
    std::fs::write(dir.path().join("gateway.toml"), toml).expect("written");
    let authority = papers.authority();
    let trusted = [("SSL_CERT_FILE", authority.as_path())];
    let trusting = Program::run_where(dir.path(), &[], &trusted);
    let answer = Call::new(trusting.address().await, "GET", "/").send().await;
    assert_eq!(answer.status, 200);
    trusting.kill().await;

    let wary = Program::run(dir.path(), &[]);
    let address = wary.address().await;
    for _ in 0..2 {
        let answer = Call::new(address, "GET", "/").send().await;
        answer.is_refused(502, "upstream_unreachable");
    }
    let line = wary
        .out
        .line(|line| line.contains("no connection to an app"));
    let line = line.await;
    let server = format!("server=\"https://localhost:{port}\"");
    for said in ["WARN", "upstream=\"app\"", &*server, "UnknownIssuer"] {
        assert!(line.contains(said), "{line}");
    }
}

#[tokio::test]
async fn an_app_may_prove_to_be_another_host_than_the_one_it_is_reached_at() {
    let papers = Papers::new();
    let paper = papers.server("other", "DNS:other.test");
    let name = "upstreams.app.tls.server_name = \"other.test\"";
    assert_eq!(asked(&papers, &paper, &[name]).await.status, 200);
}

#[tokio::test]
async fn an_app_that_wants_to_know_who_is_calling_is_shown_a_certificate() {
    let (papers, clients) = (Papers::new(), Papers::new());
    let paper = papers.server("app", "DNS:localhost");
    let ours = clients.client("gateway", 3650);
    let (cert, key) = (ours.cert.display(), ours.key.display());
    let shown = [
        &*format!("upstreams.app.tls.cert = \"{cert}\""),
        &*format!("upstreams.app.tls.key = \"{key}\""),
    ];
    for protocol in ["http/1.1", "h2"] {
        let protocol = format!("upstreams.app.protocol = \"{protocol}\"");
        let asking = || Upstream::secured(serving(&paper, &BOTH, Some(&clients)));
        let stage_of = |app, more: Vec<&str>| {
            let mut settings = vec![&*protocol];
            settings.extend(more);
            let settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
            let papers = &papers;
            async move {
                let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                stage(app, papers, &settings).await
            }
        };
        let known = stage_of(asking().await, shown.to_vec()).await;
        assert_eq!(known.get("/").send().await.status, 200);
        let unknown = stage_of(asking().await, Vec::new()).await;
        let answer = unknown.get("/").send().await;
        answer.is_refused(502, "upstream_unreachable");
        assert!(unknown.upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn an_app_that_does_not_shake_hands_in_time_is_late() {
    let app = Puppet::new().await;
    let settings = [
        OPEN,
        &format!("upstreams.app.servers = \"https://{}\"", app.address),
        "upstreams.app.connect_timeout = \"200ms\"",
    ];
    let stage = Stage::with(&settings).await;
    let asked = tokio::spawn(stage.get("/").send());
    let _silent = app.accept().await;
    let answer = asked.await.expect("an answer");
    answer.is_refused(504, "upstream_timeout");
}

#[tokio::test]
async fn an_app_in_the_clear_is_no_app_behind_tls() {
    let app = Upstream::start().await;
    let servers = format!("upstreams.app.servers = \"https://{}\"", app.address);
    let stage = Stage::over(app, &[OPEN, &servers]).await;
    let answer = stage.get("/").send().await;
    answer.is_refused(502, "upstream_unreachable");
    let status = answer.header("proxy-status");
    assert_eq!(status, "otp-gateway; error=tls_protocol_error");
}
