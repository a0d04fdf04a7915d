//! The sweep: forgets what is dead, a few rows at a time; knows no verb and no thread.
//!
//! It walks over every table row by row and begins again at the end. For every row that is written
//! it looks at [`PACE`] rows of the same table, so that a table can grow by one part in `PACE` while
//! it is walked over once: the dead never outnumber a third of the living, however busy it is, and
//! no transaction is held up for long.

use super::{fault::Fault, step::Step, tables::Cursor};

/// Rows of a table that are looked at for every row that is written there; at least so many of
/// each table for every verb.
const PACE: usize = 4;

/// Rows of each table that are looked at when nothing else is to be done.
const ROWS_WHEN_IDLE: usize = 1024;

/// Where the sweep stands in each table.
#[derive(Debug, Default)]
pub struct Sweep {
    accounts: Cursor,
    windows: Cursor,
    meters: Cursor,
    purses: Cursor,
    deliveries: Cursor,
    once: Cursor,
    revoked: Cursor,
}

impl Sweep {
    /// Goes on for as many rows as `verbs` verbs, and what they have written, deserve.
    pub fn go_on(&mut self, step: &mut Step<'_>, verbs: usize) -> Result<(), Fault> {
        let now = step.now;
        let rows = |written: usize| match written.max(verbs) {
            0 => ROWS_WHEN_IDLE,
            some => some * PACE,
        };
        let accounts = rows(step.accounts.written());
        for account in step.accounts.dead(&mut self.accounts, accounts, now)? {
            step.accounts.remove(&account)?;
        }
        let windows = rows(step.windows.written());
        step.windows.sweep(&mut self.windows, windows, now)?;
        let meters = rows(step.meters.written());
        for meter in step.meters.dead(&mut self.meters, meters, now)? {
            step.meters.remove(&meter)?;
        }
        let purses = rows(step.purses.written());
        for purse in step.purses.dead(&mut self.purses, purses, now)? {
            step.purses.remove(&purse)?;
        }
        let deliveries = rows(step.deliveries.written());
        step.deliveries
            .sweep(&mut self.deliveries, deliveries, now)?;
        let once = rows(step.once.written());
        for request in step.once.dead(&mut self.once, once, now)? {
            step.once.remove(&request)?;
        }
        let revoked = rows(step.revoked.written());
        for session in step.revoked.dead(&mut self.revoked, revoked, now)? {
            step.revoked.remove(&session)?;
        }
        Ok(())
    }
}
