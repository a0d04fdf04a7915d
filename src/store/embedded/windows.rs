//! Sliding windows on tables: when the events of each bucket happened; the rule itself is `domain::quota`'s.
//!
//! The n-th event of a bucket stands in slot n modulo `max`, so the slot that the next event will
//! take tells when the event `max` places before it happened, which is all the rule wants to know:
//! a window costs the same whether it holds three events or a hundred thousand. Small windows keep
//! their slots in their own row, which is one write; large ones in a table, which keeps rows small.

use std::{collections::HashMap, mem};

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{
    fault::Fault,
    tables::{Cursor, EVENTS, Key, Records, WINDOWS},
};
use crate::{
    clock::Timestamp,
    domain::quota::{Charge, Quota, Verdict},
};

/// Windows of up to so many events keep them in their own row.
const INLINE: u32 = 32;

/// Events that one step of the sweep removes at most.
const SWEPT_EVENTS: usize = 256;

/// The two tables of the windows.
#[derive(Debug)]
pub struct Windows<'t> {
    rows: Records<'t, Window>,
    events: Table<'t, (&'static Key, u32), u64>,
    /// Rows that are to be written, once per transaction: every send takes from the budgets that
    /// all share.
    taken: HashMap<Key, (Window, Timestamp)>,
    changed: bool,
}

/// The window of one bucket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    /// Events admitted since the window was last empty.
    count: u64,
    /// The latest of them. Kept apart from `now`, since a clock may be set back.
    latest: Timestamp,
    /// The slots of a small window, filled from the first one on.
    slots: Vec<Timestamp>,
}

impl<'t> Windows<'t> {
    /// Opens the tables within `transaction`.
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: Records::open(transaction, WINDOWS, "windows")?,
            events: transaction.open_table(EVENTS)?,
            taken: HashMap::new(),
            changed: false,
        })
    }

    /// The window of `charge` and whether it admits one more event. Takes nothing.
    pub fn judge(&self, charge: &Charge, now: Timestamp) -> Result<(Window, Verdict), Fault> {
        let Charge { bucket, quota, .. } = charge;
        // A row is dead when its last event has left the window, so a dead one counts nothing.
        let window = match self.taken.get(&bucket.0) {
            Some((window, dead_at)) if *dead_at > now => window.clone(),
            Some(_) => Window::default(),
            None => self.rows.get(&bucket.0, now)?.unwrap_or_default(),
        };
        let max_events_ago = if window.count < u64::from(quota.max.get()) {
            None
        } else if is_inline(*quota) {
            window.slots.get(window.next_slot(*quota) as usize).copied()
        } else {
            let slot = (&bucket.0, window.next_slot(*quota));
            self.events
                .get(slot)?
                .map(|at| Timestamp::from_millis(at.value()))
        };
        let verdict = quota.judge(max_events_ago, now);
        Ok((window, verdict))
    }

    /// Adds an event to the `window` that was judged.
    pub fn take(
        &mut self,
        charge: &Charge,
        mut window: Window,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Charge { bucket, quota, .. } = charge;
        let slot = window.next_slot(*quota);
        if !is_inline(*quota) {
            // A window that was copied here begins in its row, as its limit was not known.
            let begun = mem::take(&mut window.slots);
            self.put_events(&bucket.0, &begun)?;
            self.events.insert((&bucket.0, slot), now.as_millis())?;
            self.changed = true;
        } else if let Some(at) = window.slots.get_mut(slot as usize) {
            *at = now;
        } else {
            window.slots.push(now);
        }
        window.count += 1;
        window.latest = window.latest.max(now);
        let dead_at = window.latest + quota.window;
        self.taken.insert(bucket.0, (window, dead_at));
        Ok(())
    }

    /// Writes what was taken.
    pub fn write_back(&mut self) -> Result<(), Fault> {
        for (bucket, (window, dead_at)) in self.taken.drain() {
            self.rows.put(&bucket, dead_at, &window)?;
        }
        Ok(())
    }

    /// Keeps a window of another store: its events, the oldest first, which mean something until
    /// `dead_at`.
    pub fn put(
        &mut self,
        bucket: &Key,
        events: &[Timestamp],
        dead_at: Timestamp,
    ) -> Result<(), Fault> {
        let window = Window {
            count: events.len() as u64,
            latest: events.iter().copied().max().unwrap_or_default(),
            slots: if events.len() <= INLINE as usize {
                events.to_vec()
            } else {
                Vec::new()
            },
        };
        if window.slots.is_empty() {
            self.put_events(bucket, events)?;
        }
        self.rows.put(bucket, dead_at, &window)
    }

    /// Writes the first slots of a large window.
    fn put_events(&mut self, bucket: &Key, events: &[Timestamp]) -> Result<(), Fault> {
        for (slot, at) in (0..).zip(events) {
            self.events.insert((bucket, slot), at.as_millis())?;
            self.changed = true;
        }
        Ok(())
    }

    /// Removes what is dead among the next `rows` windows.
    pub fn sweep(&mut self, cursor: &mut Cursor, rows: usize, now: Timestamp) -> Result<(), Fault> {
        // What is dead in its row may just have come alive again.
        self.write_back()?;
        for bucket in self.rows.dead(cursor, rows, now)? {
            let all = (&bucket, 0)..=(&bucket, u32::MAX);
            let mut removed = 0;
            for event in self
                .events
                .extract_from_if(all, |_, _| true)?
                .take(SWEPT_EVENTS)
            {
                event?;
                removed += 1;
            }
            self.changed |= removed > 0;
            // The row goes last: as long as it stands, the next pass comes for the rest.
            if removed < SWEPT_EVENTS {
                self.rows.remove(&bucket)?;
            }
        }
        Ok(())
    }

    /// How many windows were or will be written in this transaction.
    pub fn written(&self) -> usize {
        self.rows.written() + self.taken.len()
    }

    /// How many rows there are, the dead ones included.
    pub fn len(&self) -> Result<u64, Fault> {
        Ok(self.rows.len()? + self.events.len()?)
    }

    /// Whether anything was written.
    pub const fn changed(&self) -> bool {
        self.changed || self.rows.changed()
    }
}

impl Window {
    /// Its events, the oldest first. `large` is what the slots hold if it is a large one, whose
    /// own row holds none: there may be more than it has filled itself.
    pub fn events(&self, large: Vec<(u32, Timestamp)>) -> Vec<Timestamp> {
        let mut events = self.slots.clone();
        if events.is_empty() {
            let own = large
                .into_iter()
                .filter(|(slot, _)| u64::from(*slot) < self.count);
            events = own.map(|(_, at)| at).collect();
        }
        // It has gone round: the next slot holds the oldest one.
        let len = events.len();
        let oldest = self.count.checked_rem(len as u64).unwrap_or_default();
        events.rotate_left(usize::try_from(oldest).unwrap_or_default().min(len));
        events
    }

    /// Whether its events are in the table of events.
    pub const fn is_large(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slot that the next event will take.
    fn next_slot(&self, quota: Quota) -> u32 {
        let max = u64::from(quota.max.get());
        // A remainder of a 32-bit number fits into 32 bits.
        u32::try_from(self.count % max).unwrap_or_default()
    }
}

fn is_inline(quota: Quota) -> bool {
    quota.max.get() <= INLINE
}
