//! How long a slow client may keep us waiting: for a pause, but not for one pause after the other. Knows no clock.
//!
//! A limit for each pause alone is none: who sends one byte just before it is over stays for ever.
//! So patience is a purse. It holds one pause at the beginning and never more; waiting takes from it,
//! and every byte that moves puts a little back. Who moves bytes at the least rate or faster never
//! empties it, whatever the pauses in between; who is slower does, sooner or later.

use std::time::Duration;

/// What is left of our patience with one transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    left: Duration,
    pace: Pace,
}

/// How slow a client may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest pause.
    pub pause: Duration,
    /// The least bytes per second on average; with 0 every byte earns a whole pause.
    pub rate: u32,
}

impl Patience {
    /// With a client that has not kept us waiting yet.
    pub const fn new(pace: Pace) -> Self {
        Self {
            left: pace.pause,
            pace,
        }
    }

    /// The same as at the beginning.
    #[must_use]
    pub const fn renewed(self) -> Self {
        Self::new(self.pace)
    }

    /// How long the next pause may be.
    pub const fn left(&self) -> Duration {
        self.left
    }

    /// The client has kept us waiting.
    pub const fn waited(&mut self, span: Duration) {
        self.left = self.left.saturating_sub(span);
    }

    /// The client has sent something, or taken it.
    pub fn moved(&mut self, bytes: usize) {
        let Pace { pause, rate } = self.pace;
        if self.left < pause && bytes > 0 {
            let earned = match u64::from(rate) {
                0 => pause,
                rate => Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate),
            };
            self.left = self.left.saturating_add(earned).min(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    const SECOND: Duration = Duration::from_secs(1);
    const PACE: Pace = Pace {
        pause: Duration::from_secs(30),
        rate: 100,
    };

    #[test]
    fn a_byte_just_before_the_pause_is_over_does_not_buy_another_one() {
        let mut patience = Patience::new(PACE);
        patience.waited(29 * SECOND);
        patience.moved(1);
        assert!(patience.left() < 2 * SECOND);
    }

    #[test]
    fn without_a_rate_it_does() {
        let mut patience = Patience::new(Pace { rate: 0, ..PACE });
        patience.waited(29 * SECOND);
        patience.moved(1);
        assert_eq!(patience.left(), PACE.pause);
    }

    proptest! {
        #[test]
        fn who_keeps_to_the_rate_is_never_given_up(pauses in vec(0u32..=30, 1..100)) {
            let mut patience = Patience::new(PACE);
            for pause in pauses {
                prop_assert!(patience.left() >= SECOND * pause);
                patience.waited(SECOND * pause);
                patience.moved(usize::try_from(pause).unwrap() * 100);
            }
        }

        #[test]
        fn all_waiting_together_is_a_pause_and_what_the_bytes_are_worth(
            steps in vec((0u32..40, 0usize..5000), 1..100),
        ) {
            let mut patience = Patience::new(PACE);
            let (mut waited, mut moved) = (Duration::ZERO, 0);
            for (pause, bytes) in steps {
                let pause = (SECOND * pause).min(patience.left());
                patience.waited(pause);
                patience.moved(bytes);
                waited += pause;
                moved += bytes as u64;
                prop_assert!(waited <= PACE.pause + Duration::from_millis(moved * 10));
                prop_assert!(patience.left() <= PACE.pause);
            }
        }
    }
}
