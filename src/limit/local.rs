//! One limit, counted in this process by the generic cell rate algorithm; knows nothing of requests.
//!
//! `burst` requests may come at once, and from then on one per interval. In any span of time whatever
//! that is never more than `burst` and one per interval of it, so with a burst as large as the
//! quota (which is the default) twice the quota in the one worst window, and the quota in
//! all that follow. The exact window, which needs all its events kept, is what shared limits are for.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock,
    middleware::{StateInformationMiddleware, StateSnapshot},
    nanos::Nanos,
};

use crate::{
    clock::Clock,
    domain::rate::{Rate, Whose},
    limit::{Exceeded, Standing, table::Table},
};

/// The requests of each key, as far as they still count.
#[derive(Debug)]
pub struct Local {
    rate: Rate,
    interval: Duration,
    limiter: Limiter,
    table: Table,
    /// Nobody outside can tell which keys share a set, or which few share a state.
    hasher: RandomState,
}

type Limiter = RateLimiter<u64, Table, Steady, StateInformationMiddleware>;

/// The time by which rates are judged, from which nothing is gained or lost when the clock is set.
#[derive(Debug, Clone)]
struct Steady(Clock);

/// Keys of one limit: a mebibyte. More of them at once than that, and within one window, share it as
/// [`super::table`] says.
const KEYS: usize = 7 * 8192;

impl Local {
    /// Counts for `rate` from now on.
    pub fn new(rate: Rate, clock: Clock) -> Self {
        let interval = rate.interval().max(Duration::from_nanos(1));
        let keys = match rate.whose {
            Whose::Ip | Whose::Subject | Whose::Session => KEYS,
            Whose::All => 1,
        };
        let table = Table::new(keys);
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(rate.burst));
        let quota = quota.allow_burst(rate.burst);
        Self {
            rate,
            interval,
            limiter: RateLimiter::new(quota, table.clone(), Steady(clock)),
            table,
            hasher: RandomState::new(),
        }
    }

    /// Under which number somebody is counted.
    pub fn number(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Takes one request from the budget of `key`.
    pub fn take(&self, key: u64) -> Result<Standing, Exceeded> {
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(self.standing(&state)),
            Err(not_until) => Err(Exceeded {
                rate: self.rate,
                wait: not_until.wait_time_from(clock::Clock::now(self.limiter.clock())),
            }),
        }
    }

    /// Takes it back.
    pub fn give_back(&self, key: u64) {
        let interval = Nanos::from(self.interval).as_u64();
        self.table.rewind(key, interval);
    }

    fn standing(&self, state: &StateSnapshot) -> Standing {
        let left = state.remaining_burst_capacity();
        let used = self.rate.burst.get().saturating_sub(left);
        Standing {
            rate: self.rate,
            left,
            full_in: self.interval.saturating_mul(used),
        }
    }
}

impl clock::Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.steady()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::Timestamp,
        domain::{quota, rate::Counted},
    };

    fn clock() -> Clock {
        Clock::manual(Timestamp::from_secs(1_900_000_000))
    }

    fn rate(max: u32, window: Duration, burst: u32) -> Rate {
        let max = NonZeroU32::new(max).unwrap();
        Rate {
            quota: quota::Quota { max, window },
            whose: Whose::Ip,
            burst: NonZeroU32::new(burst).unwrap(),
            counted: Counted::Here,
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_per_interval() {
        let clock = clock();
        let local = Local::new(rate(10, Duration::from_secs(1), 3), clock.clone());
        let left: Vec<u32> = (0..3).map(|_| local.take(1).unwrap().left).collect();
        assert_eq!(left, [2, 1, 0]);
        let wait = |key: u64| local.take(key).unwrap_err().wait;
        assert_eq!(wait(1), Duration::from_millis(100));
        clock.advance(Duration::from_millis(99));
        assert_eq!(wait(1), Duration::from_millis(1));
        clock.advance(Duration::from_millis(1));
        assert_eq!(local.take(1).unwrap().left, 0);
        assert_eq!(wait(1), Duration::from_millis(100));
        // Somebody else has a budget of their own.
        let standing = local.take(2).unwrap();
        assert_eq!((standing.left, standing.full_in.as_millis()), (2, 100));
    }

    #[test]
    fn being_refused_does_not_prolong_the_wait() {
        let clock = clock();
        let local = Local::new(rate(1, Duration::from_secs(1), 1), clock.clone());
        local.take(1).unwrap();
        for _ in 0..100 {
            clock.advance(Duration::from_millis(9));
            assert!(local.take(1).is_err());
        }
        clock.advance(Duration::from_millis(100));
        assert!(local.take(1).is_ok());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let local = Local::new(rate(2, Duration::from_mins(1), 2), clock());
        for _ in 0..1000 {
            local.take(1).unwrap();
            local.give_back(1);
        }
        local.take(1).unwrap();
        local.take(1).unwrap();
        assert!(local.take(1).is_err());
    }

    proptest! {
        /// The promise: in no span of any position more than the burst and one per interval of it.
        #[test]
        fn no_span_holds_more_than_its_burst_and_its_intervals(
            max in 1_u32..20,
            window in 1_u64..5,
            burst in 1_u32..10,
            steps in prop::collection::vec(0_u64..300, 1..200),
        ) {
            let clock = clock();
            let rate = rate(max, Duration::from_secs(window), burst);
            let local = Local::new(rate, clock.clone());
            let mut passed: Vec<u128> = Vec::new();
            let mut now = 0;
            for step in steps {
                now += u128::from(step);
                clock.advance(Duration::from_millis(step));
                match local.take(1) {
                    Ok(_) => passed.push(now),
                    // The wait is exact.
                    Err(Exceeded { wait, .. }) => {
                        prop_assert!(!wait.is_zero() && wait <= rate.interval());
                    }
                }
            }
            for (at, first) in passed.iter().enumerate() {
                for (count, last) in (1_u128..).zip(&passed[at..]) {
                    let gained = (last - first) * 1_000_000 / rate.interval().as_nanos();
                    prop_assert!(count <= u128::from(burst) + gained);
                }
            }
        }
    }
}
