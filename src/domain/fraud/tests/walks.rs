//! What the guard does to those who count through numbers, and to neighbours who do not.

use super::*;

#[test]
fn whoever_counts_through_numbers_gets_three_of_them_and_no_more() {
    // Whatever the steps and the pauses are: the debt alone is forgiven as fast as it is made.
    for (step, pause) in [(1, HOUR), (3, 20 * 60 * SECOND), (10, 4 * HOUR)] {
        let mut range = only(Level::Range);
        let mut now = START;
        let tails = (0..100).map(|n| n * step).collect::<Vec<_>>();
        let down = tails.iter().rev().copied().collect();
        for tails in [tails, down] {
            let mut sent = 0;
            for tail in tails {
                at_number(&mut range, tail);
                match admit(&mut range, NO_PROOF, now) {
                    Admission::Granted => sent += 1,
                    Admission::Refused(alarm) => assert_eq!(alarm.rule, Rule::Sequence),
                    Admission::Despite(alarm) => panic!("{alarm:?}"),
                }
                now = now + pause;
            }
            assert!((3..=9).contains(&sent), "{step}: {sent}");
            range = only(Level::Range);
        }
    }
}

#[test]
fn each_step_of_a_walk_costs_more_work_until_the_range_is_blocked() {
    let mut range = only(Level::Range);
    let mut asked = Vec::new();
    for tail in 0..13 {
        at_number(&mut range, tail);
        if let Admission::Refused(Alarm { suspicion, .. }) = admit(&mut range, NO_PROOF, START) {
            asked.push(suspicion);
            admit(&mut range, Shown::Proof(HARDEST), START);
        }
    }
    assert!(asked.is_sorted(), "{asked:?}");
    let proofs = asked
        .iter()
        .filter(|suspicion| matches!(suspicion, Suspicion::Proof(_)));
    // Whoever draws numbers at random gets more before they are blocked.
    assert!((2..7).contains(&proofs.count()), "{asked:?}");
    assert!(
        matches!(asked.last(), Some(Suspicion::Blocked(_))),
        "{asked:?}"
    );
}

#[test]
fn neighbours_who_verify_are_no_walk() {
    // An office: one of five does not get along with the code, and asks again.
    let mut office = strangers();
    let mut now = START;
    for n in 0_u16..100 {
        at_number(&mut office, 3000 + n);
        assert_eq!(admit(&mut office, NO_PROOF, now), Admission::Granted, "{n}");
        now = now + 300 * SECOND;
        if n % 5 > 0 {
            verify(&mut office, now);
        }
    }
}

#[test]
fn somebody_far_from_a_walk_is_not_held_up_by_it() {
    let mut range = only(Level::Range);
    for tail in 100..103 {
        at_number(&mut range, tail);
        admit(&mut range, NO_PROOF, START);
    }
    at_number(&mut range, 1103);
    assert_eq!(
        admit(&mut range.clone(), NO_PROOF, START),
        Admission::Granted
    );
    at_number(&mut range, 1102);
    assert!(!admit(&mut range, NO_PROOF, START).is_admitted());
}

#[test]
fn a_meter_of_a_gateway_that_kept_no_trail_is_read() {
    let mut range = only(Level::Range);
    at_number(&mut range, 7);
    admit(&mut range, NO_PROOF, START);
    let meter = &range[0].meter;
    let record = postcard::to_allocvec(meter).expect("a record");
    // What stands behind the moment is the length of the trail, a number and its moment.
    let trail = postcard::to_allocvec(&meter.trail).expect("a record").len();
    let old = &record[..record.len() - trail];
    let read: Meter = postcard::from_bytes(old).expect("a meter");
    let without = Meter {
        trail: Trail::default(),
        ..meter.clone()
    };
    assert_eq!(read, without);
    assert_eq!(postcard::from_bytes(&record), Ok(meter.clone()));
}
