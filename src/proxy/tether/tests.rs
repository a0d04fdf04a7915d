//! Whose exchanges are cut, and whose are not.

use std::{
    collections::HashMap,
    task::{Context, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::net::timer::Timer;

fn session(n: u8) -> SessionId {
    SessionId::new([n; 16])
}

fn has_rung(alarm: &Alarm) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    alarm.poll_due(&mut cx).is_ready()
}

#[test]
fn only_the_connection_of_the_ended_session_goes_down() {
    let (timer, tethers) = (Timer::new(), Tethers::default());
    let (gone, stays, nobody) = (
        tethers.tie(Some(session(1))),
        tethers.tie(Some(session(2))),
        tethers.tie(None),
    );
    let alarms = [timer.alarm(), timer.alarm(), timer.alarm()];
    for (tether, alarm) in [&gone, &stays, &nobody].into_iter().zip(&alarms) {
        assert_eq!(tether.hold(alarm), Ok(()));
    }
    assert_eq!(tethers.cut(|over| over == session(1)), 1);
    assert_eq!(alarms.each_ref().map(has_rung), [true, false, false]);
    assert_eq!(gone.check(), Err(Cut));
    assert_eq!((stays.check(), nobody.check()), (Ok(()), Ok(())));
}

#[test]
fn what_is_in_no_session_is_not_even_asked_about() {
    let tethers = Tethers::default();
    let nobody = tethers.tie(None);
    assert_eq!(tethers.cut(|_| true), 0);
    assert_eq!(nobody.check(), Ok(()));
}

#[test]
fn an_exchange_that_was_cut_before_it_had_a_connection_gets_none() {
    let (timer, tethers) = (Timer::new(), Tethers::default());
    let tether = tethers.tie(Some(session(1)));
    assert_eq!(tethers.cut(|_| true), 1);
    let connection = timer.alarm();
    assert_eq!(tether.hold(&connection), Err(Cut));
    assert!(!has_rung(&connection));
}

#[test]
fn the_connection_that_is_cut_is_the_one_in_use() {
    let (timer, tethers) = (Timer::new(), Tethers::default());
    let (left, used) = (timer.alarm(), timer.alarm());
    let tether = tethers.tie(Some(session(1)));
    assert_eq!(tether.hold(&left), Ok(()));
    assert_eq!(tether.hold(&used), Ok(()));
    assert_eq!(tethers.cut(|_| true), 1);
    assert_eq!([&left, &used].map(has_rung), [false, true]);
}

#[test]
fn a_connection_that_was_given_back_is_nobodys_to_cut() {
    let (timer, tethers) = (Timer::new(), Tethers::default());
    let connection = timer.alarm();
    let over = tethers.tie(Some(session(1)));
    assert_eq!(over.hold(&connection), Ok(()));
    drop(over);
    assert_eq!(tethers.cut(|_| true), 0);
    assert!(!has_rung(&connection));
}

#[test]
fn a_cut_is_counted_once() {
    let tethers = Tethers::default();
    let _cut = tethers.tie(Some(session(1)));
    assert_eq!(tethers.cut(|_| true), 1);
    assert_eq!(tethers.cut(|_| true), 0);
}

#[derive(Debug, Clone)]
enum Step {
    Tie(Option<u8>),
    Leave(prop::sample::Index),
    Cut(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::option::weighted(0.8, 0..4_u8).prop_map(Step::Tie),
        2 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => (0..4_u8).prop_map(Step::Cut),
    ]
}

proptest! {
    /// Places are used again, so whatever came and went, each tether must tell of its own exchange.
    #[test]
    fn whoever_comes_and_goes_exactly_the_ended_are_cut(steps in prop::collection::vec(step(), 1..200)) {
        let tethers = Tethers::default();
        let mut under_way: Vec<(Tether, Option<u8>, Result<(), Cut>)> = Vec::new();
        let mut most = 0;
        for step in steps {
            match step {
                Step::Tie(n) => under_way.push((tethers.tie(n.map(session)), n, Ok(()))),
                Step::Leave(which) if !under_way.is_empty() => {
                    drop(under_way.swap_remove(which.index(under_way.len())));
                }
                Step::Leave(_) => {}
                Step::Cut(n) => {
                    let mut asked: HashMap<SessionId, usize> = HashMap::new();
                    let count = tethers.cut(|over| {
                        *asked.entry(over).or_default() += 1;
                        over == session(n)
                    });
                    let of_n = |entry: &&mut (Tether, Option<u8>, Result<(), Cut>)| {
                        entry.1 == Some(n) && entry.2.is_ok()
                    };
                    let expected = under_way.iter_mut().filter(of_n).map(|entry| entry.2 = Err(Cut)).count();
                    prop_assert_eq!(count, expected);
                    prop_assert_eq!(asked.get(&session(n)).copied().unwrap_or(0), expected);
                }
            }
            most = most.max(under_way.len());
            for (tether, _, expected) in &under_way {
                prop_assert_eq!(tether.check(), *expected);
            }
            prop_assert!(tethers.0.borrow().all.len() <= most);
        }
    }
}
