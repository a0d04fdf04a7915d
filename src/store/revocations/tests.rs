//! What views know, and when: of one thread in every order, and of several at once.

use std::{
    sync::atomic::{AtomicBool, AtomicU64},
    thread,
};

use proptest::{collection::vec, prelude::*};

use super::*;

const FOR_EVER: u64 = 1_000_000;

fn session(n: u64) -> SessionId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    SessionId::new(id)
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A thread that marks the end of a test for the others even when it fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_view_refuses_a_revoked_session_at_the_next_question() {
    let revocations = Arc::new(Revocations::default());
    let (mut a, mut b) = (revocations.view(), revocations.view());
    assert!(!a.is_revoked(session(1), at(0)));
    revocations.add(session(1), at(900), at(0));
    assert!(a.is_revoked(session(1), at(1)));
    assert!(b.is_revoked(session(1), at(1)));
    assert!(!a.is_revoked(session(2), at(1)));
    assert!(revocations.view().is_revoked(session(1), at(1)));
}

#[test]
fn the_copies_stay_as_small_as_what_can_still_be_alive() {
    let revocations = Arc::new(Revocations::default());
    let mut view = revocations.view();
    for n in 0..10_000 {
        revocations.add(session(n), at(n + 10), at(n));
        assert!(view.is_revoked(session(n), at(n)));
    }
    let list = revocations.list();
    assert!(list.order.len() <= 11 && list.until.len() <= 11);
    assert!(view.revoked.len() <= 22);
}

#[test]
fn a_view_that_slept_through_many_revocations_knows_all_that_matter() {
    let revocations = Arc::new(Revocations::default());
    let mut view = revocations.view();
    revocations.add_all((0..200).map(|n| (session(n), at(1000))), at(0));
    assert!((0..200).all(|n| view.is_revoked(session(n), at(1))));
}

#[test]
fn what_is_told_again_and_again_takes_one_place_and_disturbs_no_view() {
    let revocations = Arc::new(Revocations::default());
    let mut view = revocations.view();
    let all = || (0..100).map(|n| (session(n), at(1000)));
    revocations.add_all(all(), at(0));
    assert!(view.is_revoked(session(0), at(0)));
    for now in 0..50 {
        revocations.add_all(all(), at(now));
    }
    assert_eq!(revocations.list().order.len(), 100);
    assert_eq!(revocations.state.load(Ordering::SeqCst), view.seen);
}

#[test]
fn a_session_that_is_told_again_with_a_longer_life_is_refused_for_that_life() {
    let revocations = Arc::new(Revocations::default());
    revocations.add(session(1), at(10), at(0));
    revocations.add(session(1), at(20), at(0));
    revocations.add(session(1), at(5), at(0));
    revocations.add(session(2), at(30), at(15));
    assert!(revocations.view().is_revoked(session(1), at(16)));
    revocations.add(session(3), at(60), at(25));
    assert!(!revocations.view().is_revoked(session(1), at(25)));
    assert_eq!(revocations.list().until.len(), 2);
}

#[test]
fn what_has_expired_is_not_taken_in() {
    let revocations = Arc::new(Revocations::default());
    revocations.add(session(1), at(10), at(10));
    assert!(!revocations.view().is_revoked(session(1), at(10)));
    assert!(revocations.list().until.is_empty());
}

#[test]
fn while_stale_a_session_is_served_or_refused_as_it_was_decided_and_counted() {
    let revocations = Arc::new(Revocations::stale());
    let mut view = revocations.view();
    let mut ask = |n, on_outage| view.check(session(n), on_outage, at(0));
    assert_eq!(revocations.freshness(), Freshness::Stale);
    assert_eq!(ask(1, OnOutage::Serve), Ok(()));
    assert_eq!(ask(1, OnOutage::Refuse), Err(Refusal::Unknown));
    assert_eq!(revocations.judged_unsure(), 2);

    revocations.set(Freshness::Fresh);
    assert_eq!(revocations.freshness(), Freshness::Fresh);
    assert_eq!(ask(1, OnOutage::Serve), Ok(()));
    assert_eq!(ask(1, OnOutage::Refuse), Ok(()));
    assert_eq!(revocations.judged_unsure(), 2);

    revocations.set(Freshness::Stale);
    assert_eq!(ask(1, OnOutage::Refuse), Err(Refusal::Unknown));
}

#[test]
fn a_session_known_to_be_ended_is_told_as_such_while_stale() {
    let revocations = Arc::new(Revocations::stale());
    let mut view = revocations.view();
    revocations.add(session(1), at(900), at(0));
    for on_outage in [OnOutage::Serve, OnOutage::Refuse] {
        assert_eq!(
            view.check(session(1), on_outage, at(1)),
            Err(Refusal::Revoked)
        );
    }
    assert_eq!(revocations.judged_unsure(), 0);
}

