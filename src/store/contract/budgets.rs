//! Rules of budgets: how much money is spent at most, and that what is refused costs nothing.

use std::{cmp::Reverse, collections::HashMap};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    budget::{Left, Purse},
    quota::Verdict,
};

/// What was spent of all budgets, as the model keeps it.
#[derive(Debug, Default)]
pub struct Purses(HashMap<Bucket, Purse>);

const DAY: Duration = Duration::from_hours(24);

/// What a message at this price costs a budget of `max` in a day.
fn expense(purse: u8, max: u64, price: u64) -> Expense {
    Expense {
        purse: Bucket([purse; 16]),
        budget: Budget {
            max: Money::from_micros(max),
            window: DAY,
            per: Per::All,
        },
        price: Money::from_micros(price),
    }
}

/// What a code for somebody costs, chosen by the bits of `which`; also twice the same budget.
pub fn expenses(whose: u8, which: u8) -> Vec<Expense> {
    let price = u64::from(1 + which % 5);
    let within = |expense: Expense, millis| Expense {
        budget: Budget {
            window: Duration::from_millis(millis),
            ..expense.budget
        },
        ..expense
    };
    let all = [
        within(expense(0xa0, 90, price), 86_400_000),
        within(expense(0xb0 + whose, 12, price), 100_001),
        within(expense(0xc0, 40, price), 3_600_000),
        within(expense(0xa0, 90, price), 86_400_000),
    ];
    let chosen = all.into_iter().enumerate();
    chosen
        .filter(|(bit, _)| which >> bit & 1 == 1)
        .map(|(_, expense)| expense)
        .collect()
}

/// Which of them a send costs: mostly none.
pub fn which_expenses() -> impl Strategy<Value = u8> {
    prop_oneof![1 => Just(0_u8), 2 => 0..64_u8]
}

impl Purses {
    /// Which budgets have little left, or the expense that cannot be paid and for how long.
    pub fn pay(
        &mut self,
        expenses: &[Expense],
        now: Timestamp,
    ) -> Result<Vec<usize>, (usize, Duration)> {
        let once = |(at, expense): &(usize, &Expense)| {
            let mut earlier = expenses.iter().take(*at);
            !earlier.any(|other| other.purse == expense.purse)
        };
        let once: Vec<_> = expenses.iter().enumerate().filter(once).collect();
        let mut longest = None;
        for (at, expense) in &once {
            let purse = self.0.entry(expense.purse).or_default();
            if let Verdict::RefusedUntil(until) = purse.judge(expense, now) {
                longest = longest.max(Some((until.since(now), Reverse(*at))));
            }
        }
        if let Some((wait, Reverse(at))) = longest {
            return Err((at, wait));
        }
        let mut scarce = Vec::new();
        for (at, expense) in once {
            let purse = self.0.entry(expense.purse).or_default();
            if purse.spend(expense, now) == Left::Little {
                scarce.push(at);
            }
        }
        Ok(scarce)
    }
}

impl Stage {
    async fn send_paid(&self, expenses: &[Expense], charges: &[Charge]) -> Sending {
        let credit = Credit {
            expenses: expenses.to_vec(),
            ..UNGUARDED
        };
        let (start, charges) = (start(1, 1), charges.to_vec());
        let sent = self
            .store
            .start_challenge(ANN, start, charges, credit, *OTP, parcel());
        sent.await.unwrap()
    }

    /// How many are sent until a budget is spent, which one, and until when.
    async fn send_until_unpaid(&self, expenses: &[Expense]) -> (u32, usize, Timestamp) {
        let mut sent = 0;
        loop {
            let sending = self.send_paid(expenses, &[]).await;
            if let Sending::Unpaid { expense, wait } = sending {
                return (sent, expense, self.now() + wait);
            }
            assert!(is_sent(&sending), "{sending:?}");
            sent += 1;
        }
    }
}

const fn is_sent(sending: &Sending) -> bool {
    matches!(sending, Sending::Started(_) | Sending::Despite(..))
}

pub async fn a_budget_is_spent_and_free_again_after_its_window(stage: Stage) {
    let expenses = [expense(1, 1000, 1), expense(2, 100, 30)];
    let (sent, which, until) = stage.send_until_unpaid(&expenses).await;
    assert_eq!((sent, which), (3, 1));
    let window = until.since(stage.now());
    assert!(window > DAY && window <= DAY + DAY / 24, "{window:?}");
    stage.wait_until(until.minus(Duration::from_millis(1)));
    let early = stage.send_paid(&expenses, &[]).await;
    assert!(
        matches!(early, Sending::Unpaid { expense: 1, .. }),
        "{early:?}"
    );
    stage.clock.advance(Duration::from_millis(1));
    assert!(is_sent(&stage.send_paid(&expenses, &[]).await));
}

