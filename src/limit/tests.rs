//! Limits that are judged together: who is counted, what is given back, and what the tightest of them says.

use std::{
    num::NonZeroU32,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;
use crate::{
    clock::Timestamp,
    domain::{quota::Quota, rate::Counted},
    observe::metrics::Metrics,
    secret::Secret,
    store,
};

fn clock() -> Clock {
    Clock::manual(Timestamp::from_secs(1_900_000_000))
}

fn per_minute(max: u32, whose: Whose) -> Rate {
    let max = NonZeroU32::new(max).unwrap();
    let window = Duration::from_mins(1);
    Rate {
        quota: Quota { max, window },
        whose,
        burst: max,
        counted: Counted::Here,
    }
}

fn throttle(everywhere: &[Rate], routes: &[&[Rate]], clock: &Clock) -> Throttle {
    let name: Arc<str> = "route".into();
    let routes = routes.iter().map(|rates| (&name, *rates));
    Throttle::new(everywhere, routes, parts(clock, &Metrics::new()))
}

/// Without a store to speak of: what it counts is tried over a real one in `tests/it`.
fn parts(clock: &Clock, metrics: &Metrics) -> Parts {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spec = store::Spec {
        backend: store::Backend::Memory,
        max_size: 1 << 20,
        deadline: Duration::from_secs(10),
    };
    let masters = Masters::of(&Secret::new([1; 32])).unwrap();
    let opening = Store::open(&spec, masters.pseudonyms().id(), clock.clone());
    Parts {
        clock: clock.clone(),
        store: runtime.block_on(opening).unwrap(),
        masters: Arc::new(masters),
        metrics: metrics.limits().clone(),
    }
}

fn caller(last: u8, subject: Option<&str>) -> Caller<'_> {
    Caller {
        network: IpAddr::from([192, 0, 2, last]),
        subject,
        session: subject.map(|_| SessionId::new([last; 16])),
    }
}

#[test]
fn each_limit_counts_whom_it_names_and_nobody_else() {
    for (whose, counts) in [
        (Whose::Subject, [true, false, true, false]),
        (Whose::Session, [false, true, true, false]),
        (Whose::All, [true, true, true, true]),
    ] {
        let throttle = throttle(&[per_minute(1, whose)], &[], &clock());
        let rules = throttle.everywhere(Stage::Admitted);
        rules.take(&caller(1, Some("ann"))).unwrap();
        let again = [
            caller(2, Some("ann")),
            caller(1, Some("bob")),
            caller(1, Some("ann")),
            caller(3, None),
        ];
        assert_eq!(
            again.map(|who| rules.take(&who).is_err()),
            counts,
            "{whose:?}"
        );
    }
}

#[test]
fn addresses_are_judged_before_a_token_and_all_others_after_it() {
    let rates = Whose::ALL.map(|whose| per_minute(1, whose));
    let throttle = throttle(&[], &[&rates], &clock());
    let known = |stage| {
        let rules = throttle.route(0, stage);
        rules
            .0
            .iter()
            .map(|limit| limit.rate.whose)
            .collect::<Vec<_>>()
    };
    assert_eq!(known(Stage::Arrived), [Whose::Ip]);
    assert_eq!(
        known(Stage::Admitted),
        [Whose::Subject, Whose::Session, Whose::All]
    );
    assert!(throttle.everywhere(Stage::Arrived).is_empty());
}

#[test]
fn a_route_shares_what_holds_everywhere_and_has_its_own_for_itself() {
    let own = [per_minute(2, Whose::Ip)];
    let throttle = throttle(&[per_minute(3, Whose::Ip)], &[&own, &own], &clock());
    let take = |route| {
        let standing = throttle.route(route, Stage::Arrived).take(&caller(1, None));
        standing.map(|standing| standing.unwrap().left)
    };
    assert_eq!((take(0), take(0)), (Ok(1), Ok(0)));
    assert_eq!(take(0).unwrap_err().rate, own[0]);
    assert_eq!(take(1), Ok(0));
    assert_eq!(take(1).unwrap_err().rate.quota.max.get(), 3);
}

