//! Which servers a link is opened to, and which are refused with a reason.

use std::fs;

use super::{DEADLINE, count_in, link, spec};
use crate::store::{
    Error, OpenError,
    redis::{
        Refusal, Roots, Spec,
        link::Link,
        stage::{RedisServer, port::Port, tls::TlsServer},
    },
};

async fn refusal(spec: &Spec) -> Refusal {
    match Link::open(spec, DEADLINE).await {
        Err(OpenError::Refused { refusal, store }) => {
            assert!(!store.contains("hush"), "{store}");
            refusal
        }
        other => panic!("{spec}: {other:?}"),
    }
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let server = RedisServer::with(&["requirepass hush"]);
    let at = server.address();
    let open = link(&format!("redis://:hush@{at}")).await;
    assert!(count_in(&open, 1).await.is_ok());
    for (url, why) in [
        (format!("redis://{at}"), Refusal::NoLogin),
        (format!("redis://:hushhush@{at}"), Refusal::Login),
        (format!("redis://app:hush@{at}"), Refusal::Login),
    ] {
        assert_eq!(refusal(&spec(&url)).await, why, "{url}");
    }
}

#[tokio::test]
async fn a_user_needs_its_keys_and_scripts_and_nothing_else() {
    let server = RedisServer::with(&[
        "user default off",
        "user app on >hush ~otp:* resetchannels &otp:* +eval +evalsha +script|load +exists +del +incr",
        "user blind on >hush ~shop:* +@all",
        "user mute on >hush ~otp:* +@all -evalsha",
        "user weak on >hush ~otp:* +@all -del",
    ]);
    let url = |user| format!("redis://{user}:hush@{}", server.address());
    assert!(count_in(&link(&url("app")).await, 1).await.is_ok());
    for user in ["blind", "mute", "weak"] {
        let refusal = refusal(&spec(&url(user))).await;
        assert!(matches!(refusal, Refusal::Permission(_)), "{refusal}");
    }
}

#[tokio::test]
async fn a_socket_and_a_database_are_used() {
    let server = RedisServer::start();
    let url = format!("redis+unix://{}?db=3", server.socket().display());
    assert!(count_in(&link(&url).await, 1).await.is_ok());
    assert!(server.info("db3").is_some() && server.info("db0").is_none());
    let beyond = spec(&format!("redis://{}/16", server.address()));
    assert_eq!(refusal(&beyond).await, Refusal::Database(16));
}

#[tokio::test]
async fn tls_takes_the_word_of_the_named_authority_only() {
    let server = TlsServer::with(&["requirepass hush"]);
    let other = TlsServer::with(&[]);
    let authority = |server: &TlsServer| {
        let pem = fs::read(server.authority()).expect("a file");
        Some(Roots::from_pem(&pem).expect("an authority"))
    };
    let port = server.server.address().port();
    for host in ["localhost", "127.0.0.1"] {
        let known = Spec {
            ca: authority(&server),
            ..spec(&format!("rediss://:hush@{host}:{port}"))
        };
        let link = Link::open(&known, DEADLINE).await.expect(host);
        assert!(count_in(&link, 1).await.is_ok());
        let strange = Spec {
            ca: authority(&other),
            ..known.clone()
        };
        for spec in [strange, Spec { ca: None, ..known }] {
            let refusal = refusal(&spec).await;
            let is_tls = matches!(refusal, Refusal::Tls(_) | Refusal::NobodyTrusted);
            assert!(is_tls, "{refusal}");
        }
    }
    let misnamed = TlsServer::with(&["bind 127.0.0.1 127.0.0.2"]);
    let port = misnamed.server.address().port();
    let misnamed = Spec {
        ca: authority(&misnamed),
        ..spec(&format!("rediss://127.0.0.2:{port}"))
    };
    let refusal = refusal(&misnamed).await;
    assert!(matches!(refusal, Refusal::Tls(_)), "{refusal}");
}

#[tokio::test]
async fn a_server_of_another_kind_is_refused_and_the_right_url_named() {
    let server = RedisServer::start();
    let at = server.address();
    let alone = refusal(&spec(&format!("redis+cluster://{at}"))).await;
    assert_eq!(alone, Refusal::NotCluster);
    let watched = refusal(&spec(&format!("redis+sentinel://{at}/m"))).await;
    assert_eq!(watched, Refusal::NotSentinel);
    let member = RedisServer::with(&["cluster-enabled yes"]);
    let member = refusal(&spec(&format!("redis://{}", member.address()))).await;
    assert_eq!(member, Refusal::IsCluster);
    assert!(member.to_string().contains("redis+cluster://"));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_no_error() {
    let port = Port::free();
    let link = link(&format!("redis://{}", port.address())).await;
    let answer = count_in(&link, 1).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    let mut server = RedisServer::at(port, &[]);
    server.launch();
    server.is_up();
    super::count_until_it_works(&link, 1).await;
}
