//! What gateways have in common through one server: limits, codes, sessions, its time, and the news.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{RedisServer, keys_of, spec_at};
use crate::{
    clock::{Clock, Timestamp},
    domain::quota::{Charge, Per},
    store::{
        Answered, Revoke, Rotated, Sending, Store,
        contract::{
            ACCESS_TTL, ANN, NAMES, OTP, SESSION, Stage, at_once, charge, login, session_id, start,
        },
    },
};

/// Two gateways on one server, each with connections of its own.
async fn gateways() -> (Arc<RedisServer>, Store, Store) {
    let server = Arc::new(RedisServer::start());
    let spec = spec_at(&format!("redis://{}", server.address()), "shop:");
    let one = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    let other = Store::open(&spec, NAMES, Clock::System).await.unwrap();
    (server, one, other)
}

async fn sent(store: &Store) -> crate::domain::otp::Started {
    let sent = store.start_challenge(ANN, start(1, 1), vec![], *OTP);
    match sent.await.unwrap() {
        Sending::Started(started) => started,
        limited @ Sending::Limited { .. } => panic!("{limited:?}"),
    }
}

#[tokio::test]
async fn of_a_hundred_right_answers_at_two_gateways_one_opens_a_session() {
    let (_server, one, other) = gateways().await;
    let started = sent(&one).await;
    let answered = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let (answer, login) = (Stage::right(&started), login(session_id(n)));
        Box::pin(async move { store.answer_challenge(ANN, answer, *OTP, login).await })
    })
    .await;
    let opened = answered.iter().filter(|a| matches!(a, Answered::Opened(_)));
    assert_eq!(opened.count(), 1);
    assert_eq!(other.sessions(ANN, SESSION).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_a_hundred_sends_at_two_gateways_three_are_admitted() {
    let (_server, one, other) = gateways().await;
    let limits = vec![
        charge(1, 3, Duration::from_mins(30)),
        charge(2, 50, Duration::from_mins(30)),
    ];
    let sent = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let (start, limits) = (start(n, n.into()), limits.clone());
        Box::pin(async move { store.start_challenge(ANN, start, limits, *OTP).await })
    })
    .await;
    let started = sent.iter().filter(|s| matches!(s, Sending::Started(_)));
    assert_eq!(started.count(), 3);
}

#[tokio::test]
async fn a_hundred_rotations_at_two_gateways_have_one_successor() {
    let (_server, one, other) = gateways().await;
    let id = logged_in(&one).await;
    let rotated = at_once(100, |n| {
        let store = if n % 2 == 0 { &one } else { &other }.clone();
        let ip = String::new();
        Box::pin(async move { store.rotate(ANN, id, 0, ip, SESSION, ACCESS_TTL).await })
    })
    .await;
    let successors: HashSet<_> = rotated
        .iter()
        .map(|rotated| match rotated {
            Rotated::To {
                generation,
                issued_at,
                ..
            } => (*generation, *issued_at),
            Rotated::Replayed | Rotated::Ended => panic!("{rotated:?}"),
        })
        .collect();
    assert_eq!(successors.len(), 1);
}

async fn logged_in(store: &Store) -> crate::domain::session::SessionId {
    let started = sent(store).await;
    let (answer, login) = (Stage::right(&started), login(session_id(1)));
    let answered = store.answer_challenge(ANN, answer, *OTP, login).await;
    assert!(matches!(answered, Ok(Answered::Opened(_))), "{answered:?}");
    session_id(1)
}

#[tokio::test]
async fn the_time_is_the_servers() {
    let (server, one, _other) = gateways().await;
    let time = || {
        let time = server.cli(&["TIME"]);
        let (secs, micros) = time.split_once('\n').unwrap();
        let millis = secs.parse::<u64>().unwrap() * 1000 + micros.parse::<u64>().unwrap() / 1000;
        Timestamp::from_millis(millis)
    };
    let before = time();
    let started = sent(&one).await;
    let after = time();
    assert!(before <= started.sent_at && started.sent_at <= after);
    assert_eq!(started.expires_at, started.sent_at + OTP.ttl);
}

#[tokio::test]
async fn whatever_is_kept_will_be_forgotten() {
    let (server, one, _other) = gateways().await;
    let limits = [
        (Per::Phone, 1, 3, 30),
        (Per::Ip, 2, 20, 60),
        (Per::All, 3, 1000, 24 * 60),
    ]
    .map(|(per, bucket, max, minutes)| Charge {
        per,
        ..charge(bucket, max, Duration::from_mins(minutes))
    });
    let id = logged_in(&one).await;
    let sent = one.start_challenge(ANN, start(1, 2), limits.to_vec(), *OTP);
    sent.await.unwrap();
    let ttl = |kind: &str| -> u64 {
        let keys = keys_of(&server, kind);
        assert_eq!(keys.len(), 1, "{kind} {keys:?}");
        server.cli(&["PTTL", &keys[0]]).parse().unwrap()
    };
    let margin = Duration::from_mins(1);
    let about = |millis: u64, span: Duration| {
        let most = u64::try_from((span + margin).as_millis()).unwrap();
        assert!((most - 30_000..=most).contains(&millis), "{millis} {most}");
    };
    about(ttl("}c:"), OTP.ttl);
    about(ttl("}s:"), SESSION.idle);
    let mut windows: Vec<u64> = keys_of(&server, "}w:")
        .iter()
        .map(|key| server.cli(&["PTTL", key]).parse().unwrap())
        .collect();
    windows.sort_unstable();
    for (millis, limit) in windows.into_iter().zip(limits) {
        about(millis, limit.quota.window);
    }
    one.revoke(ANN, Revoke::One(id), ACCESS_TTL).await.unwrap();
    about(ttl("}r"), ACCESS_TTL);
    assert!(keys_of(&server, "}s:").is_empty());
    // All but whose keys they are.
    for key in keys_of(&server, "") {
        let lasts = server.cli(&["PTTL", &key]) == "-1";
        assert_eq!(lasts, key == "shop:{00}meta", "{key}");
    }
}
