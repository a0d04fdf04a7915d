//! When a message that nobody took is tried again: a rule about its age and what is left of its code; knows nothing of why it was not taken.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_secs(2);

/// No pause is longer.
const LONGEST: Duration = Duration::from_mins(1);

/// With less left of its life a code is hardly of use to whoever receives it.
const NEARLY_DEAD: Duration = Duration::from_secs(30);

/// The part of its life with less than which it is not, however short that is.
const LAST_PART: u32 = 4;

/// How long to wait before a message is tried again that is so old, and whose code lives so long
/// from now on: as long as it has waited already. `None` if there is no use in it any more.
pub fn pause(age: Duration, left: Duration) -> Option<Duration> {
    let pause = age.clamp(SHORTEST, LONGEST);
    let needed = NEARLY_DEAD.min((age + left) / LAST_PART);
    (left > pause + needed).then_some(pause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When a message is tried whose code lives so long and whom nobody takes.
    fn tries(life: Duration) -> Vec<u64> {
        let mut at = Duration::ZERO;
        let mut tries = vec![0];
        while let Some(pause) = pause(at, life.saturating_sub(at)) {
            at += pause;
            tries.push(at.as_secs());
        }
        tries
    }

    #[test]
    fn the_pauses_grow_until_the_code_is_nearly_dead() {
        let of_five_minutes = tries(Duration::from_mins(5));
        assert_eq!(of_five_minutes, [0, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
        assert_eq!(tries(Duration::from_secs(30)), [0, 2, 4, 8, 16]);
        assert_eq!(tries(Duration::from_secs(2)), [0]);
    }

    proptest! {
        /// However long a code lives, it is tried a bounded number of times, each time with some
        /// of its life left, and never in vain at once.
        #[test]
        fn nobody_is_asked_for_ever_or_for_a_dead_code(millis in 0_u64..86_400_000) {
            let life = Duration::from_millis(millis);
            let (mut at, mut count) = (Duration::ZERO, 0);
            while let Some(pause) = pause(at, life.saturating_sub(at)) {
                prop_assert!((SHORTEST..=LONGEST).contains(&pause));
                at += pause;
                count += 1;
                prop_assert!(life.saturating_sub(at) >= NEARLY_DEAD.min(life / LAST_PART));
            }
            prop_assert!(count <= 6 + millis / 60_000);
        }
    }
}
