//! Purses on a table: what messages cost budgets; the rule itself is `domain::budget`'s.

use super::{fault::Fault, step::Step};
use crate::{
    clock::Timestamp,
    domain::{
        budget::{Expense, Left, Purse},
        quota::Verdict,
    },
};

/// Expenses that can be paid, each once, and the purses they are paid from.
#[derive(Debug)]
pub struct Payment<'e>(Vec<(usize, &'e Expense, Purse)>);

/// An expense that cannot be paid, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Unpaid {
    /// Its place among all; of several, that of the one with the longest wait.
    pub expense: usize,
    /// From when on it can.
    pub until: Timestamp,
}

impl<'e> Payment<'e> {
    /// Judges all expenses, and pays none. The inner error is the refusal of a budget.
    pub fn judge(expenses: &'e [Expense], step: &Step<'_>) -> Result<Result<Self, Unpaid>, Fault> {
        let mut payable = Vec::with_capacity(expenses.len());
        let mut longest: Option<Unpaid> = None;
        for (at, expense) in expenses.iter().enumerate() {
            // Two equal budgets share a purse; one message is paid once from it.
            let mut earlier = expenses.iter().take(at);
            if earlier.any(|other| other.purse == expense.purse) {
                continue;
            }
            let purse = step.purses.get(&expense.purse.0, step.now)?;
            let purse = purse.unwrap_or_default();
            match purse.judge(expense, step.now) {
                Verdict::Admitted => payable.push((at, expense, purse)),
                Verdict::RefusedUntil(until) if longest.is_none_or(|most| until > most.until) => {
                    longest = Some(Unpaid { expense: at, until });
                }
                Verdict::RefusedUntil(_) => {}
            }
        }
        Ok(longest.map_or(Ok(Self(payable)), Err))
    }

    /// Pays, and tells which budgets have little left.
    pub fn pay(self, step: &mut Step<'_>) -> Result<Vec<usize>, Fault> {
        let mut scarce = Vec::new();
        for (at, expense, mut purse) in self.0 {
            if purse.spend(expense, step.now) == Left::Little {
                scarce.push(at);
            }
            step.purses.put(&expense.purse.0, purse.dead_at, &purse)?;
        }
        Ok(scarce)
    }
}
