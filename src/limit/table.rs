//! A table of bounded size for the state of very many keys; knows neither whose keys they are nor what their state means.
//!
//! A key has one set of [`WAYS`] slots it may stand in, and a lock for each set, on cache lines of its
//! own: two workers wait for each other, or move a line between their cores, only when they count
//! in the same set at the same moment. Nothing is ever swept, moved or grown. A key that finds its set
//! full takes the slot of the one that has used least of its budget, counting from now: an idle
//! one first, whose state means nothing any more, and never the one that is throttled hardest.
//!
//! So whoever comes with millions of addresses pushes out those that have used no more than each of
//! these has, and they begin anew with a full budget. That gives the flood nothing it did not have, since
//! each of its addresses had a budget to begin with; it frees nobody who has used more, and shuts nobody
//! out. Counting by the other rule, by refusing new keys while the table is full, would.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::{nanos::Nanos, state::StateStore};

/// Where the state of keys is kept. Clones are the same table.
#[derive(Debug, Clone)]
pub struct Table(Arc<[Set]>);

/// Two cache lines: what a processor fetches together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Set(Mutex<[Slot; WAYS]>);

/// One key. An empty one is due at the beginning of time, as one that has used nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    /// When its budget is full again.
    due: u64,
}

/// Keys of one set, as many as fit beside its lock.
const WAYS: usize = 7;

impl Table {
    /// A table for about so many keys at once; never for none.
    pub fn new(keys: usize) -> Self {
        const { assert!(size_of::<Set>() == 128) };
        Self(
            (0..keys.div_ceil(WAYS).max(1))
                .map(|_| Set::default())
                .collect(),
        )
    }

    /// Moves the state of `key` back by `span`, if it is still there.
    pub fn rewind(&self, key: u64, span: u64) {
        let Some(mut slots) = self.set(key) else {
            return;
        };
        if let Some(slot) = slots.iter_mut().find(|slot| slot.key == key) {
            slot.due = slot.due.saturating_sub(span);
        }
    }

    /// The slots that `key` may stand in. Keys are as good as random, so their remainders are, too.
    fn set(&self, key: u64) -> Option<MutexGuard<'_, [Slot; WAYS]>> {
        let at = key.checked_rem(self.0.len() as u64)?;
        let Set(slots) = self.0.get(usize::try_from(at).ok()?)?;
        // No slot can be left half written.
        Some(slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StateStore for Table {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Some(mut slots) = self.set(*key) else {
            return judge(None).map(|(outcome, _)| outcome);
        };
        let known = slots.iter().find(|slot| slot.key == *key);
        let (outcome, due) = judge(known.map(|slot| Nanos::from(slot.due)))?;
        let is_known = known.is_some();
        let place = if is_known {
            slots.iter_mut().find(|slot| slot.key == *key)
        } else {
            slots.iter_mut().min_by_key(|slot| slot.due)
        };
        if let Some(slot) = place {
            *slot = Slot {
                key: *key,
                due: due.as_u64(),
            };
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the table knows of `key`, which is left as it is.
    fn due(table: &Table, key: u64) -> Option<u64> {
        let read = |due: Option<Nanos>| Err::<((), Nanos), _>(due.map(Nanos::as_u64));
        table.measure_and_replace(&key, read).unwrap_err()
    }

    fn put(table: &Table, key: u64, due: u64) {
        let write = |_| Ok::<_, ()>(((), Nanos::from(due)));
        table.measure_and_replace(&key, write).unwrap();
    }

    #[test]
    fn who_has_used_most_is_pushed_out_last() {
        let table = Table::new(WAYS);
        for key in 1..=7 {
            put(&table, key, key * 10);
        }
        put(&table, 8, 5);
        assert_eq!(due(&table, 1), None);
        assert_eq!(due(&table, 8), Some(5));
        for flood in 100..1_000_000 {
            put(&table, flood, 35);
        }
        // Of those that used more than the flood nobody had to go.
        let left: Vec<_> = (1..=8).filter(|key| due(&table, *key).is_some()).collect();
        assert_eq!(left, [4, 5, 6, 7]);
    }

    #[test]
    fn however_many_keys_come_the_table_does_not_grow() {
        let table = Table::new(700);
        for key in 0..100_000 {
            put(&table, key, key + 1);
        }
        let kept = (0..100_000)
            .filter(|key| due(&table, *key).is_some())
            .count();
        assert_eq!(kept, 700);
        assert_eq!(table.0.len(), 100);
    }

    #[test]
    fn what_is_taken_back_is_as_if_it_had_not_been() {
        let table = Table::new(1);
        put(&table, 3, 30);
        table.rewind(3, 10);
        table.rewind(4, 10);
        assert_eq!((due(&table, 3), due(&table, 4)), (Some(20), None));
    }

    proptest! {
        /// As long as the keys of a set fit into it, a table is a map.
        #[test]
        fn a_table_that_is_not_full_forgets_nothing(
            steps in prop::collection::vec((0_u64..21, 1_u64..1000), 0..200),
        ) {
            let table = Table::new(21);
            let mut model = std::collections::HashMap::new();
            for (key, state) in steps {
                put(&table, key, state);
                model.insert(key, state);
            }
            for key in 1..21 {
                prop_assert_eq!(due(&table, key), model.get(&key).copied());
            }
        }
    }
}
