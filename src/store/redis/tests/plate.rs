//! Whose keys they are: a store of others is not touched, whether that is known at once or later.

use std::time::Duration;

use tokio::{task::yield_now, time::timeout};

use super::{RedisServer, spec_at};
use crate::{
    clock::Clock,
    secret::SecretId,
    store::{
        Error, OpenError, Spec, Store,
        contract::{ANN, NAMES, SESSION},
    },
};

const OTHERS: SecretId = SecretId::new([9; 4]);

#[tokio::test]
async fn gateways_with_other_names_are_turned_away() {
    let server = RedisServer::start();
    let spec = spec_at(&url(&server), "shop:");
    Store::open(&spec, NAMES, Clock::System).await.unwrap();
    Store::open(&spec, NAMES, Clock::System).await.unwrap();
    let refused = Store::open(&spec, OTHERS, Clock::System).await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    // Under another prefix there is room for them.
    let spec = spec_at(&url(&server), "other-shop:");
    Store::open(&spec, OTHERS, Clock::System).await.unwrap();
}

#[tokio::test]
async fn records_of_another_form_are_not_touched() {
    let server = RedisServer::start();
    let spec = spec_at(&url(&server), "shop:");
    Store::open(&spec, NAMES, Clock::System).await.unwrap();
    server.cli(&["HSET", "shop:{00}meta", "form", "2"]);
    let refused = Store::open(&spec, NAMES, Clock::System).await.unwrap_err();
    assert!(matches!(refused, OpenError::Form { .. }), "{refused}");
    assert_eq!(server.cli(&["HGET", "shop:{00}meta", "form"]), "2");
}

#[tokio::test]
async fn a_server_that_comes_later_is_asked_whose_it_is_first() {
    let mut server = RedisServer::start();
    let url = url(&server);
    server.kill();
    // Whoever opens it waits so long for a server that is not there.
    let spec = Spec {
        deadline: Duration::from_secs(2),
        ..spec_at(&url, "shop:")
    };
    let ours = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    let theirs = Store::open(&spec, OTHERS, Clock::System).await.unwrap();
    assert!(ours.ready().await.is_err());
    server.restart();
    // Each looks for it at its own pace.
    while ours.ready().await.is_err() {
        yield_now().await;
    }
    ours.sessions(ANN, SESSION).await.unwrap();
    let turned_away = async {
        loop {
            let refused = theirs.sessions(ANN, SESSION).await.unwrap_err();
            let Error::Unavailable(why) = &refused else {
                panic!("{refused:?}");
            };
            if why.contains("another pseudonym secret") {
                break;
            }
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), turned_away).await.unwrap();
    assert!(theirs.ready().await.is_err());
}

fn url(server: &RedisServer) -> String {
    format!("redis://{}", server.address())
}
