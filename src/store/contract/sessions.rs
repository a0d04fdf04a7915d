//! Rules of the sessions: rotation, revocation, how many there may be.

use super::*;
use crate::store::Revoke;

const SECOND: Duration = Duration::from_secs(1);

fn generation(rotated: &Rotated) -> Option<(u32, Timestamp)> {
    match rotated {
        Rotated::To {
            generation,
            issued_at,
            ..
        } => Some((*generation, *issued_at)),
        Rotated::Replayed | Rotated::Ended => None,
    }
}

pub async fn the_old_token_gives_the_same_successor_until_the_grace_is_over(stage: Stage) {
    let id = stage.open(1, "a").await;
    stage.clock.advance(SECOND);
    let rotated = stage.rotate(id, 0).await;
    let Rotated::To { session, .. } = &rotated else {
        panic!("{rotated:?}");
    };
    assert_eq!(generation(&rotated), Some((1, BEGINNING + SECOND)));
    assert_eq!(session.ip, "192.0.2.2");
    assert_eq!(session.opened_at, BEGINNING);
    assert_eq!(session.last_seen_at, BEGINNING + SECOND);

    let over = BEGINNING + SECOND + SESSION.grace;
    stage.wait_until(over.minus(Duration::from_millis(1)));
    assert_eq!(stage.rotate(id, 0).await, rotated);
    assert_eq!(stage.rotate(id, 2).await, Rotated::Ended);
    stage.wait_until(over);
    assert_eq!(stage.rotate(id, 0).await, Rotated::Replayed);
}

pub async fn a_replay_ends_and_revokes_the_session_in_one_step(stage: Stage) {
    let (id, other) = (stage.open(1, "a").await, stage.open(2, "a").await);
    stage.rotate(id, 0).await;
    stage.clock.advance(SESSION.grace);
    assert!(!stage.is_revoked(id));
    assert_eq!(stage.rotate(id, 0).await, Rotated::Replayed);
    assert!(stage.is_revoked(id));
    assert!(!stage.is_revoked(other));
    // The thief's successor is worth nothing, and neither is a second replay.
    assert_eq!(stage.rotate(id, 1).await, Rotated::Ended);
    assert_eq!(stage.rotate(id, 0).await, Rotated::Ended);
    assert_eq!(stage.sessions("a").await, [other]);
}

pub async fn of_a_hundred_rotations_at_once_all_get_the_same_successor(stage: Stage) {
    let id = stage.open(1, "a").await;
    let rotated = at_once(100, |_| {
        let store = stage.store.clone();
        let ip = String::new();
        Box::pin(async move { store.rotate(id, 0, ip, SESSION, ACCESS_TTL).await })
    })
    .await;
    assert_eq!(generation(&rotated[0]), Some((1, BEGINNING)));
    assert!(rotated.iter().all(|other| *other == rotated[0]));
}

pub async fn a_session_ends_when_idle_and_when_old(stage: Stage) {
    let idle = stage.open(1, "a").await;
    let busy = stage.open(2, "b").await;
    let mut end = BEGINNING + SESSION.idle;
    stage.wait_until(end.minus(SECOND));
    assert_eq!(stage.sessions("a").await, [idle]);
    assert!(generation(&stage.rotate(busy, 0).await).is_some());
    stage.wait_until(end);
    assert_eq!(stage.rotate(idle, 0).await, Rotated::Ended);
    assert!(stage.sessions("a").await.is_empty());

    for n in 1..=2 {
        end = end.minus(SECOND) + SESSION.idle;
        stage.wait_until(end.minus(SECOND));
        assert!(generation(&stage.rotate(busy, n).await).is_some());
    }
    end = BEGINNING + SESSION.absolute;
    stage.wait_until(end.minus(SECOND));
    assert_eq!(stage.sessions("b").await, [busy]);
    stage.wait_until(end);
    assert_eq!(stage.rotate(busy, 3).await, Rotated::Ended);
    assert!(stage.sessions("b").await.is_empty());
}

pub async fn the_login_above_the_maximum_ends_the_session_unused_for_longest(stage: Stage) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(stage.open(n, "a").await);
        stage.clock.advance(SECOND);
    }
    let elsewhere = stage.open(9, "b").await;
    // The oldest is in use, so the second one is the one unused for longest.
    stage.rotate(ids[0], 0).await;
    stage.clock.advance(SECOND);
    let newest = stage.open(4, "a").await;
    assert_eq!(stage.sessions("a").await, [newest, ids[0], ids[2]]);
    assert_eq!(stage.rotate(ids[1], 0).await, Rotated::Ended);
    assert!(stage.is_revoked(ids[1]));
    for id in [ids[0], ids[2], newest, elsewhere] {
        assert!(!stage.is_revoked(id));
    }
    assert_eq!(stage.sessions("b").await, [elsewhere]);
}

