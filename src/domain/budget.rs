//! Budgets: how much money may be spent in any window of time, and what was; where that is kept is the store's.
//!
//! A purse remembers what was spent in slots, each a twenty-fourth of the window, and a slot counts as
//! long as any moment of it may lie within the window. So no window ever holds more than the budget,
//! wherever it begins, and what was spent is free again a twenty-fourth of the window late at most.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{
        money::Money,
        quota::{Bucket, Per, Verdict},
    },
};

/// At most `max` in any window of length `window`: one line of `otp.budgets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// How much.
    pub max: Money,
    /// In which span, wherever it starts.
    pub window: Duration,
    /// For whose messages.
    pub per: Per,
}

/// What a message costs one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expense {
    /// The name under which is kept what was spent.
    pub purse: Bucket,
    /// What may be.
    pub budget: Budget,
    /// The price of the message.
    pub price: Money,
}

/// What was spent of a budget of late.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Purse {
    /// From when on all of it is free again.
    pub dead_at: Timestamp,
    /// When it was last told that most of it is spent.
    warned_at: Timestamp,
    /// The oldest one first.
    slots: Vec<Slot>,
}

/// What was spent in one slot of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    /// How many slots have been since the epoch.
    number: u64,
    spent: Money,
}

/// Slots of a window.
const SLOTS: u64 = 24;

/// Whether it is to be told that most of a budget is spent: once in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is not, or it was told.
    Enough,
    /// It is.
    Little,
}

impl Budget {
    /// How long a slot is, in milliseconds.
    fn slot(self) -> u64 {
        millis(self.window).div_ceil(SLOTS).max(1)
    }

    /// From when on what was spent in a slot is free again.
    fn free_again(self, slot: Slot) -> Timestamp {
        let end = slot.number.saturating_add(1).saturating_mul(self.slot());
        Timestamp::from_millis(end) + self.window
    }
}

impl Purse {
    /// Whether a message can be paid for, and if not, from when on.
    pub fn judge(&self, expense: &Expense, now: Timestamp) -> Verdict {
        let Expense { budget, price, .. } = *expense;
        let mut spent = self.spent(budget, now);
        if spent.plus(price) <= budget.max {
            return Verdict::Admitted;
        }
        for slot in self.counted(budget, now) {
            spent = spent.minus(slot.spent);
            if spent.plus(price) <= budget.max {
                return Verdict::RefusedUntil(budget.free_again(*slot));
            }
        }
        // One message costs more than all there is.
        Verdict::RefusedUntil(now + budget.window)
    }

    /// Pays for a message that was admitted.
    pub fn spend(&mut self, expense: &Expense, now: Timestamp) -> Left {
        let Expense { budget, price, .. } = *expense;
        self.slots.retain(|slot| budget.free_again(*slot) > now);
        let number = now.as_millis() / budget.slot();
        match self.slots.last_mut() {
            // Or later, if the clock was set back: then it counts for longer.
            Some(last) if last.number >= number => last.spent = last.spent.plus(price),
            Some(_) | None => self.slots.push(Slot {
                number,
                spent: price,
            }),
        }
        let dead_at = self.slots.last().map(|last| budget.free_again(*last));
        self.dead_at = dead_at.unwrap_or(now);
        let is_told = self.warned_at + budget.window > now && self.warned_at <= now;
        if is_told || !self.spent(budget, now).is_most_of(budget.max) {
            return Left::Enough;
        }
        self.warned_at = now;
        Left::Little
    }

    /// As a store keeps it that counts in numbers alone.
    pub fn to_numbers(&self) -> Vec<u64> {
        let moments = [self.dead_at.as_millis(), self.warned_at.as_millis()];
        let slots = self.slots.iter();
        let slots = slots.flat_map(|slot| [slot.number, slot.spent.as_micros()]);
        moments.into_iter().chain(slots).collect()
    }

    /// The purse that such a store keeps, if it is one.
    pub fn from_numbers(numbers: &[u64]) -> Option<Self> {
        let ([dead_at, warned_at], slots) = numbers.split_first_chunk()?;
        let (slots, []) = slots.as_chunks() else {
            return None;
        };
        let slots = slots.iter().map(|[number, spent]| Slot {
            number: *number,
            spent: Money::from_micros(*spent),
        });
        Some(Self {
            dead_at: Timestamp::from_millis(*dead_at),
            warned_at: Timestamp::from_millis(*warned_at),
            slots: slots.collect(),
        })
    }

    fn spent(&self, budget: Budget, now: Timestamp) -> Money {
        let counted = self.counted(budget, now);
        counted.fold(Money::ZERO, |all, slot| all.plus(slot.spent))
    }

    fn counted(&self, budget: Budget, now: Timestamp) -> impl Iterator<Item = &Slot> {
        let slots = self.slots.iter();
        slots.filter(move |slot| budget.free_again(**slot) > now)
    }
}

