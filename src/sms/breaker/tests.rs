//! The breaker against every order of events: what it must never do, whatever happened before.

use proptest::prelude::*;

use super::*;

const POLICY: Policy = Policy {
    failures: 3,
    pause: Duration::from_secs(30),
};

const fn at(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One that opened at the beginning of time.
fn open() -> Breaker {
    let mut breaker = Breaker::new(POLICY);
    for _ in 0..2 {
        assert_eq!(breaker.note(Sign::Ill, at(0), at(0)), None);
    }
    let change = breaker.note(Sign::Ill, at(0), at(0));
    assert_eq!(change, Some(Change::Opened));
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_a_success_begins_a_new_row() {
    let mut breaker = Breaker::new(POLICY);
    for sign in [Sign::Ill, Sign::Ill, Sign::Well, Sign::Ill, Sign::Ill] {
        assert_eq!(breaker.note(sign, at(0), at(0)), None);
        assert!(breaker.admits(at(0)));
    }
    let change = breaker.note(Sign::Ill, at(0), at(7));
    assert_eq!(change, Some(Change::Opened));
    assert_eq!(breaker.open_since(), Some(at(7)));
    assert!(!breaker.admits(at(7)));
}

#[test]
fn what_is_about_the_number_neither_ends_a_row_nor_lengthens_it() {
    let mut breaker = Breaker::new(POLICY);
    for sign in [Sign::Ill, Sign::Nothing, Sign::Ill, Sign::Nothing] {
        assert_eq!(breaker.note(sign, at(0), at(0)), None);
    }
    let change = breaker.note(Sign::Ill, at(0), at(0));
    assert_eq!(change, Some(Change::Opened));
}

#[test]
fn after_the_pause_one_message_tries_it_and_its_success_closes_it() {
    let mut breaker = open();
    assert!(!breaker.admits(at(29)));
    assert!(breaker.admits(at(30)));
    assert!(!breaker.admits(at(30)));
    assert!(!breaker.admits(at(59)));
    let change = breaker.note(Sign::Well, at(30), at(40));
    assert_eq!(change, Some(Change::Closed));
    assert!(breaker.admits(at(40)) && breaker.admits(at(40)));
    assert_eq!(breaker.open_since(), None);
}

#[test]
fn a_failed_trial_begins_another_pause_of_the_same_outage() {
    let mut breaker = open();
    assert!(breaker.admits(at(30)));
    assert_eq!(breaker.note(Sign::Ill, at(30), at(35)), None);
    assert_eq!(breaker.open_since(), Some(at(0)));
    assert!(!breaker.admits(at(64)));
    assert!(breaker.admits(at(65)));
}

#[test]
fn a_trial_that_tells_nothing_lets_the_next_one_try() {
    let mut breaker = open();
    assert!(breaker.admits(at(30)));
    assert_eq!(breaker.note(Sign::Nothing, at(30), at(31)), None);
    assert!(breaker.admits(at(31)));
    assert!(!breaker.admits(at(31)));
}

#[test]
fn a_trial_that_nobody_hears_of_does_not_shut_it_for_ever() {
    let mut breaker = open();
    assert!(breaker.admits(at(30)));
    assert!(!breaker.admits(at(59)));
    assert!(breaker.admits(at(60)));
}

#[test]
fn what_was_sent_before_it_opened_does_not_close_it() {
    let mut breaker = Breaker::new(POLICY);
    for _ in 0..3 {
        breaker.note(Sign::Ill, at(9), at(10));
    }
    assert_eq!(breaker.note(Sign::Well, at(9), at(11)), None);
    assert!(!breaker.admits(at(11)));
    // Sent since then, though it was open, it does.
    let change = breaker.note(Sign::Well, at(12), at(13));
    assert_eq!(change, Some(Change::Closed));
}

#[test]
fn a_provider_that_asks_for_patience_gets_what_it_asks_for_within_reason() {
    for (asked, given) in [(7, 7), (100_000, 600)] {
        let mut breaker = Breaker::new(POLICY);
        let change = breaker.note(Sign::Busy(at(asked)), at(0), at(0));
        assert_eq!(change, Some(Change::Opened));
        assert!(!breaker.admits(at(given - 1)));
        assert!(breaker.admits(at(given)));
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Ask,
    Tell(Sign),
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Ask),
        2 => prop_oneof![
            Just(Sign::Well),
            Just(Sign::Ill),
            Just(Sign::Ill),
            Just(Sign::Nothing),
            (0_u64..100_000).prop_map(|secs| Sign::Busy(at(secs))),
        ]
        .prop_map(Event::Tell),
        2 => (0_u64..40).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 0..80)
}

proptest! {
    /// Whatever happens, a provider is asked again some day, one that is never ill is never left
    /// alone, and opening and closing take turns.
    #[test]
    fn it_opens_and_closes_in_turn_and_never_for_good(events in events()) {
        let mut breaker = Breaker::new(POLICY);
        let (mut now, mut is_open, mut in_a_row) = (at(0), false, 0);
        for event in events {
            match event {
                Event::Wait(secs) => now += at(secs),
                Event::Ask => {
                    let admitted = breaker.admits(now);
                    prop_assert!(admitted || is_open);
                    // Of many that ask at one moment, at most one passes an open one.
                    prop_assert!(!is_open || !breaker.admits(now));
                }
                Event::Tell(sign) => {
                    let change = breaker.note(sign, now, now);
                    in_a_row = match sign {
                        Sign::Well => 0,
                        Sign::Ill => in_a_row + 1,
                        Sign::Busy(_) | Sign::Nothing => in_a_row,
                    };
                    let (opened, closed) =
                        (change == Some(Change::Opened), change == Some(Change::Closed));
                    prop_assert!(!opened || !is_open);
                    prop_assert!(!closed || (is_open && sign == Sign::Well));
                    prop_assert!(!opened || matches!(sign, Sign::Busy(_)) || in_a_row >= 3);
                    is_open = (is_open || opened) && !closed;
                }
            }
            prop_assert_eq!(breaker.open_since().is_some(), is_open);
        }
        prop_assert!(breaker.clone().admits(now + LONGEST + POLICY.pause));
    }
}
