//! A server whose memory is full: what would add something is refused whole, and everybody can still leave.

use std::{sync::Arc, time::Duration};

use super::{RedisServer, keys_of, stage_on};
use crate::{
    domain::delivery::{HANDOVER, Turned},
    store::{
        Answered, Error, Revoke, Rotated,
        contract::{
            ANN, BOB, OTP, SESSION, Stage, UNGUARDED, charge, login, message, parcel, session_id,
            start, taken,
        },
    },
};

/// Leaves no room for a single byte.
const FULL: &str = "1";
/// The usual: no bound.
const ROOMY: &str = "0";

#[tokio::test]
async fn what_finds_no_room_is_refused_whole() {
    let server = Arc::new(RedisServer::start());
    let stage = stage_on(&server).await;
    for n in 1..=3 {
        stage.open(n, ANN).await;
    }
    let started = stage.send(ANN, start(1, 9)).await;
    let limits = vec![charge(1, 1, Duration::from_mins(1))];

    server.cli(&["CONFIG", "SET", "maxmemory", FULL]);
    let before = dump(&server);
    let sent =
        stage
            .store
            .start_challenge(BOB, start(1, 1), limits.clone(), UNGUARDED, *OTP, parcel());
    assert_refused(&sent.await);
    for answer in [Stage::right(&started), Stage::wrong(&started)] {
        let login = login(session_id(4));
        let answered = stage
            .store
            .answer_challenge(ANN, answer, *OTP, login, vec![]);
        assert_refused(&answered.await);
    }
    assert!(stage.store.ready().await.is_err());
    assert_eq!(dump(&server), before);

    server.cli(&["CONFIG", "SET", "maxmemory", ROOMY]);
    stage.store.ready().await.unwrap();
    // The code is not used up, no attempt is counted, nobody had to give way, the limit is untouched.
    assert_eq!(
        stage.answer(ANN, Stage::wrong(&started), 4).await,
        Answered::Wrong {
            attempts_left: Some(4)
        }
    );
    let answered = stage.answer(ANN, Stage::right(&started), 4).await;
    assert!(matches!(answered, Answered::Opened(_)));
    assert!(stage.refusal(&limits).await.is_none());
}

#[tokio::test]
async fn whoever_is_logged_in_goes_on_and_can_log_out() {
    let server = Arc::new(RedisServer::start());
    let stage = stage_on(&server).await;
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(stage.open(n, ANN).await);
        stage.clock.advance(Duration::from_secs(1));
    }
    server.cli(&["CONFIG", "SET", "maxmemory", FULL]);

    for generation in 0..20 {
        let rotated = stage.rotate(ANN, ids[0], generation).await;
        assert!(matches!(rotated, Rotated::To { .. }), "{rotated:?}");
    }
    assert_eq!(stage.sessions(ANN).await, [ids[0], ids[2], ids[1]]);
    assert_eq!(stage.revoke(ANN, Revoke::One(ids[1])).await, [ids[1]]);
    assert!(stage.is_revoked(ids[1]));
    stage.clock.advance(SESSION.grace);
    assert_eq!(stage.rotate(ANN, ids[0], 0).await, Rotated::Replayed);
    assert!(stage.is_revoked(ids[0]));
    assert_eq!(stage.revoke(ANN, Revoke::All).await, [ids[2]]);
    assert!(stage.sessions(ANN).await.is_empty());
    // What those who come late read.
    let revoked = keys_of(&server, "}r");
    assert_eq!(server.cli(&["ZCARD", &revoked[0]]), "3");
}

#[tokio::test]
async fn what_is_queued_is_sent_all_the_same() {
    let server = Arc::new(RedisServer::start());
    let stage = stage_on(&server).await;
    let started = stage.queue(ANN, 1).await;
    server.cli(&["CONFIG", "SET", "maxmemory", FULL]);
    stage.clock.advance(HANDOVER);
    assert_eq!(stage.due().await, [started.id]);
    let sending = stage.claimed(&started, message(1)).await;
    let sent = stage.deliver(&started, taken(&sending, None)).await;
    assert!(matches!(sent, Turned::Changed(_)), "{sent:?}");
    assert!(stage.due().await.is_empty());
    for kind in ["}d", "}q"] {
        let key = keys_of(&server, kind).remove(0);
        let ttl: i64 = server.cli(&["PTTL", &key]).parse().unwrap();
        assert!(ttl > 0, "{key} {ttl}");
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: &Result<T, Error>) {
    match answer {
        Err(Error::Unavailable(why)) => assert!(why.contains("OOM"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// All that is kept.
fn dump(server: &RedisServer) -> Vec<(String, String)> {
    let keys = keys_of(server, "");
    let dumped = keys.into_iter().map(|key| {
        let value = server.cli(&["DUMP", &key]);
        (key, value)
    });
    dumped.collect()
}
