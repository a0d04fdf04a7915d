//! Certificates of clients: who is let in, and who is not.

use std::time::Duration;

use rustls::version::{TLS12, TLS13};

use crate::stage::{
    HTTPS, PATIENCE, Stage,
    papers::{Paper, Papers, put},
    tls::TlsClient,
};
use tokio::time::{interval, timeout};

const OPEN: &str = "[[routes]]\npath = \"/\"\nauth = \"none\"";

/// Everything is issued by one authority but what strangers bring.
struct Scene {
    papers: Papers,
    strangers: Papers,
    stage: Stage,
    authorities: Paper,
}

impl Scene {
    async fn new(client_auth: &str) -> Self {
        let (papers, strangers) = (Papers::new(), Papers::new());
        let server = papers.server("server", "DNS:localhost");
        // Only its first file is looked at: the authorities, where they may be replaced.
        let authorities = papers.server("authorities", "DNS:nobody.test");
        put(
            &authorities.cert,
            &std::fs::read(papers.authority()).unwrap(),
        );
        let stage = Stage::with(&[
            HTTPS,
            &format!("server.tls.client_auth = \"{client_auth}\""),
            &format!("server.tls.client_ca = \"{}\"", authorities.cert.display()),
            OPEN,
            &server.setting(),
        ])
        .await;
        Self {
            papers,
            strangers,
            stage,
            authorities,
        }
    }

    async fn lets_in(&self, paper: Option<&Paper>) -> bool {
        let mut answers = Vec::new();
        for version in [&TLS12, &TLS13] {
            let client = TlsClient::with(&self.papers, &[version], paper);
            answers.push(client.is_let_in(self.stage.https(), "localhost").await);
        }
        assert_eq!(answers[0], answers[1], "one answer in all versions");
        answers[0]
    }
}

#[tokio::test]
async fn where_a_certificate_is_required_only_a_good_one_opens_the_door() {
    let scene = Scene::new("required").await;
    let good = scene.papers.client("good", 3650);
    assert!(scene.lets_in(Some(&good)).await);
    assert!(!scene.lets_in(None).await);
    let stranger = scene.strangers.client("stranger", 3650);
    assert!(!scene.lets_in(Some(&stranger)).await);
    // The gateway's time is far ahead of that of openssl.
    let expired = scene.papers.client("expired", 1);
    assert!(!scene.lets_in(Some(&expired)).await);
    let server = scene.papers.server("posing", "DNS:client.test");
    let for_servers = scene.papers.purpose("for_servers", "serverAuth");
    assert!(!scene.lets_in(Some(&for_servers)).await);
    // A certificate that says nothing of its purpose serves all of them (RFC 5280 §4.2.1.12).
    assert!(scene.lets_in(Some(&server)).await);
}

#[tokio::test]
async fn where_it_is_optional_a_bad_one_is_still_refused() {
    let scene = Scene::new("optional").await;
    assert!(scene.lets_in(None).await);
    assert!(
        scene
            .lets_in(Some(&scene.papers.client("good", 3650)))
            .await
    );
    let stranger = scene.strangers.client("stranger", 3650);
    assert!(!scene.lets_in(Some(&stranger)).await);
    assert!(
        !scene
            .lets_in(Some(&scene.papers.client("expired", 1)))
            .await
    );
}

#[tokio::test]
async fn whoever_is_no_longer_vouched_for_does_not_come_back_by_an_old_session() {
    let scene = Scene::new("required").await;
    let paper = scene.papers.client("good", 3650);
    for version in [&TLS12, &TLS13] {
        let client = TlsClient::with(&scene.papers, &[version], Some(&paper));
        for _ in 0..3 {
            assert!(client.is_let_in(scene.stage.https(), "localhost").await);
        }
    }
    let resumed = scene
        .stage
        .metric("tls_handshakes_total{result=\"resumed\"}");
    assert_eq!(resumed.await, 0);
}

#[tokio::test]
async fn authorities_are_taken_over_when_their_file_changes_and_kept_when_it_is_bad() {
    let scene = Scene::new("required").await;
    let stranger = scene.strangers.client("stranger", 3650);
    let client = TlsClient::with(&scene.papers, &[&TLS13], Some(&stranger));
    let becomes = async |welcome: bool| {
        let mut looks = interval(Duration::from_millis(50));
        let changed = async {
            while client.is_let_in(scene.stage.https(), "localhost").await != welcome {
                looks.tick().await;
            }
        };
        timeout(PATIENCE, changed).await.expect("it in time");
    };
    becomes(false).await;
    let others = std::fs::read(scene.strangers.authority()).unwrap();
    put(&scene.authorities.cert, &others);
    becomes(true).await;
    put(&scene.authorities.cert, b"nonsense");
    let file = scene.authorities.cert.display();
    let metric = format!("tls_file_refused{{file=\"{file}\"}}");
    let mut looks = interval(Duration::from_millis(50));
    let refused = async {
        while scene.stage.metric(&metric).await != 1 {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("it in time");
    becomes(true).await;
    put(
        &scene.authorities.cert,
        &std::fs::read(scene.papers.authority()).unwrap(),
    );
    becomes(false).await;
}
