//! The limits of the throttle: `limits` of a route, `requests` of `[server.limits]`; what they may be.

use std::time::Duration;

use crate::{
    config::{item::Item, problem::Reported, units, value::Value},
    domain::rate::{Counted, Rate},
};

/// The shortest span: headers tell spans in whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest: counts of this process do not outlive it.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// Events of one window that a store keeps for somebody.
const MOST_SHARED: u32 = 100_000;

/// Requests in a second that nobody needs a limit for.
const FASTEST: Duration = Duration::from_micros(1);

impl Value for Rate {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str = "a limit such as \"100/s per ip\" or \"100/s burst 500 per subject\" \
                                (or per session, per all)";
        let text = item.text(EXPECTED)?;
        let Some(rate) = units::rate(text) else {
            return Err(item.refuse(format!("expected {EXPECTED}, found {text:?}"), None));
        };
        if !(SHORTEST..=LONGEST).contains(&rate.quota.window) {
            let what = "the span of a limit must be between \"1s\" and \"30d\"";
            return Err(item.refuse(what, None));
        }
        if rate.interval() < FASTEST {
            let what = "more than a million requests per second are no limit";
            return Err(item.refuse(what, None));
        }
        // However long it takes until nothing of a burst counts any more, it can be told in nanoseconds.
        if rate.interval().saturating_mul(rate.burst.get()) > LONGEST {
            let what = "it would take more than \"30d\" to gain such a burst";
            return Err(item.refuse(what, None));
        }
        if rate.counted == Counted::Shared && rate.burst != rate.quota.max {
            let what = "a shared limit is exact, in any window: it has no burst";
            return Err(item.refuse(what, None));
        }
        if rate.counted == Counted::Shared && rate.quota.max.get() > MOST_SHARED {
            let what = "a store keeps every request of a shared limit: not more than 100000";
            return Err(item.refuse(what, None));
        }
        Ok(rate)
    }
}
