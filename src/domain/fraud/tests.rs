//! What the guard does to those who pay back and to those who do not.

mod walks;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const NO_PROOF: Shown = Shown::Proof(Bits(0));

/// The four places of one message, of which nothing is known yet.
fn strangers() -> Vec<Place> {
    let unknown = |level| Place {
        level,
        tail: None,
        meter: Meter::default(),
    };
    Level::ALL.map(unknown).to_vec()
}

fn only(level: Level) -> Vec<Place> {
    vec![Place {
        level,
        tail: None,
        meter: Meter::default(),
    }]
}

/// Turns to a number of the range.
fn at_number(places: &mut [Place], tail: u16) {
    for place in places {
        if place.level == Level::Range {
            place.tail = Tail::new(tail);
        }
    }
}

/// Sends and verifies `count` times, one each `pause`.
fn earn(places: &mut [Place], count: u32, pause: Duration, now: &mut Timestamp) {
    for _ in 0..count {
        assert!(admit(places, NO_PROOF, *now).is_admitted());
        *now = *now + pause;
        verify(places, *now);
    }
}

/// Messages that are sent although none is ever verified, of `count` at `pause`.
fn beg(
    places: &mut [Place],
    shown: Shown,
    count: u32,
    pause: Duration,
    now: &mut Timestamp,
) -> u32 {
    let mut sent = 0;
    for _ in 0..count {
        sent += u32::from(admit(places, shown, *now).is_admitted());
        *now = *now + pause;
    }
    sent
}

#[test]
fn whoever_verifies_nothing_gets_a_handful_and_no_more() {
    for (level, handful) in [
        (Level::Range, 6),
        (Level::Network, 6),
        (Level::Block, 7),
        (Level::Country, 21),
    ] {
        let mut now = START;
        let sent = beg(&mut only(level), NO_PROOF, 10_000, SECOND / 10, &mut now);
        assert_eq!(sent, handful, "{level:?}");
    }
}

#[test]
fn a_hundred_thousand_at_once_get_no_more_than_one_after_the_other() {
    let mut now = START;
    let sent = beg(
        &mut strangers(),
        NO_PROOF,
        100_000,
        Duration::ZERO,
        &mut now,
    );
    assert_eq!(sent, 6);
}