pub async fn an_ended_session_does_not_count_against_the_maximum(stage: Stage) {
    let old = stage.open(1, "a").await;
    stage.clock.advance(SESSION.idle);
    let mut ids = Vec::new();
    for n in 2..=4 {
        ids.insert(0, stage.open(n, "a").await);
        stage.clock.advance(SECOND);
    }
    assert_eq!(stage.sessions("a").await, ids);
    assert!(ids.iter().all(|id| !stage.is_revoked(*id)));
    assert!(!stage.is_revoked(old));
}

pub async fn one_session_is_revoked_by_its_owner_only(stage: Stage) {
    let id = stage.open(1, "a").await;
    let one = |subject: &str| Revoke::One {
        id,
        subject: subject.to_owned(),
    };
    let ended = stage.store.revoke(one("b"), ACCESS_TTL).await.unwrap();
    assert_eq!(ended, []);
    assert!(!stage.is_revoked(id));
    assert!(generation(&stage.rotate(id, 0).await).is_some());

    let ended = stage.store.revoke(one("a"), ACCESS_TTL).await.unwrap();
    assert_eq!(ended, [id]);
    assert!(stage.is_revoked(id));
    assert_eq!(stage.rotate(id, 1).await, Rotated::Ended);
    let again = stage.store.revoke(one("a"), ACCESS_TTL).await.unwrap();
    assert_eq!(again, []);
}

pub async fn all_or_all_others_are_revoked(stage: Stage) {
    let a: Vec<_> = [stage.open(1, "a").await, stage.open(2, "a").await].into();
    let b: Vec<_> = [stage.open(3, "b").await, stage.open(4, "b").await].into();
    let all = Revoke::AllOf {
        subject: "a".to_owned(),
    };
    let mut ended = stage.store.revoke(all, ACCESS_TTL).await.unwrap();
    ended.sort();
    assert_eq!(ended, a);
    assert!(stage.sessions("a").await.is_empty());

    let others = Revoke::Others {
        subject: "b".to_owned(),
        keep: b[1],
    };
    let ended = stage.store.revoke(others, ACCESS_TTL).await.unwrap();
    assert_eq!(ended, [b[0]]);
    assert_eq!(stage.sessions("b").await, [b[1]]);
    assert!(a.iter().all(|id| stage.is_revoked(*id)));
    assert!(stage.is_revoked(b[0]) && !stage.is_revoked(b[1]));
}

pub async fn sessions_are_listed_by_their_last_use(stage: Stage) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(stage.open(n, "a").await);
        stage.clock.advance(SECOND);
    }
    assert_eq!(stage.sessions("a").await, [ids[2], ids[1], ids[0]]);
    stage.rotate(ids[0], 0).await;
    assert_eq!(stage.sessions("a").await, [ids[0], ids[2], ids[1]]);
    assert!(stage.sessions("nobody").await.is_empty());
}

pub async fn subjects_whose_names_begin_alike_are_kept_apart(stage: Stage) {
    let subjects = ["", "a", "a\0", "aa", "\u{10ffff}"];
    let mut ids = Vec::new();
    for (n, subject) in (1..).zip(subjects) {
        ids.push(stage.open(n, subject).await);
    }
    for (id, subject) in ids.iter().zip(subjects) {
        assert_eq!(stage.sessions(subject).await, [*id], "{subject:?}");
    }
    let all = Revoke::AllOf {
        subject: "a".to_owned(),
    };
    assert_eq!(stage.store.revoke(all, ACCESS_TTL).await.unwrap(), [ids[1]]);
}

pub async fn a_revocation_is_seen_before_its_answer(stage: Stage) {
    let mut view = stage.store.revocations().view();
    for n in 0..50 {
        let id = stage.open(n, "a").await;
        assert!(!view.is_revoked(id, stage.now()));
        let all = Revoke::AllOf {
            subject: "a".to_owned(),
        };
        stage.store.revoke(all, ACCESS_TTL).await.unwrap();
        assert!(view.is_revoked(id, stage.now()));
    }
}