#[test]
fn the_news_do_not_change_whether_all_is_known_and_the_other_way_round() {
    let revocations = Arc::new(Revocations::stale());
    let mut view = revocations.view();
    revocations.add(session(1), at(900), at(0));
    assert_eq!(revocations.freshness(), Freshness::Stale);
    revocations.set(Freshness::Stale);
    revocations.set(Freshness::Fresh);
    revocations.set(Freshness::Fresh);
    revocations.add(session(2), at(900), at(0));
    assert_eq!(revocations.freshness(), Freshness::Fresh);
    assert!(view.is_revoked(session(1), at(1)) && view.is_revoked(session(2), at(1)));
}

#[test]
fn a_refusal_says_what_a_client_can_do() {
    let revoked = Reject::from(Refusal::Revoked);
    assert_eq!(revoked.code(), Code::SessionRevoked);
    let response = Reject::from(Refusal::Unknown).into_response::<bytes::Bytes>();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(!response.headers().contains_key("www-authenticate"));
}

/// What may happen to a list.
#[derive(Debug, Clone)]
enum Event {
    Add { n: u64, life: u64 },
    Set(Freshness),
    Wait(u64),
    Ask { view: usize, n: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let freshness = prop_oneof![Just(Freshness::Fresh), Just(Freshness::Stale)];
    prop_oneof![
        3 => (0..12_u64, 1..40_u64).prop_map(|(n, life)| Event::Add { n, life }),
        1 => freshness.prop_map(Event::Set),
        2 => (0..20_u64).prop_map(Event::Wait),
        4 => (0..3_usize, 0..12_u64).prop_map(|(view, n)| Event::Ask { view, n }),
    ]
}

proptest! {
    /// Against a list of everything that ever happened: nothing alive is forgotten, nobody else is
    /// refused, and "unknown" is said exactly while it was last set.
    #[test]
    fn views_say_what_was_said_before(events in vec(event(), 0..120)) {
        let revocations = Arc::new(Revocations::default());
        let mut views = [revocations.view(), revocations.view(), revocations.view()];
        let mut told: HashMap<u64, u64> = HashMap::new();
        let (mut now, mut fresh) = (0, Freshness::Fresh);
        for event in events {
            match event {
                Event::Add { n, life } => {
                    revocations.add(session(n), at(now + life), at(now));
                    let until = told.entry(n).or_default();
                    *until = (*until).max(now + life);
                }
                Event::Set(freshness) => {
                    revocations.set(freshness);
                    fresh = freshness;
                }
                Event::Wait(span) => now += span,
                Event::Ask { view, n } => {
                    let answer = views[view].check(session(n), OnOutage::Refuse, at(now));
                    let is_revoked = told.get(&n).is_some_and(|until| now < *until);
                    let expected = match (is_revoked, fresh) {
                        (true, _) => Err(Refusal::Revoked),
                        (false, Freshness::Stale) => Err(Refusal::Unknown),
                        (false, Freshness::Fresh) => Ok(()),
                    };
                    prop_assert_eq!(answer, expected);
                }
            }
        }
    }
}

#[test]
fn of_many_threads_none_accepts_what_was_revoked_before_it_asked() {
    const SESSIONS: u64 = 20_000;
    let revocations = Arc::new(Revocations::default());
    let revoked = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut view = revocations.view();
                while !done.load(Ordering::SeqCst) {
                    let newest = revoked.load(Ordering::SeqCst);
                    if newest > 0 {
                        let answer = view.check(session(newest), OnOutage::Serve, at(0));
                        assert_eq!(answer, Err(Refusal::Revoked));
                    }
                    let never = view.check(session(u64::MAX), OnOutage::Refuse, at(0));
                    assert_eq!(never, Ok(()));
                }
            });
        }
        let _done = Done(&done);
        for n in 1..=SESSIONS {
            revocations.add(session(n), at(FOR_EVER), at(0));
            revoked.store(n, Ordering::SeqCst);
        }
    });
}

#[test]
fn nobody_who_hears_that_all_is_known_lacks_what_was_added_before_that_was_said() {
    const OUTAGES: u64 = 20_000;
    let revocations = Arc::new(Revocations::default());
    let begun = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut view = revocations.view();
                while !done.load(Ordering::SeqCst) {
                    // Its session is revoked between its begin and its end: until then nothing is
                    // known for sure, and afterwards this is.
                    let outage = begun.load(Ordering::SeqCst);
                    if outage > 0 {
                        let answer = view.check(session(outage), OnOutage::Refuse, at(0));
                        assert_ne!(answer, Ok(()), "accepted in outage {outage}");
                    }
                }
            });
        }
        let _done = Done(&done);
        for n in 1..=OUTAGES {
            revocations.set(Freshness::Stale);
            begun.store(n, Ordering::SeqCst);
            revocations.add(session(n), at(FOR_EVER), at(0));
            revocations.set(Freshness::Fresh);
        }
    });
}
