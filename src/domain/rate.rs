//! The limits of the general throttle: how many requests, in which span, of whom; who counts them it does not know.

use std::{fmt, num::NonZeroU32, time::Duration};

use crate::domain::quota::Quota;

/// One line of `limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How much is allowed.
    pub quota: Quota,
    /// To whom.
    pub whose: Whose,
    /// Requests that may come at once; `quota.max` unless something else is said.
    pub burst: NonZeroU32,
    /// By whom they are counted.
    pub counted: Counted,
}

/// Who counts the requests of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// This process, for itself.
    Here,
    /// The store, for all gateways that share it, and exactly. There is no burst then.
    Shared,
}

/// Whose requests a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Those of one client address (IPv6 by /64), before anything else is known of them.
    Ip,
    /// Those of one person, whatever they are logged in with.
    Subject,
    /// Those of one login.
    Session,
    /// Everybody's, of those that got past the token check.
    All,
}

/// Where in a request's life a limit is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before a token is looked at, so that guessing tokens is throttled, too.
    Arrived,
    /// When it is known who is asking, so that nobody uses up what belongs to others.
    Admitted,
}

impl Rate {
    /// The span in which one request becomes free. Rounded up, so that the rate is never more than
    /// what is written.
    pub fn interval(&self) -> Duration {
        let nanos = self.quota.window.as_nanos();
        let nanos = nanos.div_ceil(u128::from(self.quota.max.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// When it is asked.
    pub const fn stage(&self) -> Stage {
        match self.whose {
            Whose::Ip => Stage::Arrived,
            Whose::Subject | Whose::Session | Whose::All => Stage::Admitted,
        }
    }
}

impl Whose {
    /// Everybody whose requests can be counted.
    pub const ALL: [Self; 4] = [Self::Ip, Self::Subject, Self::Session, Self::All];

    /// The word used in the configuration and as the policy's name in `RateLimit` headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Subject => "subject",
            Self::Session => "session",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quota,
            whose,
            burst,
            counted,
        } = self;
        write!(f, "{}/{}s", quota.max, quota.window.as_secs())?;
        if *burst != quota.max {
            write!(f, " burst {burst}")?;
        }
        write!(f, " per {}", whose.as_str())?;
        match counted {
            Counted::Here => Ok(()),
            Counted::Shared => f.write_str(" shared"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_window_ever_gains_more_than_it_may(max in 1_u32.., secs in 1_u64..10_000_000) {
            let max = NonZeroU32::new(max).unwrap();
            let quota = Quota { max, window: Duration::from_secs(secs) };
            let rate = Rate { quota, whose: Whose::Ip, burst: max, counted: Counted::Here };
            let gained = quota.window.as_nanos() / rate.interval().as_nanos();
            prop_assert!(gained <= u128::from(max.get()));
        }
    }
}