/// As it is written in a configuration; also the name that its purses are known by.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1000, "s"),
        ];
        let window = millis(self.window);
        let unit = UNITS
            .into_iter()
            .find(|(unit, _)| window.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, "ms"));
        let (max, per) = (self.max, self.per.as_str());
        write!(f, "{max}/{}{name} per {per}", window / unit)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_hours(24);
    const HOUR: Duration = Duration::from_hours(1);
    /// The beginning of a slot of a day.
    const START: Timestamp = Timestamp::from_secs(500_000 * 3600);

    fn expense(max: u64, price: u64, window: Duration) -> Expense {
        Expense {
            purse: Bucket([1; 16]),
            budget: Budget {
                max: Money::from_micros(max),
                window,
                per: Per::All,
            },
            price: Money::from_micros(price),
        }
    }

    #[test]
    fn a_budget_is_spent_to_the_last_millionth_and_free_again_after_its_window() {
        let expense = expense(10, 3, DAY);
        let mut purse = Purse::default();
        for _ in 0..3 {
            assert_eq!(purse.judge(&expense, START), Verdict::Admitted);
            purse.spend(&expense, START);
        }
        // The slot ends an hour later, and counts for a day from then on.
        let again = START + HOUR + DAY;
        let refused = Verdict::RefusedUntil(again);
        assert_eq!(purse.judge(&expense, START), refused);
        let last = again.minus(Duration::from_millis(1));
        assert_eq!(purse.judge(&expense, last), refused);
        assert_eq!(purse.judge(&expense, again), Verdict::Admitted);
        assert_eq!(purse.dead_at, again);
        let cheaper = Expense {
            price: Money::from_micros(1),
            ..expense
        };
        assert_eq!(purse.judge(&cheaper, START), Verdict::Admitted);
    }

    #[test]
    fn what_costs_more_than_there_is_never_sent() {
        let expense = expense(10, 11, DAY);
        let never = Verdict::RefusedUntil(START + DAY);
        assert_eq!(Purse::default().judge(&expense, START), never);
    }

    #[test]
    fn it_is_told_once_in_a_window_that_little_is_left() {
        let expense = expense(10, 1, DAY);
        let mut purse = Purse::default();
        let mut told = Vec::new();
        for n in 0..40 {
            let now = START + n * 3 * HOUR;
            if purse.judge(&expense, now) == Verdict::Admitted
                && purse.spend(&expense, now) == Left::Little
            {
                told.push(n);
            }
        }
        assert_eq!(told, [7, 15, 23, 31, 39]);
    }

    #[test]
    fn a_budget_shows_itself_as_it_is_written() {
        for (window, shown) in [
            (DAY, "20.00/1d per all"),
            (90 * HOUR / 60, "20.00/90m per all"),
        ] {
            assert_eq!(expense(20_000_000, 1, window).budget.to_string(), shown);
        }
    }

    proptest! {
        /// Whatever is asked for when, and however the clock jumps, no window overflows.
        #[test]
        fn no_window_of_any_position_holds_more_than_the_budget(
            max in 1_u64..30,
            window in 1_u64..200,
            asks in prop::collection::vec((0_u64..40, 1_u64..12), 0..200),
        ) {
            let mut purse = Purse::default();
            let mut now = 1_000_000;
            let mut spent: Vec<(u64, u64)> = Vec::new();
            for (wait, price) in asks {
                now += wait;
                let expense = expense(max, price, Duration::from_millis(window));
                let moment = Timestamp::from_millis(now);
                match purse.judge(&expense, moment) {
                    Verdict::Admitted => {
                        purse.spend(&expense, moment);
                        spent.push((now, price));
                    }
                    Verdict::RefusedUntil(then) if price <= max => {
                        prop_assert!(then > moment);
                        prop_assert_eq!(purse.judge(&expense, then), Verdict::Admitted);
                        let before = then.minus(Duration::from_millis(1));
                        prop_assert_ne!(purse.judge(&expense, before), Verdict::Admitted);
                    }
                    Verdict::RefusedUntil(_) => {}
                }
                prop_assert!(purse.slots.len() <= 26);
            }
            for (at, (first, _)) in spent.iter().enumerate() {
                let inside = spent[at..].iter().filter(|(moment, _)| *moment < first + window);
                prop_assert!(inside.map(|(_, price)| price).sum::<u64>() <= max);
            }
        }

        #[test]
        fn a_purse_is_the_same_behind_its_numbers(prices in prop::collection::vec((0_u64..9_000_000, 0_u64..9), 0..60)) {
            let mut purse = Purse::default();
            let mut now = START;
            for (wait, price) in prices {
                now = now + Duration::from_millis(wait);
                purse.spend(&expense(100, price, DAY), now);
            }
            prop_assert_eq!(Purse::from_numbers(&purse.to_numbers()), Some(purse));
        }
    }
}
