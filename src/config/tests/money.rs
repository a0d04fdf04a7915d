//! Budgets and prices: how they are written, and the exact words where they are not.

use std::time::Duration;

use super::{problems::check, *};
use crate::{
    config::Advice,
    domain::{budget::Budget, phone::Phone, quota::Per},
};

/// Where others can reach it there is advice.
const REACHED: &str =
    "server.public_url = 'https://example.com'\nserver.trusted_proxies = ['10.0.0.1']\n";

#[test]
fn budgets_and_prices_are_exact_decimals() {
    let config = config(
        "[otp]\nbudgets = ['20.00/1d per country', '0.5/90m per all']\n\
         [otp.prices]\n'+1' = '0.0079'\n'+1876' = '0.25'\ndefault = '1'\n",
    );
    let spec = &config.live.auth;
    let budget = |max: &str, mins: u64, per| Budget {
        max: max.parse().unwrap(),
        window: Duration::from_mins(mins),
        per,
    };
    let expected = [
        budget("20.00", 24 * 60, Per::Country),
        budget("0.50", 90, Per::All),
    ];
    assert_eq!(spec.budgets, expected);
    for (number, price) in [
        ("+14155550100", "0.0079"),
        ("+18765550100", "0.25"),
        ("+447400123456", "1.00"),
    ] {
        let phone = Phone::parse(number, "+1".parse().unwrap()).unwrap();
        assert_eq!(spec.prices.of(&phone).unwrap().to_string(), price);
    }
}

#[test]
fn a_budget_that_says_nothing_is_refused() {
    let example =
        "expected a budget such as \"20.00/1d per country\" (or per phone, per ip, per all)";
    let span = "the span of a budget must be between \"1m\" and \"366d\"";
    for (budget, expected) in [
        ("20.00/1d", format!("{example}, found \"20.00/1d\"")),
        (
            "20,00/1d per all",
            format!("{example}, found \"20,00/1d per all\""),
        ),
        (
            "-1/1d per all",
            format!("{example}, found \"-1/1d per all\""),
        ),
        (
            "1.0000001/1d per all",
            format!("{example}, found \"1.0000001/1d per all\""),
        ),
        (
            "20/0s per all",
            format!("{example}, found \"20/0s per all\""),
        ),
        (
            "20/1d per head",
            format!("{example}, found \"20/1d per head\""),
        ),
        ("20/59s per all", span.to_owned()),
        ("20/367d per all", span.to_owned()),
    ] {
        check(
            &format!("otp.budgets = ['{budget}']"),
            &format!("gateway.toml:1:16: otp.budgets[0]: {expected}"),
        );
    }
}

#[test]
fn a_price_of_nothing_that_numbers_begin_with_is_refused() {
    check(
        "otp.prices = { '1' = '0.01' }",
        "gateway.toml:1:14: otp.prices: \"1\" is no beginning of numbers\n  \
         help: write the calling code of a country and more digits if need be, such as \"+1\" or \"+1876\", or `default`",
    );
    check(
        "otp.prices = { '+1' = 0.01 }",
        "gateway.toml:1:23: otp.prices.+1: expected a price such as \"0.0079\", found a float",
    );
}

#[test]
fn a_country_without_a_price_is_told_where_there_is_a_budget() {
    let said = |text: &str| {
        let loaded = load(&format!("{REACHED}{text}")).expect("no problems");
        let mut advice = loaded
            .advice
            .iter()
            .map(|Advice(problem)| problem.to_string());
        advice.find(|advice| advice.contains("no price"))
    };
    let budget = "otp.budgets = ['20.00/1d per all']\n";
    for (text, countries) in [
        (
            "otp.countries = ['+1', '+44', '+49']\notp.prices = { '+44' = '0.04' }",
            "+1, +49",
        ),
        ("otp.prices = { '+1876' = '0.25' }", "+1"),
        (
            "otp.countries = '*'\notp.prices = { '+1' = '0.01' }",
            "all countries but those that have one",
        ),
    ] {
        let said = said(&format!("{budget}{text}")).expect(text);
        let what =
            format!("no price is given for {countries}: messages there cost the budgets nothing");
        assert!(said.contains(&what), "{said}");
        assert!(said.contains("help: `default` is the price"), "{said}");
    }
    for text in [
        "otp.countries = '*'\notp.prices = { default = '0.01' }",
        "otp.prices = { '+1' = '0.01' }",
    ] {
        assert_eq!(said(&format!("{budget}{text}")), None, "{text}");
    }
    assert_eq!(said("otp.countries = '*'"), None);
}
