//! Rules of the sessions: rotation, revocation, how many there may be.

use super::*;

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
    let id = stage.open(1, ANN).await;
    stage.clock.advance(SECOND);
    let rotated = stage.rotate(ANN, id, 0).await;
    let Rotated::To { session, now, .. } = &rotated else {
        panic!("{rotated:?}");
    };
    assert_eq!(*now, BEGINNING + SECOND);
    assert_eq!(generation(&rotated), Some((1, BEGINNING + SECOND)));
    assert_eq!(session.ip, "192.0.2.2");
    assert_eq!(session.opened_at, BEGINNING);
    assert_eq!(session.last_seen_at, BEGINNING + SECOND);

    let over = BEGINNING + SECOND + SESSION.grace;
    stage.wait_until(over.minus(Duration::from_millis(1)));
    let again = stage.rotate(ANN, id, 0).await;
    assert_eq!(generation(&again), generation(&rotated));
    // It tells the present time, and has changed nothing else.
    let expected = Rotated::To {
        generation: 1,
        issued_at: BEGINNING + SECOND,
        session: session.clone(),
        now: stage.now(),
    };
    assert_eq!(again, expected);
    assert_eq!(stage.rotate(ANN, id, 2).await, Rotated::Ended);
    stage.wait_until(over);
    assert_eq!(stage.rotate(ANN, id, 0).await, Rotated::Replayed);
}

pub async fn a_replay_ends_and_revokes_the_session_in_one_step(stage: Stage) {
    let (id, other) = (stage.open(1, ANN).await, stage.open(2, ANN).await);
    stage.rotate(ANN, id, 0).await;
    stage.clock.advance(SESSION.grace);
    assert!(!stage.is_revoked(id));
    assert_eq!(stage.rotate(ANN, id, 0).await, Rotated::Replayed);
    assert!(stage.is_revoked(id));
    assert!(!stage.is_revoked(other));
    // The thief's successor is worth nothing, and neither is a second replay.
    assert_eq!(stage.rotate(ANN, id, 1).await, Rotated::Ended);
    assert_eq!(stage.rotate(ANN, id, 0).await, Rotated::Ended);
    assert_eq!(stage.sessions(ANN).await, [other]);
}

pub async fn of_a_hundred_rotations_at_once_all_get_the_same_successor(stage: Stage) {
    let id = stage.open(1, ANN).await;
    let rotated = at_once(100, |_| {
        let store = stage.store.clone();
        let ip = String::new();
        Box::pin(async move { store.rotate(ANN, id, 0, ip, SESSION, ACCESS_TTL).await })
    })
    .await;
    assert_eq!(generation(&rotated[0]), Some((1, BEGINNING)));
    assert!(rotated.iter().all(|other| *other == rotated[0]));
}

pub async fn a_session_ends_when_idle_and_when_old(stage: Stage) {
    let idle = stage.open(1, ANN).await;
    let busy = stage.open(2, BOB).await;
    let mut end = BEGINNING + SESSION.idle;
    stage.wait_until(end.minus(SECOND));
    assert_eq!(stage.sessions(ANN).await, [idle]);
    assert!(generation(&stage.rotate(BOB, busy, 0).await).is_some());
    stage.wait_until(end);
    assert_eq!(stage.rotate(ANN, idle, 0).await, Rotated::Ended);
    assert!(stage.sessions(ANN).await.is_empty());

    for n in 1..=2 {
        end = end.minus(SECOND) + SESSION.idle;
        stage.wait_until(end.minus(SECOND));
        assert!(generation(&stage.rotate(BOB, busy, n).await).is_some());
    }
    end = BEGINNING + SESSION.absolute;
    stage.wait_until(end.minus(SECOND));
    assert_eq!(stage.sessions(BOB).await, [busy]);
    stage.wait_until(end);
    assert_eq!(stage.rotate(BOB, busy, 3).await, Rotated::Ended);
    assert!(stage.sessions(BOB).await.is_empty());
}

pub async fn the_login_above_the_maximum_ends_the_session_unused_for_longest(stage: Stage) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(stage.open(n, ANN).await);
        stage.clock.advance(SECOND);
    }
    let elsewhere = stage.open(9, BOB).await;
    // The oldest is in use, so the second one is the one unused for longest.
    stage.rotate(ANN, ids[0], 0).await;
    stage.clock.advance(SECOND);
    let newest = stage.open(4, ANN).await;
    assert_eq!(stage.sessions(ANN).await, [newest, ids[0], ids[2]]);
    assert_eq!(stage.rotate(ANN, ids[1], 0).await, Rotated::Ended);
    assert!(stage.is_revoked(ids[1]));
    for id in [ids[0], ids[2], newest, elsewhere] {
        assert!(!stage.is_revoked(id));
    }
    assert_eq!(stage.sessions(BOB).await, [elsewhere]);

    // Of those that were seen at the same moment, the one that stands last in the list.
    for n in [7, 8] {
        stage.open(n, BOB).await;
    }
    assert_eq!(stage.sessions(BOB).await, [7, 8, 9].map(session_id));
    stage.open(6, BOB).await;
    assert_eq!(stage.sessions(BOB).await, [6, 7, 8].map(session_id));
    stage.open(5, BOB).await;
    assert_eq!(stage.sessions(BOB).await, [5, 6, 7].map(session_id));
    assert!(stage.is_revoked(elsewhere) && stage.is_revoked(session_id(8)));
}