#[test]
fn a_request_that_one_limit_refuses_takes_nothing_from_the_others() {
    let (before, tight, after) = (
        per_minute(5, Whose::All),
        per_minute(1, Whose::Subject),
        per_minute(4, Whose::Session),
    );
    let throttle = throttle(&[before, tight, after], &[], &clock());
    let rules = throttle.everywhere(Stage::Admitted);
    let ann = caller(1, Some("ann"));
    rules.take(&ann).unwrap();
    for _ in 0..100 {
        assert_eq!(rules.take(&ann).unwrap_err().rate, tight);
    }
    for (at, subject) in ["bob", "eve", "joe"].into_iter().enumerate() {
        let standing = rules.take(&caller(1, Some(subject))).unwrap().unwrap();
        assert_eq!(standing.left, 0, "{at}: its own limit is the tightest");
    }
    // All four were taken from the session that they share here, and no more.
    assert_eq!(rules.take(&caller(1, Some("zoe"))).unwrap_err().rate, after);
    assert!(rules.take(&caller(2, Some("zoe"))).is_ok());
    assert_eq!(rules.take(&caller(3, None)).unwrap_err().rate, before);
}

#[test]
fn of_several_that_refuse_the_longest_wait_is_told() {
    let mut slow = per_minute(1, Whose::Session);
    slow.quota.window = Duration::from_hours(1);
    let fast = per_minute(1, Whose::All);
    let throttle = throttle(&[fast, slow, fast], &[], &clock());
    let rules = throttle.everywhere(Stage::Admitted);
    rules.take(&caller(1, Some("ann"))).unwrap();
    let exceeded = rules.take(&caller(1, Some("ann"))).unwrap_err();
    assert_eq!(
        (exceeded.rate, exceeded.wait),
        (slow, Duration::from_hours(1))
    );
}

/// However many threads ask at once, and whomever for.
#[test]
fn of_many_who_ask_at_the_same_time_each_gets_exactly_what_they_may_have() {
    const MAX: usize = 5;
    const CALLERS: usize = 200;
    const THREADS: usize = 8;
    let max = u32::try_from(MAX).unwrap();
    let throttle = throttle(&[per_minute(max, Whose::Ip)], &[], &clock());
    let rules = throttle.everywhere(Stage::Arrived);
    let start = Barrier::new(THREADS);
    let passed: [AtomicUsize; CALLERS] = std::array::from_fn(|_| AtomicUsize::new(0));
    let asks = |thread: usize| {
        start.wait();
        for step in 0..MAX * CALLERS {
            // Each begins elsewhere, and comes to all of them.
            let who = (step + thread * CALLERS / THREADS) % CALLERS;
            if rules
                .take(&caller(u8::try_from(who).unwrap(), None))
                .is_ok()
            {
                passed[who].fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let asks = &asks;
        for thread in 0..THREADS {
            scope.spawn(move || asks(thread));
        }
    });
    let passed = passed.map(AtomicUsize::into_inner);
    assert_eq!(passed, [MAX; CALLERS]);
}

/// What an attacker with more addresses than the table has places can do to others: nothing.
#[test]
fn a_flood_of_addresses_neither_shuts_anybody_out_nor_frees_whom_it_pushes_on() {
    let clock = clock();
    let throttle = throttle(&[per_minute(10, Whose::Ip)], &[], &clock);
    let rules = throttle.everywhere(Stage::Arrived);
    let greedy = caller(1, None);
    while rules.take(&greedy).is_ok() {}
    for subnet in 0..500_000_u64 {
        let network = (0x2001_0db8_u128 << 96) | (u128::from(subnet) << 64);
        let stranger = Caller {
            network: IpAddr::from(network.to_be_bytes()),
            subject: None,
            session: None,
        };
        rules.take(&stranger).expect("a stranger is let in");
    }
    assert!(rules.take(&greedy).is_err());
    assert!(rules.take(&caller(2, None)).is_ok());
}

#[test]
fn refusals_are_counted_where_and_by_what_they_happened() {
    let metrics = Metrics::new();
    let name: Arc<str> = "/api".into();
    let rates = [per_minute(1, Whose::Ip)];
    let routes = [(&name, &rates[..])];
    let throttle = Throttle::new(&[], routes, parts(&clock(), &metrics));
    let rules = throttle.route(0, Stage::Arrived);
    for _ in 0..3 {
        let _verdict = rules.take(&caller(1, None));
    }
    let mut text = String::new();
    metrics.encode(&mut text).unwrap();
    let line = "otp_gateway_rate_limited_total{route=\"/api\",limit=\"1/60s per ip\"} 2";
    assert!(text.contains(line), "{text}");
}
