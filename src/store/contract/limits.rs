//! Rules of the limits: exact, sliding, all or none.

use super::*;

const WINDOW: Duration = Duration::from_mins(30);
const MS: Duration = Duration::from_millis(1);

fn is_started(sending: &Sending) -> bool {
    matches!(sending, Sending::Started(_))
}

pub async fn the_limit_is_exact_at_both_of_its_borders(stage: Stage) {
    let limit = [charge(1, 3, WINDOW)];
    for _ in 0..3 {
        assert!(is_started(&stage.send_within(&limit).await));
    }
    let refused = |wait| Sending::Limited { charge: 0, wait };
    assert_eq!(stage.send_within(&limit).await, refused(WINDOW));
    stage.wait_until((BEGINNING + WINDOW).minus(MS));
    assert_eq!(stage.send_within(&limit).await, refused(MS));
    stage.clock.advance(MS);
    for _ in 0..3 {
        assert!(is_started(&stage.send_within(&limit).await));
    }
    assert!(!is_started(&stage.send_within(&limit).await));
}

pub async fn a_large_limit_is_as_exact_as_a_small_one(stage: Stage) {
    for max in [31, 32, 33, 100] {
        let limit = [charge(u8::try_from(max).unwrap(), max, WINDOW)];
        let first = stage.now();
        for _ in 0..max {
            assert!(is_started(&stage.send_within(&limit).await));
            stage.clock.advance(MS);
        }
        // Two rounds more: each event makes room for one, one window later, and for no other.
        for round in 1..=2 {
            for n in 0..max {
                let until = first + WINDOW * round + MS * n;
                assert_eq!(stage.refusal(&limit).await, Some((0, until)));
                stage.wait_until(until);
                assert!(is_started(&stage.send_within(&limit).await), "{max} {n}");
            }
        }
    }
}

pub async fn a_limit_slides_and_does_not_start_anew(stage: Stage) {
    let limit = [charge(1, 2, WINDOW)];
    assert!(is_started(&stage.send_within(&limit).await));
    stage.wait_until((BEGINNING + WINDOW).minus(MS));
    assert!(is_started(&stage.send_within(&limit).await));
    stage.clock.advance(MS);
    assert!(is_started(&stage.send_within(&limit).await));
    // A count that began anew with the new window would admit a third one here.
    let until = (BEGINNING + WINDOW).minus(MS) + WINDOW;
    assert_eq!(stage.refusal(&limit).await, Some((0, until)));
}

pub async fn a_window_that_has_emptied_is_as_exact_as_a_new_one(stage: Stage) {
    for max in [3, 40] {
        let limit = [charge(u8::try_from(max).unwrap(), max, WINDOW)];
        for _ in 0..3 {
            let first = stage.now();
            for _ in 0..max {
                assert!(is_started(&stage.send_within(&limit).await));
                stage.clock.advance(MS);
            }
            for n in 0..max {
                let until = first + WINDOW + MS * n;
                assert_eq!(stage.refusal(&limit).await, Some((0, until)), "{max} {n}");
                stage.wait_until(until);
                assert!(is_started(&stage.send_within(&limit).await), "{max} {n}");
            }
            stage.clock.advance(WINDOW * 2);
        }
    }
}

pub async fn of_several_violated_limits_the_longest_wait_is_told(stage: Stage) {
    let short = charge(1, 1, WINDOW);
    let long = charge(2, 1, WINDOW * 2);
    let open = charge(3, 9, WINDOW * 3);
    stage.send_within(&[short, long]).await;
    let until = BEGINNING + WINDOW * 2;
    // Of two with the same wait it is the first.
    let alike = charge(4, 1, WINDOW * 2);
    stage.send_within(&[alike]).await;
    for charges in [[long, alike], [alike, long]] {
        assert_eq!(stage.refusal(&charges).await, Some((0, until)));
    }
    for (charges, charge) in [(vec![open, short, long], 2), (vec![long, open, short], 0)] {
        assert_eq!(stage.refusal(&charges).await, Some((charge, until)));
    }
}

