//! Budgets from outside: what is refused when the money is spent, and that each message costs its price.

use std::time::Duration;

use serde_json::json;

use super::stage::{self, Ask, NUMBER, Stage, TEST_NUMBER};
use crate::{
    auth::Spec,
    domain::{
        budget::Budget,
        money::Money,
        prices::{Prefix, Prices},
        quota::Per,
    },
};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn budget(max: &str, per: Per) -> Budget {
    Budget {
        max: money(max),
        window: Duration::from_hours(24),
        per,
    }
}

/// A message to Jamaica costs a hundred times as much as one to the rest of +1.
fn spending(budgets: Vec<Budget>) -> Spec {
    let prices = [("+1", "0.01"), ("+1876", "1.00")];
    let prices = prices.map(|(prefix, price)| (Prefix::parse(prefix).unwrap(), money(price)));
    Spec {
        limits: Vec::new(),
        budgets,
        prices: Prices::new(prices.to_vec(), None),
        ..stage::spec()
    }
}

const JAMAICA: &str = "+18765550100";

#[tokio::test]
async fn when_the_money_is_spent_nothing_is_sent_until_some_is_free_again() {
    let budgets = vec![budget("2.50", Per::All), budget("1.03", Per::Country)];
    let stage = Stage::with(spending(budgets), 64).await;
    assert_eq!(stage.send(JAMAICA).await.status, 200);
    for _ in 0..3 {
        assert_eq!(stage.send(NUMBER).await.status, 200);
    }
    let refused = stage.send(NUMBER).await;
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.json()["violated-policies"], json!(["budget"]));
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((86_400..=90_000).contains(&wait), "{wait}");
    // Nobody is told how much money there is.
    assert!(!String::from_utf8_lossy(&refused.body).contains("1.03"));
    assert_eq!(stage.messages().await.len(), 4);
    for (name, count) in [
        ("otp_unpaid_total{budget=\"1.03/1d per country\"}", 1),
        ("otp_sends_total{result=\"unpaid\"}", 1),
    ] {
        assert_eq!(stage.metric(name), count, "{name}");
    }
    stage.clock.advance(Duration::from_secs(wait));
    assert_eq!(stage.send(NUMBER).await.status, 200);
}

#[tokio::test]
async fn a_test_number_and_one_without_a_price_cost_nothing() {
    let stage = Stage::with(spending(vec![budget("0.01", Per::All)]), 64).await;
    for _ in 0..3 {
        assert_eq!(stage.send(TEST_NUMBER).await.status, 200);
        assert_eq!(stage.send("+447400123456").await.status, 200);
    }
    assert_eq!(stage.send(NUMBER).await.status, 200);
    assert_eq!(stage.send(NUMBER).await.status, 429);
    assert_eq!(stage.send(TEST_NUMBER).await.status, 200);
}

#[tokio::test]
async fn what_was_spent_is_counted_by_country() {
    let stage = Stage::with(spending(Vec::new()), 64).await;
    stage.send(JAMAICA).await;
    stage.send(NUMBER).await;
    stage.send(TEST_NUMBER).await;
    let spent = stage.shown_metric("sms_spent_total{country=\"+1\"}");
    assert_eq!(spent.as_deref(), Some("1.01"));
}

#[tokio::test]
async fn a_budget_per_address_counts_what_that_address_asks_for() {
    let stage = Stage::with(spending(vec![budget("0.01", Per::Ip)]), 64).await;
    let ask = async |ip: &str| {
        let body = json!({ "mobile_number": NUMBER });
        let answer = stage.ask(Ask::post("/send-otp", &body).client_at(ip)).await;
        answer.status
    };
    assert_eq!(ask("198.51.100.1").await, 200);
    assert_eq!(ask("198.51.100.1").await, 429);
    assert_eq!(ask("198.51.100.2").await, 200);
}
