//! One server, and a line to it that is cut, slowed down and silenced.

use redis::Value;
use tokio::time::{Instant, timeout};

use super::{DEADLINE, VERBS, count, count_in, link, until};
use crate::store::{
    Error,
    redis::{
        group::Group,
        stage::{Cut, Cutter, RedisServer, Weather},
    },
};

fn url(address: std::net::SocketAddr) -> String {
    format!("redis://{address}")
}

#[tokio::test]
async fn a_script_runs_though_the_server_has_forgotten_it() {
    let server = RedisServer::start();
    let link = link(&url(server.address())).await;
    assert_eq!(count_in(&link, 1).await, Ok(Value::Int(1)));
    server.cli(&["SCRIPT", "FLUSH"]);
    assert_eq!(count_in(&link, 1).await, Ok(Value::Int(2)));
    assert_eq!(server.cli(&["GET", "otp:{01}count"]), "2");
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_is_not_sent_again() {
    let server = RedisServer::start();
    for cut in [Cut::BeforeReply, Cut::InReply] {
        let cutter = Cutter::before(server.address());
        let link = link(&url(cutter.address())).await;
        let before: u32 = match count_in(&link, 2).await {
            Ok(Value::Int(number)) => number.try_into().expect("small"),
            other => panic!("{other:?}"),
        };
        cutter.cut_next("EVALSHA", cut);
        let answer = count_in(&link, 2).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        assert!(!cutter.is_waiting_to_cut());
        let after = count_in(&link, 2).await;
        assert_eq!(after, Ok(Value::Int((before + 2).into())), "{cut:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_the_answer_of_another_before_sending() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    let link = link(&url(cutter.address())).await;
    assert_eq!(count_in(&link, 3).await, Ok(Value::Int(1)));
    cutter.set(Weather::Slow(DEADLINE / 4));
    let begun = Instant::now();
    let verbs: Vec<_> = (0..100)
        .map(|_| {
            let link = link.clone();
            tokio::spawn(async move { count_in(&link, 3).await })
        })
        .collect();
    for verb in verbs {
        assert!(verb.await.expect("no panic").is_ok());
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    assert_eq!(server.cli(&["GET", "otp:{03}count"]), "101");
}

#[tokio::test]
async fn a_silent_line_is_given_up_at_the_deadline() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    let link = link(&url(cutter.address())).await;
    assert!(count_in(&link, 4).await.is_ok());
    cutter.set(Weather::Silent);
    let begun = Instant::now();
    assert_eq!(count_in(&link, 4).await, Err(Error::Timeout));
    assert!(begun.elapsed() < DEADLINE * 3 / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn waiting_for_a_connection_counts_too() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    cutter.set(Weather::Silent);
    let link = link(&url(cutter.address())).await;
    let begun = Instant::now();
    let answer = count_in(&link, 5).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert!(begun.elapsed() < DEADLINE * 3 / 2, "{:?}", begun.elapsed());
    cutter.set(Weather::Clear);
    let back = timeout(DEADLINE * 2, super::count_until_it_works(&link, 5));
    back.await.expect("a connection within two seconds");
    let (count, group) = (count(), Group::new(5));
    let nobody: [&str; 0] = [];
    let answer = link.call(&count, group, &["otp:{05}count"], &nobody).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn there_is_a_bound_on_what_is_under_way() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    let link = link(&url(cutter.address())).await;
    assert!(count_in(&link, 6).await.is_ok());
    cutter.set(Weather::Silent);
    let verbs: Vec<_> = (0..VERBS)
        .map(|_| {
            let link = link.clone();
            tokio::spawn(async move { count_in(&link, 6).await })
        })
        .collect();
    until(|| link.room.available_permits() == 0).await;
    assert_eq!(count_in(&link, 6).await, Err(Error::Overloaded));
    // Another worker has a bound of its own.
    let other = link.for_worker();
    cutter.set(Weather::Clear);
    assert!(count_in(&other, 6).await.is_ok());
    drop(verbs);
}

#[tokio::test]
async fn workers_share_no_connections_and_the_last_handle_closes_them() {
    let server = RedisServer::start();
    let clients = || {
        let list = server.cli(&["CLIENT", "LIST"]);
        list.lines()
            .filter(|line| line.contains(" addr=127.0.0.1:"))
            .count()
    };
    let one = link(&url(server.address())).await;
    let other = one.for_worker();
    until(|| clients() == 0).await;
    assert!(count_in(&one, 7).await.is_ok());
    assert!(count_in(&other, 7).await.is_ok());
    let both = clients();
    assert!((2..=6).contains(&both), "{both}");
    drop((one, other));
    until(|| clients() == 0).await;
}

#[tokio::test]
async fn a_refusal_is_told_and_nothing_is_tried_again() {
    let server = RedisServer::with(&["maxmemory-policy noeviction"]);
    let cutter = Cutter::before(server.address());
    let link = link(&url(cutter.address())).await;
    assert!(count_in(&link, 8).await.is_ok());
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let before = cutter.count("EVALSHA");
    match count_in(&link, 8).await {
        Err(Error::Unavailable(text)) => assert!(text.contains("OOM"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(cutter.count("EVALSHA"), before + 1);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(count_in(&link, 8).await.is_ok());
}

#[tokio::test]
async fn a_replica_takes_no_writes_and_is_left_alone_until_it_is_a_master() {
    let master = RedisServer::start();
    let server = RedisServer::start();
    let link = link(&url(server.address())).await;
    assert!(count_in(&link, 9).await.is_ok());
    let port = master.address().port().to_string();
    server.cli(&["REPLICAOF", "127.0.0.1", &port]);
    let answer = count_in(&link, 9).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    super::count_until_it_works(&link, 9).await;
}

/// Every request in flight holds one of them.
#[tokio::test]
async fn a_call_takes_little_memory() {
    let server = RedisServer::start();
    let link = link(&url(server.address())).await;
    let (script, keys, args) = (count(), ["otp:{00}count"], [""; 0]);
    let call = link.call(&script, Group::new(0), &keys, &args);
    let size = size_of_val(&call);
    assert!(size < 4096, "{size}");
    assert!(call.await.is_ok());
}
