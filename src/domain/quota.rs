//! Exact sliding-window limits: what a quota is and when one more event fits; where events are kept is the store's.

use std::{fmt, num::NonZeroU32, time::Duration};

use crate::{clock::Timestamp, domain::account::AccountKey};

/// At most `max` events in any window of length `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How many.
    pub max: NonZeroU32,
    /// In which span, wherever it starts.
    pub window: Duration,
}

/// Whose events a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// One phone number.
    Phone,
    /// One client address (IPv6 by /64).
    Ip,
    /// All numbers of one country calling code.
    Country,
    /// Everything this gateway sends.
    All,
}

/// One line of `otp.limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// How much is allowed.
    pub quota: Quota,
    /// To whom.
    pub per: Per,
}

/// The name under which one subject's events of one limit are kept. It holds the limit itself too,
/// so that a changed quota starts a count of its own. A phone's own bucket begins as its account's
/// name does, so that a store on several servers finds both on the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(pub [u8; 16]);

/// One unit to be taken from a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// From where.
    pub bucket: Bucket,
    /// What the bucket holds.
    pub quota: Quota,
}

/// Whether one more event fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Admitted,
    /// It does not; it will at this moment, if nothing else comes first.
    RefusedUntil(Timestamp),
}

impl Quota {
    /// Judges one more event at `now`, given when the `max`-th last one happened (`None` when
    /// there were fewer). Since every admitted event lies at least one window behind the event
    /// `max` places before it, no window of that length ever holds more than `max`.
    pub fn judge(self, max_events_ago: Option<Timestamp>, now: Timestamp) -> Verdict {
        match max_events_ago.map(|earlier| earlier + self.window) {
            Some(free_again) if free_again > now => Verdict::RefusedUntil(free_again),
            Some(_) | None => Verdict::Admitted,
        }
    }
}

impl Bucket {
    /// The bucket of the same events under a name that begins as that of `account` does.
    #[must_use]
    pub const fn beside(mut self, account: AccountKey) -> Self {
        let ([mine, ..], [its, ..]) = (&mut self.0, account.0);
        *mine = its;
        self
    }
}

impl Per {
    /// The word used in the configuration and as the policy's name in `RateLimit` headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Ip => "ip",
            Self::Country => "country",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, per } = self;
        write!(
            f,
            "{}/{}s per {}",
            quota.max,
            quota.window.as_secs(),
            per.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The rule alone, driven over any sequence of arrivals, never lets a window overflow.
        #[test]
        fn no_window_of_any_position_holds_more_than_max(
            max in 1u32..6,
            window in 1u64..50,
            steps in prop::collection::vec(0u64..20, 0..200),
        ) {
            let quota = Quota {
                max: NonZeroU32::new(max).unwrap(),
                window: Duration::from_millis(window),
            };
            let mut now = 1_000;
            let mut admitted: Vec<u64> = Vec::new();
            for step in steps {
                now += step;
                let earlier = admitted.len().checked_sub(max as usize)
                    .map(|at| Timestamp::from_millis(admitted[at]));
                match quota.judge(earlier, Timestamp::from_millis(now)) {
                    Verdict::Admitted => admitted.push(now),
                    Verdict::RefusedUntil(later) => {
                        prop_assert!(later > Timestamp::from_millis(now));
                        // The wait is exact: one window after the event that blocks.
                        let blocker = Timestamp::from_millis(admitted[admitted.len() - max as usize]);
                        prop_assert_eq!(later, blocker + quota.window);
                    }
                }
            }
            for (at, first) in admitted.iter().enumerate() {
                let inside = admitted[at..].iter().filter(|t| **t < first + window).count();
                prop_assert!(inside <= max as usize);
            }
        }
    }
}