pub async fn an_ended_session_does_not_count_against_the_maximum(stage: Stage) {
    let old = stage.open(1, ANN).await;
    stage.clock.advance(SESSION.idle);
    let mut ids = Vec::new();
    for n in 2..=4 {
        ids.insert(0, stage.open(n, ANN).await);
        stage.clock.advance(SECOND);
    }
    assert_eq!(stage.sessions(ANN).await, ids);
    assert!(ids.iter().all(|id| !stage.is_revoked(*id)));
    assert!(!stage.is_revoked(old));
}

pub async fn one_session_is_revoked_by_its_owner_only(stage: Stage) {
    let id = stage.open(1, ANN).await;
    assert_eq!(stage.revoke(BOB, Revoke::One(id)).await, []);
    assert!(!stage.is_revoked(id));
    assert!(generation(&stage.rotate(ANN, id, 0).await).is_some());

    assert_eq!(stage.revoke(ANN, Revoke::One(id)).await, [id]);
    assert!(stage.is_revoked(id));
    assert_eq!(stage.rotate(ANN, id, 1).await, Rotated::Ended);
    assert_eq!(stage.revoke(ANN, Revoke::One(id)).await, []);
}

pub async fn all_or_all_others_are_revoked(stage: Stage) {
    let anns = [stage.open(1, ANN).await, stage.open(2, ANN).await];
    let bobs = [stage.open(3, BOB).await, stage.open(4, BOB).await];
    assert_eq!(stage.revoke(ANN, Revoke::All).await, anns);
    assert!(stage.sessions(ANN).await.is_empty());

    let others = Revoke::Others { keep: bobs[1] };
    assert_eq!(stage.revoke(BOB, others).await, [bobs[0]]);
    assert_eq!(stage.sessions(BOB).await, [bobs[1]]);
    assert!(anns.iter().all(|id| stage.is_revoked(*id)));
    assert!(stage.is_revoked(bobs[0]) && !stage.is_revoked(bobs[1]));
}

pub async fn sessions_are_listed_by_their_last_use(stage: Stage) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(stage.open(n, ANN).await);
        stage.clock.advance(SECOND);
    }
    assert_eq!(stage.sessions(ANN).await, [ids[2], ids[1], ids[0]]);
    stage.rotate(ANN, ids[0], 0).await;
    assert_eq!(stage.sessions(ANN).await, [ids[0], ids[2], ids[1]]);
    assert!(stage.sessions(account(0)).await.is_empty());
}

/// Two keys that differ in one bit are two accounts.
pub async fn one_account_knows_nothing_of_another(stage: Stage) {
    let mut near = ANN;
    near.0[15] ^= 1;
    let (own, other) = (stage.open(1, ANN).await, stage.open(2, near).await);
    assert_eq!(stage.sessions(ANN).await, [own]);
    assert_eq!(stage.rotate(near, own, 0).await, Rotated::Ended);
    assert!(!stage.is_revoked(own));
    assert_eq!(stage.revoke(near, Revoke::All).await, [other]);
    assert_eq!(stage.sessions(ANN).await, [own]);

    let started = stage.send(ANN, start(1, 3)).await;
    stage.send(near, start(1, 4)).await;
    let answered = stage.answer(near, Stage::right(&started), 3).await;
    assert!(matches!(answered, Answered::Wrong { .. }));
    let answered = stage.answer(ANN, Stage::right(&started), 3).await;
    assert!(matches!(answered, Answered::Opened(_)));
}

pub async fn a_revocation_is_seen_before_its_answer(stage: Stage) {
    let mut view = stage.store.revocations().view();
    for n in 0..50 {
        let id = stage.open(n, ANN).await;
        assert!(!view.is_revoked(id, stage.now()));
        assert_eq!(stage.revoke(ANN, Revoke::All).await, [id]);
        assert!(view.is_revoked(id, stage.now()));
    }
}

pub async fn eight_replaced_tokens_have_their_grace_at_once_and_the_ninth_is_a_replay(
    stage: Stage,
) {
    let id = stage.open(1, ANN).await;
    for n in 0..9 {
        let rotated = stage.rotate(ANN, id, n).await;
        assert_eq!(generation(&rotated), Some((n + 1, stage.now())));
        stage.clock.advance(SECOND);
    }
    for n in 1..9 {
        let issued_at = BEGINNING + SECOND * n;
        let again = stage.rotate(ANN, id, n).await;
        assert_eq!(generation(&again), Some((n + 1, issued_at)));
    }
    assert_eq!(stage.rotate(ANN, id, 0).await, Rotated::Replayed);
}

pub async fn a_session_that_has_ended_by_itself_is_not_ended_again(stage: Stage) {
    let id = stage.open(1, ANN).await;
    let end = BEGINNING + SESSION.idle;
    stage.wait_until(end);
    assert_eq!(stage.revoke(ANN, Revoke::All).await, []);
    assert!(!stage.is_revoked(id));

    let id = stage.open(2, ANN).await;
    stage.wait_until((end + SESSION.idle).minus(Duration::from_millis(1)));
    assert_eq!(stage.revoke(ANN, Revoke::All).await, [id]);
}
