//! Every way to name a Redis: over TLS, by a socket, with passwords, and as a user who may do no more than a gateway needs.

use super::{DEADLINE, open, passes, until};
use crate::stage::{
    PHONE, Tokens,
    redis::{RedisCluster, RedisServer, Sentinels, tls::TlsServer},
};

/// What servers and those who copy from them have to say.
const PASSWORD: [&str; 2] = ["requirepass hush", "masterauth hush"];

/// The rights of a gateway, as the README has them.
const RIGHTS: &str = "+ping +select +time +evalsha +script|load +exists +get +set +del +hget +hmget +hset +hdel +rpush \
     +lindex +llen +lrem +lset +ltrim +pexpire +pttl +zadd +zcount +zrangebyscore +zrem +zremrangebyscore +zrevrange \
     +publish +subscribe +asking +cluster|slots";

#[tokio::test]
async fn a_password_opens() {
    let redis = RedisServer::with(&PASSWORD);
    serves(&format!("redis://:hush@{}", redis.address()), &[]).await;
}

#[tokio::test]
async fn a_user_with_the_least_rights_will_do() {
    let redis = RedisServer::with(&["user default off", &user()]);
    serves(&format!("redis://gateway:hush@{}", redis.address()), &[]).await;
    assert_eq!(redis.cli(&["ACL", "LOG"]), "");
    let readme = include_str!("../../../README.md");
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(RIGHTS));
}

#[tokio::test]
async fn a_socket_and_a_database_will_do() {
    let redis = RedisServer::start();
    let socket = redis.socket();
    serves(&format!("redis+unix://{}?db=3", socket.display()), &[]).await;
    assert!(redis.info("db3").is_some());
    assert!(redis.info("db0").is_none());
}

#[tokio::test]
async fn tls_will_do() {
    let redis = TlsServer::with(&PASSWORD);
    let port = redis.server.address().port();
    let ca = format!("store.ca = \"{}\"", redis.authority().display());
    serves(&format!("rediss://:hush@localhost:{port}"), &[&ca]).await;
}

#[tokio::test]
async fn sentinels_that_watch_servers_with_a_password_will_do() {
    let watched = Sentinels::with(&PASSWORD);
    let (sentinels, name) = (watched.addresses(), Sentinels::NAME);
    serves(&format!("redis+sentinel://:hush@{sentinels}/{name}"), &[]).await;
}

#[tokio::test]
async fn a_cluster_with_such_a_user_will_do() {
    let cluster = RedisCluster::with(&[&user()]);
    let nodes = cluster.addresses();
    serves(&format!("redis+cluster://gateway:hush@{nodes}"), &[]).await;
    for master in &cluster.nodes[..3] {
        assert_eq!(master.cli(&["ACL", "LOG"]), "");
    }
}

/// A line for a server's configuration.
fn user() -> String {
    format!("user gateway on >hush ~otp:* resetchannels &otp:* {RIGHTS}")
}

/// Asserts that two gateways do everything with it that they do.
async fn serves(store: &str, more: &[&str]) {
    let a = open(store, DEADLINE, more).await;
    let keys = a.dir.path().join("keys");
    let keys = format!("tokens.keys = \"{}\"", keys.display());
    let b = open(store, DEADLINE, &[&[&*keys], more].concat()).await;
    let tokens = a.log_in(PHONE).await;
    let tokens = Tokens::of(&b.refresh(&tokens.refresh).await.json());
    passes(&a, &tokens).await;
    passes(&b, &tokens).await;
    for gateway in [&a, &b] {
        let ready = || async {
            let ready = gateway.operators("/ready").await;
            ready.status == 200 && ready.json()["revocations"] == "fresh"
        };
        until(ready).await;
    }
    let logout = a.post("/api/auth/logout").bearer(&tokens.access);
    assert_eq!(logout.send().await.status, 204);
    let orders = || b.get("/orders").bearer(&tokens.access).send();
    until(|| async { orders().await.status == 401 }).await;
    orders().await.is_refused(401, "session_revoked");
}