pub async fn what_a_budget_refuses_takes_and_costs_nothing(stage: Stage) {
    let spent = expense(1, 10, 10);
    let other = expense(2, 20, 10);
    let limit = [charge(1, 1, Duration::from_mins(30))];
    assert!(is_sent(&stage.send_paid(&[spent], &[]).await));
    for _ in 0..10 {
        let refused = stage.send_paid(&[other, spent], &limit).await;
        assert!(
            matches!(refused, Sending::Unpaid { expense: 1, .. }),
            "{refused:?}"
        );
    }
    // The other budget and the limit are as they were; and what a limit refuses costs nothing.
    assert!(is_sent(&stage.send_paid(&[other], &limit).await));
    for _ in 0..10 {
        let refused = stage.send_paid(&[other], &limit).await;
        assert!(matches!(refused, Sending::Limited { .. }), "{refused:?}");
    }
    assert!(is_sent(&stage.send_paid(&[other], &[]).await));
    let unpaid = stage.send_paid(&[other], &[]).await;
    assert!(matches!(unpaid, Sending::Unpaid { .. }), "{unpaid:?}");
}

pub async fn whom_the_guard_refuses_costs_nothing(stage: Stage) {
    let paid = expense(1, 70, 10);
    let debtor = debtors(0, 0, 0b1);
    let ask = async |shown| {
        let credit = Credit {
            debtors: debtor.clone(),
            expenses: vec![paid],
            shown,
        };
        let sent = stage
            .store
            .start_challenge(ANN, start(1, 1), vec![], credit, *OTP, parcel());
        sent.await.unwrap()
    };
    for n in 0..20 {
        let sending = ask(Shown::Proof(Bits(0))).await;
        assert_eq!(is_sent(&sending), n < 6, "{sending:?}");
    }
    assert!(is_sent(&ask(Shown::Everything).await));
    // Now it is spent; and what it refuses nobody owes.
    for _ in 0..20 {
        let unpaid = ask(Shown::Everything).await;
        assert!(matches!(unpaid, Sending::Unpaid { .. }), "{unpaid:?}");
    }
    let credit = Credit {
        debtors: debtor,
        expenses: vec![],
        shown: Shown::Everything,
    };
    let sent = stage
        .store
        .start_challenge(ANN, start(1, 1), vec![], credit, *OTP, parcel());
    let Sending::Despite(_, Notes { alarm, .. }) = sent.await.unwrap() else {
        panic!("seven are owed");
    };
    let suspicion = alarm.map(|alarm| alarm.suspicion);
    assert_eq!(suspicion, Some(Suspicion::Proof(Bits(17))));
}

pub async fn it_is_told_once_that_little_of_a_budget_is_left(stage: Stage) {
    let expenses = [expense(1, 1000, 1), expense(2, 10, 1)];
    let mut told = Vec::new();
    for n in 0..10 {
        let sending = stage.send_paid(&expenses, &[]).await;
        assert!(is_sent(&sending), "{sending:?}");
        if let Sending::Despite(_, notes) = sending {
            told.push((n, notes));
        }
    }
    let notes = Notes {
        alarm: None,
        scarce: vec![1],
    };
    assert_eq!(told, [(7, notes)]);
}

pub async fn of_hundreds_of_sends_at_once_no_more_is_spent_than_there_is(stage: Stage) {
    let handles: Vec<_> = (0..10).map(|_| stage.store.for_worker()).collect();
    let sent = at_once(200, |n| {
        let store = handles[usize::from(n) % 10].clone();
        Box::pin(async move {
            let mut spent = 0;
            for turn in 0..3 {
                let price = u64::from(1 + (n + turn) % 7);
                let credit = Credit {
                    expenses: vec![expense(1, 100, price), expense(2, 90, price)],
                    ..UNGUARDED
                };
                let (account, start) = (account(n), start(n, n.into()));
                let parcel = parcel();
                let sending = store.start_challenge(account, start, vec![], credit, *OTP, parcel);
                spent += if is_sent(&sending.await?) { price } else { 0 };
            }
            Ok(spent)
        })
    })
    .await;
    let total: u64 = sent.iter().sum();
    assert!(total <= 90, "{total}");
    // Whatever was given back in between can be spent by others.
    let one = [expense(1, 100, 1), expense(2, 90, 1)];
    let (rest, ..) = stage.send_until_unpaid(&one).await;
    assert_eq!(total + u64::from(rest), 90);
}
