//! One server, and a line to it that is cut, slowed down and silenced.

use redis::Value;
use tokio::time::{Instant, timeout};

use super::{DEADLINE, count, count_in, link};
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
