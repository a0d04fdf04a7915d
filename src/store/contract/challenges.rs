//! Rules of the challenges: same code on a resend, single use, bounded guessing.

use super::*;

const OPENED_NOTHING: Answered = Answered::Wrong {
    attempts_left: None,
};

fn left(attempts: u32) -> Answered {
    Answered::Wrong {
        attempts_left: Some(attempts),
    }
}

pub async fn a_resend_sends_the_same_code_and_makes_it_live_longer(stage: Stage) {
    let first = stage.send(ANN, start(1, 1)).await;
    assert_eq!(first.expires_at, BEGINNING + OTP.ttl);
    stage.clock.advance(Duration::from_mins(4));
    let second = stage.send(ANN, start(1, 2)).await;
    assert_eq!((second.id, second.nonce), (first.id, first.nonce));
    assert_eq!(second.expires_at, BEGINNING + Duration::from_mins(9));

    // Somebody else asks for the same number: the same code, a challenge of their own.
    let third = stage.send(ANN, start(2, 3)).await;
    assert_eq!(third.nonce, first.nonce);
    assert_ne!(third.id, first.id);
    // And another number has another code.
    assert_ne!(stage.send(BOB, start(1, 4)).await.nonce, first.nonce);

    stage.clock.advance(Duration::from_mins(4));
    let answer = Stage::right(&first);
    let answered = stage.answer(ANN, answer, 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
}

pub async fn a_code_of_an_accepted_secret_is_sent_again_and_another_one_replaced(stage: Stage) {
    let by = |secrets: &[u8], n| made_by(secrets, start(1, n));
    let first = stage.send(ANN, by(&[1], 1)).await;
    assert_eq!(first.secret, secret(1));
    // While another secret comes, the same code is sent, and which one it was made with is told.
    for (n, secrets) in [(2, [1, 2]), (3, [2, 1])] {
        assert_eq!(stage.send(ANN, by(&secrets, n)).await, first);
    }
    stage.clock.advance(Duration::from_mins(1));
    let second = stage.send(ANN, by(&[2], 4)).await;
    assert_eq!(second.secret, secret(2));
    assert_ne!((second.id, second.nonce), (first.id, first.nonce));
    assert_eq!(second.expires_at, stage.now() + OTP.ttl);
    let (old, new) = (Stage::right(&first), Stage::right(&second));
    assert_eq!(stage.answer(ANN, old, 1).await, OPENED_NOTHING);
    let answered = stage.answer(ANN, new, 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
    // Of many the secret may be any.
    let third = stage.send(ANN, by(&[2, 3], 5)).await;
    assert_eq!(stage.send(ANN, by(&[4, 3, 2], 6)).await, third);
}

pub async fn a_right_answer_opens_the_session_once(stage: Stage) {
    let started = stage.send(ANN, start(1, 1)).await;
    stage.clock.advance(Duration::from_secs(1));
    let answer = Stage::right(&started);
    let answered = stage.answer(ANN, answer.clone(), 1).await;
    // By the clock of the store: who asked has said nothing about the time.
    let now = BEGINNING + Duration::from_secs(1);
    assert_eq!(answered, Answered::Opened(opened_at(now)));
    assert_eq!(stage.sessions(ANN).await, [session_id(1)]);

    let again = stage.answer(ANN, answer, 2).await;
    assert_eq!(again, OPENED_NOTHING);
    assert_eq!(stage.sessions(ANN).await, [session_id(1)]);
    // A send after it makes a new code.
    let next = stage.send(ANN, start(1, 2)).await;
    assert_ne!(next.nonce, started.nonce);
}

pub async fn of_a_hundred_right_answers_at_once_one_opens_a_session(stage: Stage) {
    let started = stage.send(ANN, start(1, 1)).await;
    let answered = at_once(100, |n| {
        let store = stage.store.clone();
        let (answer, login) = (Stage::right(&started), login(session_id(n)));
        Box::pin(async move {
            store
                .answer_challenge(ANN, answer, *OTP, login, vec![])
                .await
        })
    })
    .await;
    let opened = answered
        .iter()
        .filter(|answered| matches!(answered, Answered::Opened(_)));
    assert_eq!(opened.count(), 1);
    assert_eq!(stage.sessions(ANN).await.len(), 1);
}

pub async fn an_expired_code_opens_nothing(stage: Stage) {
    let started = stage.send(ANN, start(1, 1)).await;
    stage.clock.advance(OTP.ttl);
    let answer = Stage::right(&started);
    let answered = stage.answer(ANN, answer, 1).await;
    assert_eq!(answered, OPENED_NOTHING);
    let next = stage.send(ANN, start(1, 2)).await;
    assert_ne!(next.nonce, started.nonce);
}

pub async fn the_last_attempt_burns_the_challenge(stage: Stage) {
    let started = stage.send(ANN, start(1, 1)).await;
    for attempts in (0..5).rev() {
        let answered = stage.answer(ANN, Stage::wrong(&started), 1).await;
        assert_eq!(answered, left(attempts));
    }
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert_eq!(answered, left(0));
    assert!(stage.sessions(ANN).await.is_empty());
    assert_ne!(stage.send(ANN, start(1, 2)).await.nonce, started.nonce);
}

pub async fn failures_count_over_all_challenges_of_a_day(stage: Stage) {
    for n in 0..4 {
        let started = stage.send(ANN, start(1, n)).await;
        for _ in 0..5 {
            stage.answer(ANN, Stage::wrong(&started), 1).await;
        }
    }
    let started = stage.send(ANN, start(1, 9)).await;
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert_eq!(answered, left(0));

    // A minute before the day is over nothing has been forgotten, and then all of it.
    stage
        .clock
        .advance(Duration::from_hours(24) - Duration::from_mins(1));
    let started = stage.send(ANN, start(1, 10)).await;
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert_eq!(answered, left(0));
    stage.clock.advance(Duration::from_mins(1));
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
}

pub async fn a_strangers_failures_leave_the_owners_challenge_alone(stage: Stage) {
    let started = stage.send(ANN, start(1, 1)).await;
    for n in 0..100 {
        let guess = Answer {
            challenge: None,
            client: ClientKey([n + 10; 8]),
            tags: vec![Tag([0; 16])],
        };
        assert_eq!(stage.answer(ANN, guess, 1).await, OPENED_NOTHING);
    }
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
}

pub async fn an_answer_to_nothing_is_wrong(stage: Stage) {
    let elsewhere = stage.send(BOB, start(1, 1)).await;
    let answer = Stage::right(&elsewhere);
    let answered = stage.answer(ANN, answer, 1).await;
    assert_eq!(answered, OPENED_NOTHING);
}

pub async fn a_code_is_sent_again_while_half_of_a_life_remains_to_it(stage: Stage) {
    let first = stage.send(ANN, start(1, 1)).await;
    stage.clock.advance(Duration::from_mins(4));
    stage.send(ANN, start(1, 2)).await;
    let half = OTP.max_age.checked_sub(OTP.ttl / 2).unwrap();
    stage.wait_until(BEGINNING + half);
    let last = stage.send(ANN, start(1, 3)).await;
    assert_eq!(last.nonce, first.nonce);
    assert_eq!(last.expires_at, BEGINNING + OTP.max_age);
    stage.clock.advance(Duration::from_millis(1));
    assert_ne!(stage.send(ANN, start(1, 4)).await.nonce, first.nonce);
}

pub async fn whoever_burnt_a_challenge_gets_another_one_on_a_code_that_lives(stage: Stage) {
    let burnt = stage.send(ANN, start(1, 1)).await;
    let others = stage.send(ANN, start(2, 2)).await;
    for attempts in (0..5).rev() {
        let answered = stage.answer(ANN, Stage::wrong(&burnt), 1).await;
        assert_eq!(answered, left(attempts));
    }
    let fresh = stage.send(ANN, start(1, 3)).await;
    assert_eq!(fresh.nonce, others.nonce);
    assert!(![burnt.id, others.id].contains(&fresh.id));
    assert_eq!(stage.send(ANN, start(1, 4)).await.id, fresh.id);
    // An answer that names none is one to the latest, and so the burnt one stays burnt.
    let unnamed = Answer {
        challenge: None,
        ..Stage::wrong(&fresh)
    };
    assert_eq!(stage.answer(ANN, unnamed, 1).await, left(4));
    assert_eq!(stage.answer(ANN, Stage::right(&burnt), 1).await, left(0));
    let answered = stage.answer(ANN, Stage::right(&fresh), 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
}

pub async fn the_seventeenth_caller_takes_the_place_of_the_first(stage: Stage) {
    let mut sent = Vec::new();
    for client in 1..=16 {
        sent.push(stage.send(ANN, start(client, client.into())).await);
    }
    // All have one of their own, and keep it.
    for (client, started) in (1..).zip(&sent) {
        assert_eq!(stage.send(ANN, start(client, 99)).await.id, started.id);
    }
    stage.send(ANN, start(17, 17)).await;
    let by_another = |started: &Started| Answer {
        client: ClientKey([99; 8]),
        ..Stage::wrong(started)
    };
    let answered = stage.answer(ANN, by_another(&sent[0]), 1).await;
    assert_eq!(answered, OPENED_NOTHING);
    for started in &sent[1..4] {
        assert!(matches!(
            stage.answer(ANN, by_another(started), 1).await,
            Answered::Wrong {
                attempts_left: Some(_)
            }
        ));
    }
}
