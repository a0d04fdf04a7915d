//! A server that goes away and comes back: how long one waits, and how often it is asked meanwhile.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::time::{Instant, timeout};

use super::{DEADLINE, count_in, count_until_it_works, link};
use crate::store::{
    Error,
    redis::{
        Link,
        stage::{Cutter, RedisServer, Weather},
    },
};

/// Asks until the answer is an error at once: how long that took.
async fn until_it_fails_fast(link: &Link) -> std::time::Duration {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = count_in(link, 1).await;
        assert!(begun.elapsed() < DEADLINE * 10, "{answer:?}");
        if answer.is_err() && asked.elapsed() < DEADLINE / 20 {
            return begun.elapsed();
        }
    }
}

#[tokio::test]
async fn while_a_server_is_down_nobody_waits_and_when_it_is_back_it_is_found() {
    let mut server = RedisServer::start();
    let link = link(&format!("redis://{}", server.address())).await;
    assert!(count_in(&link, 1).await.is_ok());
    server.kill();
    let took = until_it_fails_fast(&link).await;
    assert!(took < DEADLINE * 2, "{took:?}");
    server.restart();
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 1));
    back.await.expect("within two seconds");
}

#[tokio::test]
async fn a_short_absence_is_waited_out() {
    let mut server = RedisServer::start();
    let link = link(&format!("redis://{}", server.address())).await;
    assert!(count_in(&link, 1).await.is_ok());
    server.kill();
    let asked = tokio::spawn({
        let link = link.clone();
        async move { count_in(&link, 1).await }
    });
    tokio::task::yield_now().await;
    server.restart();
    let answer = asked.await.expect("no panic");
    // Either it was sent before the end was noticed, or it waited; it never ran twice.
    assert!(!matches!(answer, Err(Error::Timeout)), "{answer:?}");
    count_until_it_works(&link, 1).await;
}

#[tokio::test]
async fn a_frozen_server_is_known_to_be_and_found_again_when_it_thaws() {
    let server = RedisServer::start();
    let link = link(&format!("redis://{}", server.address())).await;
    assert!(count_in(&link, 1).await.is_ok());
    server.freeze();
    let begun = Instant::now();
    assert_eq!(count_in(&link, 1).await, Err(Error::Timeout));
    assert!(begun.elapsed() < DEADLINE * 3 / 2);
    until_it_fails_fast(&link).await;
    server.thaw();
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 1));
    back.await.expect("within two seconds");
}

#[tokio::test]
async fn a_frozen_server_is_known_to_be_also_when_nobody_waits_for_its_answers() {
    let server = RedisServer::start();
    let link = link(&format!("redis://{}", server.address())).await;
    assert!(count_in(&link, 1).await.is_ok());
    server.freeze();
    let begun = Instant::now();
    // Each goes away long before the deadline, so that no verb ever sees that there is no answer.
    let answer = loop {
        if let Ok(answer) = timeout(DEADLINE / 4, count_in(&link, 1)).await {
            break answer;
        }
        assert!(begun.elapsed() < DEADLINE * 10);
    };
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_line_that_was_silent_serves_again_over_new_connections() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    let link = link(&format!("redis://{}", cutter.address())).await;
    assert!(count_in(&link, 1).await.is_ok());
    cutter.set(Weather::Silent);
    until_it_fails_fast(&link).await;
    cutter.set(Weather::Clear);
    let back = timeout(DEADLINE * 2, count_until_it_works(&link, 1));
    back.await.expect("within two seconds");
    let asked = Instant::now();
    assert!(count_in(&link, 1).await.is_ok());
    assert!(asked.elapsed() < DEADLINE / 4, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn connections_that_are_hung_up_are_replaced() {
    let server = RedisServer::start();
    let cutter = Cutter::before(server.address());
    let link = link(&format!("redis://{}", cutter.address())).await;
    for _ in 0..10 {
        assert!(count_in(&link, 1).await.is_ok());
        cutter.hang_up();
        // The worker looks at its sockets before it takes the next request.
        tokio::task::yield_now().await;
        let answer = count_in(&link, 1).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_dead_server_is_not_hammered() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    // Takes every connection and hangs up; ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let link = link(&format!("redis://{address}")).await;
    let begun = Instant::now();
    let mut verbs = 0;
    while begun.elapsed() < DEADLINE * 2 {
        let answer = count_in(&link, 1).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        verbs += 1;
        tokio::task::yield_now().await;
    }
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((2..=12).contains(&attempts), "{attempts} for {verbs} verbs");
    assert!(verbs > 100, "{verbs}");
}
