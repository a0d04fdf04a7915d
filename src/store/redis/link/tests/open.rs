//! Which servers a link is opened to, and which are refused with a reason.

use super::{DEADLINE, count_in, link, spec};
use crate::store::{
    OpenError,
    redis::{Refusal, link::Link, stage::RedisServer},
};

async fn refusal(url: &str) -> Refusal {
    match Link::open(&spec(url), DEADLINE).await {
        Err(OpenError::Refused { refusal, store }) => {
            assert!(!store.contains("hush"), "{store}");
            refusal
        }
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let server = RedisServer::with(&["requirepass hush"]);
    let at = server.address();
    assert!(
        count_in(&link(&format!("redis://:hush@{at}")).await, 1)
            .await
            .is_ok()
    );
    assert_eq!(refusal(&format!("redis://{at}")).await, Refusal::NoLogin);
    assert_eq!(
        refusal(&format!("redis://:hushhush@{at}")).await,
        Refusal::Login
    );
    assert_eq!(
        refusal(&format!("redis://app:hush@{at}")).await,
        Refusal::Login
    );
}

#[tokio::test]
async fn a_socket_and_a_database_are_used() {
    let server = RedisServer::start();
    let url = format!("redis+unix://{}?db=3", server.socket().display());
    assert!(count_in(&link(&url).await, 1).await.is_ok());
    assert!(server.info("db3").is_some());
    let at = server.address();
    assert_eq!(
        refusal(&format!("redis://{at}/16")).await,
        Refusal::Database(16)
    );
}