pub async fn a_refused_send_takes_nothing_from_anybody(stage: Stage) {
    let narrow = charge(1, 1, WINDOW);
    let small = charge(2, 3, WINDOW);
    let large = charge(3, 40, WINDOW);
    let started = stage.send(ANN, start(1, 1)).await;
    assert!(is_started(
        &stage.send_within(&[small, large, narrow]).await
    ));
    stage.wait_until(started.expires_at.minus(MS));
    for _ in 0..50 {
        assert!(!is_started(
            &stage.send_within(&[small, large, narrow]).await
        ));
    }
    // Not the life of the code either: it dies when it would have without them.
    stage.clock.advance(MS);
    let answer = Stage::right(&started);
    let answered = stage.answer(ANN, answer, 1).await;
    assert!(matches!(answered, Answered::Wrong { .. }));

    for _ in 0..2 {
        assert!(is_started(&stage.send_within(&[small]).await));
    }
    assert!(!is_started(&stage.send_within(&[small]).await));
    for _ in 0..39 {
        assert!(is_started(&stage.send_within(&[large]).await));
    }
    assert!(!is_started(&stage.send_within(&[large]).await));
}

pub async fn one_send_counts_once_in_a_bucket_that_is_named_twice(stage: Stage) {
    let limit = charge(1, 2, WINDOW);
    assert!(is_started(&stage.send_within(&[limit, limit]).await));
    assert!(is_started(&stage.send_within(&[limit, limit]).await));
    assert!(!is_started(&stage.send_within(&[limit]).await));
}

pub async fn of_a_hundred_sends_at_once_three_are_admitted(stage: Stage) {
    let limit = charge(1, 3, WINDOW);
    let store = stage.store.clone();
    let sent = at_once(100, |n| {
        let store = store.clone();
        let start = start(n, n.into());
        Box::pin(async move {
            let charges = vec![limit, charge(2, 1000, WINDOW)];
            store
                .start_challenge(ANN, start, charges, UNGUARDED, *OTP, parcel())
                .await
        })
    })
    .await;
    let nonces: Vec<_> = sent
        .iter()
        .filter_map(|sending| match sending {
            Sending::Started(started) => Some(started.nonce),
            Sending::Despite(..)
            | Sending::Limited { .. }
            | Sending::Suspected(_)
            | Sending::Unpaid { .. }
            | Sending::Repeated(_)
            | Sending::Reused => None,
        })
        .collect();
    assert_eq!(nonces.len(), 3);
    assert!(nonces.iter().all(|nonce| *nonce == nonces[0]));
}

pub async fn a_clock_that_is_set_back_opens_no_limit(stage: Stage) {
    let limit = [charge(1, 2, WINDOW)];
    stage.send_within(&limit).await;
    set_back(&stage, WINDOW / 2);
    assert!(is_started(&stage.send_within(&limit).await));
    // The later event is still in the window when the one that was counted last has left it.
    stage.clock.advance(WINDOW);
    assert!(!is_started(
        &stage.send_within(&[charge(1, 1, WINDOW)]).await
    ));
}

pub async fn what_is_taken_without_a_send_counts_like_one(stage: Stage) {
    let (small, large, narrow) = (
        charge(1, 3, WINDOW),
        charge(2, 40, WINDOW),
        charge(3, 1, WINDOW * 2),
    );
    assert_eq!(stage.take(&[]).await, Taking::Taken);
    assert_eq!(stage.take(&[small, large, narrow]).await, Taking::Taken);
    // All or none, and the longest wait is told.
    for _ in 0..50 {
        let refused = Taking::Limited {
            charge: 2,
            wait: WINDOW * 2,
        };
        assert_eq!(stage.take(&[small, large, narrow]).await, refused);
    }
    assert_eq!(stage.take(&[small, small]).await, Taking::Taken);
    assert!(is_started(&stage.send_within(&[small]).await));
    assert_eq!(stage.refusal(&[small]).await, Some((0, BEGINNING + WINDOW)));
    let refused = |wait| Taking::Limited { charge: 0, wait };
    stage.wait_until((BEGINNING + WINDOW).minus(MS));
    assert_eq!(stage.take(&[small]).await, refused(MS));
    stage.clock.advance(MS);
    assert_eq!(stage.take(&[small]).await, Taking::Taken);
    assert_eq!(stage.take(&[narrow]).await, refused(WINDOW));
}

pub async fn of_a_hundred_takings_at_once_three_are_admitted(stage: Stage) {
    let store = stage.store.clone();
    let taken = at_once(100, |n| {
        let store = store.clone();
        let charges = vec![charge(1, 3, WINDOW), charge(n, 1000, WINDOW)];
        Box::pin(async move { store.take(charges).await })
    })
    .await;
    let taken = taken.iter().filter(|taking| **taking == Taking::Taken);
    assert_eq!(taken.count(), 3);
}

fn set_back(stage: &Stage, span: Duration) {
    let Clock::Manual(at) = &stage.clock else {
        panic!("a stage has a manual clock");
    };
    let span = u64::try_from(span.as_millis()).unwrap();
    at.fetch_sub(span, std::sync::atomic::Ordering::SeqCst);
}