#[test]
fn a_proof_buys_some_more_until_the_range_is_blocked() {
    let mut places = strangers();
    let mut now = START;
    let shown = Shown::Proof(HARDEST);
    let sent = beg(&mut places, shown, 1000, SECOND / 10, &mut now);
    assert_eq!(sent, 13);
    let refused = admit(&mut places, shown, now);
    let Admission::Refused(Alarm {
        level, suspicion, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(level, Level::Range);
    assert!(matches!(suspicion, Suspicion::Blocked(until) if until > now));
}

#[test]
fn a_block_ends_and_each_further_one_is_twice_as_long() {
    let mut places = only(Level::Range);
    let mut now = START;
    let mut spans = Vec::new();
    for _ in 0..8 {
        while admit(&mut places, Shown::Proof(HARDEST), now).is_admitted() {}
        let until = places[0].meter.blocked_until;
        spans.push(until.since(now).as_secs() / 60);
        assert!(!admit(&mut places, Shown::Proof(HARDEST), until.minus(SECOND)).is_admitted());
        now = until;
        // Free of charge is nothing, but who proves some work is heard again.
        assert!(admit(&mut places, Shown::Proof(HARDEST), now).is_admitted());
    }
    assert_eq!(spans[..3], [15, 30, 60]);
    assert!(spans.is_sorted());
    assert_eq!(spans[7], 12 * 60);
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut places = strangers();
    let mut now = START;
    beg(&mut places, NO_PROOF, 100, Duration::ZERO, &mut now);
    let before = places.clone();
    beg(&mut places, NO_PROOF, 100, Duration::ZERO, &mut now);
    assert_eq!(places, before);
}

#[test]
fn a_wave_from_a_new_country_pays_as_it_goes() {
    // Eight of ten verify after half a minute; the wave doubles each ten minutes, up to ten a second.
    let mut country = only(Level::Country);
    let mut answers = std::collections::VecDeque::new();
    let mut now = START;
    let mut asked = 0_u32;
    while now < START + 3 * HOUR {
        let minutes = now.since(START).as_secs_f64() / 60.0;
        let per_second = (2.0_f64.powf(minutes / 10.0) / 60.0).min(10.0);
        now = now + Duration::from_secs_f64(1.0 / per_second);
        while answers.front().is_some_and(|at| *at <= now) {
            answers.pop_front();
            verify(&mut country, now);
        }
        asked += 1;
        let admission = admit(&mut country, NO_PROOF, now);
        assert!(admission.is_admitted(), "after {asked}: {:?}", country[0]);
        if asked % 10 < 8 {
            answers.push_back(now + 30 * SECOND);
        }
    }
    assert!(asked > 30_000);
}

#[test]
fn a_place_is_judged_by_its_own_history() {
    // Where nine of ten used to verify, five of ten are too few; where five did, they are not.
    let debt_after = |habit: u32| {
        let mut block = only(Level::Block);
        let mut now = START;
        let mut turn = |share: u32, count: u32| {
            for at in 0..count {
                admit(&mut block, Shown::Everything, now);
                now = now + 5 * 60 * SECOND;
                if at % 10 < share {
                    verify(&mut block, now);
                }
            }
            block[0].meter.debt
        };
        turn(habit, 1000);
        turn(5, 40)
    };
    assert!(debt_after(9) > 6.0);
    assert!(debt_after(5) < 6.0);
}

#[test]
fn an_attack_does_not_become_the_history_it_is_judged_by() {
    let mut range = only(Level::Range);
    let mut now = START;
    earn(&mut range, 100, 60 * SECOND, &mut now);
    let before = range[0].meter.clone();
    for _ in 0..10_000 {
        admit(&mut range, Shown::Everything, now);
    }
    assert!(range[0].meter.sent < before.sent + 20.0);
}

#[test]
fn people_of_a_trusted_network_do_not_pay_for_strangers_in_their_country() {
    let mut now = START;
    let mut places = strangers();
    let mut home = vec![places.pop().expect("the network")];
    earn(&mut home, 5, 60 * SECOND, &mut now);
    let mut country = only(Level::Country);
    beg(&mut country, Shown::Proof(HARDEST), 100, SECOND, &mut now);
    let of = |network: &[Place]| [country.clone(), network.to_vec()].concat();
    assert!(!admit(&mut of(&only(Level::Network)), NO_PROOF, now).is_admitted());
    assert!(admit(&mut of(&home), NO_PROOF, now).is_admitted());
}

#[test]
fn in_a_country_under_attack_operators_with_a_good_name_are_served_all_the_same() {
    let mut now = START;
    let mut block = only(Level::Block);
    earn(&mut block, 20, 60 * SECOND, &mut now);
    let mut country = only(Level::Country);
    beg(
        &mut country,
        Shown::Proof(HARDEST),
        1000,
        Duration::ZERO,
        &mut now,
    );
    let of = |block: &[Place]| [country.clone(), block.to_vec()].concat();
    let unknown = admit(&mut of(&only(Level::Block)), Shown::Proof(HARDEST), now);
    let Admission::Refused(Alarm {
        level, suspicion, ..
    }) = unknown
    else {
        panic!("{unknown:?}");
    };
    assert_eq!(level, Level::Country);
    assert!(matches!(suspicion, Suspicion::Blocked(_)));
    assert!(admit(&mut of(&block), NO_PROOF, now).is_admitted());
}

#[test]
fn whoever_only_watches_sees_what_would_have_been_refused() {
    let mut places = strangers();
    let mut now = START;
    assert_eq!(
        beg(&mut places, Shown::Everything, 50, SECOND, &mut now),
        50
    );
    let admission = admit(&mut places, Shown::Everything, now);
    let Admission::Despite(Alarm { suspicion, .. }) = admission else {
        panic!("{admission:?}");
    };
    assert!(matches!(suspicion, Suspicion::Blocked(_)));
}

#[test]
fn what_lies_a_week_back_is_forgotten() {
    let mut places = strangers();
    let mut now = START;
    beg(&mut places, Shown::Proof(HARDEST), 1000, SECOND, &mut now);
    let dead_at = places.iter().map(|place| place.meter.dead_at()).max();
    now = dead_at.expect("four places");
    for place in &mut places {
        place.meter.pass_time(place.level, now);
        let fresh = Meter {
            touched_at: now,
            blocked_until: place.meter.blocked_until,
            ..Meter::default()
        };
        assert_eq!(place.meter, fresh);
        assert!(place.meter.blocked_until <= now);
    }
}

/// A step of somebody's life with the guard.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(u16, u8),
    Verify(u16),
    Wait(u32),
}

impl Step {
    fn take(self, places: &mut [Place], now: &mut Timestamp) {
        match self {
            Self::Ask(tail, bits) => {
                at_number(places, tail);
                admit(places, Shown::Proof(Bits(bits)), *now);
            }
            Self::Verify(tail) => {
                at_number(places, tail);
                verify(places, *now);
            }
            Self::Wait(millis) => *now = *now + Duration::from_millis(u64::from(millis)),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tail = || prop_oneof![1 => 0_u16..40, 1 => 0_u16..10_000];
    let step = prop_oneof![
        3 => (tail(), 0_u8..24).prop_map(|(tail, bits)| Step::Ask(tail, bits)),
        2 => tail().prop_map(Step::Verify),
        1 => (0_u32..10_000_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn whatever_happens_a_meter_holds_sane_counts(steps in steps()) {
        let mut places = strangers();
        let mut now = START;
        for step in steps {
            step.take(&mut places, &mut now);
            for Place { level, meter, .. } in &places {
                for count in [meter.debt, meter.sent, meter.verified, meter.recent, meter.strikes] {
                    prop_assert!(count.is_finite() && count >= 0.0, "{level:?} {meter:?}");
                }
                prop_assert!(meter.blocked_until <= now + Duration::from_hours(12));
            }
        }
    }

    #[test]
    fn a_harder_proof_is_never_worth_less(steps in steps(), bits in 0_u8..30) {
        let mut places = strangers();
        let mut now = START;
        for step in steps {
            step.take(&mut places, &mut now);
        }
        let with = |bits| admit(&mut places.clone(), Shown::Proof(Bits(bits)), now).is_admitted();
        prop_assert!(with(bits) <= with(bits + 1));
        prop_assert!(admit(&mut places.clone(), Shown::Everything, now).is_admitted());
    }

    #[test]
    fn a_meter_is_the_same_behind_its_numbers(steps in steps()) {
        let mut places = strangers();
        let mut now = START;
        for step in steps {
            step.take(&mut places, &mut now);
        }
        for Place { meter, .. } in places {
            prop_assert_eq!(Meter::from_numbers(&meter.to_numbers()), Some(meter));
        }
    }

    #[test]
    fn whoever_verifies_two_of_three_is_never_suspected(pauses in prop::collection::vec(1_u64..7200, 3..200)) {
        let mut places = strangers();
        let mut now = START;
        for (at, pause) in pauses.into_iter().enumerate() {
            let admission = admit(&mut places, NO_PROOF, now);
            prop_assert_eq!(admission, Admission::Granted);
            if at % 3 > 0 {
                verify(&mut places, now + SECOND);
            }
            now = now + Duration::from_secs(pause);
        }
    }
}
