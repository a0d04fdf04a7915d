//! Money: what a code costs each budget, and what is said when one is spent; the rules are `domain::budget`'s.
//!
//! A code is paid for when it is sent, at the price of its number. Test numbers cost nothing.

use std::time::Duration;

use serde_json::json;

use crate::{
    auth::{
        call::{Call, Desk},
        derive,
    },
    domain::{account::AccountKey, budget::Expense, money::Money, phone::Phone},
    observe::{audit::Event, metrics::Send},
    reject::{Code, Reject},
};

/// What a code for `phone`, which is `account`'s, costs the budgets when `call` asks for it.
pub fn expenses(desk: &Desk, call: &Call, phone: &Phone, account: AccountKey) -> Vec<Expense> {
    let price = price(desk, call, phone);
    if price == Money::ZERO {
        return Vec::new();
    }
    let budgets = &desk.spec().budgets;
    derive::expenses(
        &desk.parts.masters,
        budgets,
        phone,
        account,
        &call.client,
        price,
    )
}

/// Counts the money that a code costs.
pub fn count(desk: &Desk, call: &Call, phone: &Phone) {
    let price = price(desk, call, phone);
    if price != Money::ZERO {
        let country = phone.calling_code();
        desk.parts.metrics.money().spend(country, price);
    }
}

/// Says that a budget has little left; the store tells it once in its window.
pub fn warn(desk: &Desk, at: usize) {
    if let Some(budget) = desk.spec().budgets.get(at) {
        tracing::warn!(%budget, "four fifths of a budget for messages are spent");
    }
}

/// What whoever asks hears when a budget is spent.
pub fn refuse(desk: &Desk, call: &Call, phone: &Phone, at: usize, wait: Duration) -> Reject {
    desk.parts.metrics.otp_send(Send::Unpaid);
    let Some(budget) = desk.spec().budgets.get(at) else {
        return Reject::new(Code::Internal, "A budget without a name is spent.");
    };
    desk.parts.metrics.money().refuse(*budget);
    call.audit(Event::OtpUnpaid(*budget), Some(phone), None);
    let wait = Duration::from_secs(
        wait.as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX),
    );
    Reject::new(
        Code::RateLimited,
        "As many codes were sent as may be paid for; wait before the next one.",
    )
    .with("violated-policies", json!(["budget"]))
    .with("retry_after", json!(wait.as_secs().max(1)))
    .retry_after(wait)
}

fn price(desk: &Desk, call: &Call, phone: &Phone) -> Money {
    let spec = desk.spec();
    if spec.test_number(phone, call.now).is_some() {
        return Money::ZERO;
    }
    spec.prices.of(phone).unwrap_or_default()
}
