//! The sweep: forgets what is dead, a few rows at a time; knows no verb and no thread.
//!
//! It walks over every table row by row and begins again at the end. A verb adds at most a few
//! rows, and each verb makes the sweep look at more rows than that, so the dead never outnumber
//! the living by much however busy it is, and no transaction is held up for long.

use super::{fault::Fault, step::Step, tables::Cursor};

/// Rows of each table that are looked at for every verb.
const ROWS_PER_VERB: usize = 8;

/// Rows of each table that are looked at when nothing else is to be done.
const ROWS_WHEN_IDLE: usize = 1024;

/// Where the sweep stands in each table.
#[derive(Debug, Default)]
pub struct Sweep {
    accounts: Cursor,
    windows: Cursor,
    revoked: Cursor,
}

impl Sweep {
    /// Goes on for as many rows as `verbs` verbs deserve.
    pub fn go_on(&mut self, step: &mut Step<'_>, verbs: usize) -> Result<(), Fault> {
        let now = step.now;
        let rows = match verbs {
            0 => ROWS_WHEN_IDLE,
            some => some * ROWS_PER_VERB,
        };
        for account in step.accounts.dead(&mut self.accounts, rows, now)? {
            step.accounts.remove(&account)?;
        }
        step.windows.sweep(&mut self.windows, rows, now)?;
        for session in step.revoked.dead(&mut self.revoked, rows, now)? {
            step.revoked.remove(&session)?;
        }
        Ok(())
    }
}
