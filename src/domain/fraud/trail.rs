//! Whether somebody counts through the numbers of a range: those that were sent to of late and not verified; knows not what that costs.
//!
//! Numbers drawn at random hardly ever stand side by side among ten thousand. So where a few that
//! nobody has verified do, they are somebody's list, and what is asked for near them will be, too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The last four digits of a number: which one of its range it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Tail(u16);

/// The last numbers of a range that were sent to and not verified, the latest one last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trail(Vec<Print>);

/// One of them, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Print {
    tail: Tail,
    at: Timestamp,
}

/// Numbers that are remembered.
const LENGTH: usize = 8;

/// How far from each other the numbers of a row are at most.
const STEP: u16 = 10;

/// How far around a number that is verified nobody is suspected of counting: somebody lives there.
const HOME: u16 = 100;

/// How far from a row a number still belongs to it: whoever was refused goes on behind.
const REACH: u16 = 1000;

impl Tail {
    /// The end of a number that is written in digits.
    pub fn of(number: &str) -> Option<Self> {
        let from = number.len().checked_sub(4)?;
        let digits = number.get(from..)?.parse().ok()?;
        Self::new(digits)
    }

    /// From a number of at most four digits.
    pub fn new(digits: u16) -> Option<Self> {
        (digits < 10_000).then_some(Self(digits))
    }

    /// The four digits, as a number.
    pub const fn digits(self) -> u16 {
        self.0
    }
}

impl Trail {
    /// How many numbers the longest row has that `tail` belongs to, itself not counted.
    pub(super) fn row(&self, tail: Tail) -> u16 {
        let others = self.0.iter().map(|print| print.tail);
        let mut others: Vec<_> = others.filter(|other| *other != tail).collect();
        others.sort_unstable();
        let rows = others.chunk_by(|Tail(one), Tail(next)| next - one <= STEP);
        let near = rows.filter(|row| is_near(row, tail));
        let lengths = near.filter_map(|row| u16::try_from(row.len()).ok());
        lengths.max().unwrap_or_default()
    }

    /// `tail` was sent to.
    pub(super) fn tread(&mut self, tail: Tail, at: Timestamp) {
        self.0.retain(|print| print.tail != tail);
        if self.0.len() == LENGTH {
            self.0.remove(0);
        }
        self.0.push(Print { tail, at });
    }

    /// `tail` was verified: it is somebody's, and so are its neighbours.
    pub(super) fn clear(&mut self, tail: Tail) {
        self.0.retain(|print| print.tail.0.abs_diff(tail.0) > HOME);
    }

    /// Forgets what lies further back than `memory`.
    pub(super) fn pass_time(&mut self, memory: Duration, now: Timestamp) {
        self.0.retain(|print| print.at + memory > now);
    }

    /// As a store keeps it that counts in floats alone: each number, and its moment in milliseconds.
    pub(super) fn to_numbers(&self) -> impl Iterator<Item = (u16, Timestamp)> {
        self.0.iter().map(|print| (print.tail.digits(), print.at))
    }

    /// The trail that such a store keeps, if it is one.
    pub(super) fn from_numbers(numbers: impl Iterator<Item = (u16, Timestamp)>) -> Option<Self> {
        let print = |(digits, at)| Tail::new(digits).map(|tail| Print { tail, at });
        let prints: Vec<_> = numbers.map(print).collect::<Option<_>>()?;
        (prints.len() <= LENGTH).then_some(Self(prints))
    }
}

fn is_near(row: &[Tail], Tail(tail): Tail) -> bool {
    let (Some(Tail(first)), Some(Tail(last))) = (row.first(), row.last()) else {
        return false;
    };
    (first.saturating_sub(REACH)..=last + REACH).contains(&tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn trail(tails: &[u16]) -> Trail {
        let mut trail = Trail::default();
        for tail in tails {
            trail.tread(Tail(*tail), NOW);
        }
        trail
    }

    #[test]
    fn the_tail_of_a_number_is_its_last_four_digits() {
        assert_eq!(Tail::of("+16502530042"), Some(Tail(42)));
        assert_eq!(Tail::of("9999"), Some(Tail(9999)));
        for none in ["", "123", "+1650253004x", "٣٣"] {
            assert_eq!(Tail::of(none), None, "{none}");
        }
        assert_eq!(Tail::new(10_000), None);
    }

    #[test]
    fn whoever_counts_makes_a_row_and_stays_near_it() {
        for step in 1..=10 {
            let up = trail(&[100, 100 + step, 100 + 2 * step]);
            let down = trail(&[100 + 2 * step, 100 + step, 100]);
            for trail in [up, down] {
                assert_eq!(trail.row(Tail(100 + 3 * step)), 3, "{step}");
                assert_eq!(trail.row(Tail(100 + 2 * step + REACH)), 3, "{step}");
                assert_eq!(trail.row(Tail(101 + 2 * step + REACH)), 0, "{step}");
                // Nobody is near themselves.
                assert_eq!(trail.row(Tail(100)), 2, "{step}");
            }
        }
        assert_eq!(trail(&[100, 111, 122]).row(Tail(133)), 1);
        assert_eq!(trail(&[9998, 9999, 9997]).row(Tail(9000)), 3);
    }

    #[test]
    fn whoever_verifies_clears_the_numbers_beside_theirs() {
        let mut trail = trail(&[105, 110, 115, 400, 500]);
        trail.clear(Tail(10));
        assert_eq!(trail, self::trail(&[115, 400, 500]));
        trail.clear(Tail(450));
        assert_eq!(trail, self::trail(&[115]));
    }

    #[test]
    fn only_the_last_few_are_remembered_and_for_a_while() {
        let mut trail = trail(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9]);
        assert_eq!(trail, self::trail(&[2, 3, 4, 5, 6, 7, 8, 9]));
        let day = Duration::from_hours(24);
        trail.pass_time(day, (NOW + day).minus(Duration::from_millis(1)));
        assert_eq!(trail.row(Tail(10)), 8);
        trail.pass_time(day, NOW + day);
        assert_eq!(trail, Trail::default());
    }

    proptest! {
        #[test]
        fn the_order_in_which_numbers_come_tells_nothing(
            tails in prop::collection::hash_set(0_u16..10_000, 0..LENGTH),
            tail in 0_u16..10_000,
        ) {
            let tails: Vec<_> = tails.into_iter().collect();
            let mut turned = tails.clone();
            turned.reverse();
            prop_assert_eq!(trail(&tails).row(Tail(tail)), trail(&turned).row(Tail(tail)));
        }

        #[test]
        fn no_number_makes_the_row_of_another_one_shorter(
            tails in prop::collection::vec(0_u16..200, 0..LENGTH),
            next in 0_u16..200,
            tail in 0_u16..200,
        ) {
            let mut longer = tails.clone();
            longer.push(next);
            prop_assert!(trail(&tails).row(Tail(tail)) <= trail(&longer).row(Tail(tail)));
        }
    }
}
