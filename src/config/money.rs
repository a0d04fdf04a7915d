//! `otp.budgets` and `otp.prices`: what messages may cost, and do.

use std::time::Duration;

use crate::{
    auth::{self, Countries},
    config::{
        document::Section,
        item::Item,
        problem::{Problem, Reported},
        units,
        value::{Entries, Text, Value},
    },
    domain::{
        budget::Budget,
        money::Money,
        prices::{Prefix, Prices},
    },
};

/// The shortest window: a slot of it is some seconds.
const SHORTEST: Duration = Duration::from_mins(1);

/// The longest: what was spent is kept for so long.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// In a table of prices, the price for all numbers that no other one is for.
const DEFAULT: &str = "default";

/// What there is to say of budgets that do not count what they should.
pub fn findings(otp: &Section<'_>, spec: &auth::Spec) -> Vec<Problem> {
    let prices = &spec.prices;
    if spec.budgets.is_empty() || prices.covers_all() {
        return Vec::new();
    }
    let unpriced = match &spec.countries {
        Countries::All => Some("all countries but those that have one".to_owned()),
        Countries::Only(codes) => {
            let unpriced = codes.iter().filter(|code| !prices.cover(**code));
            let unpriced: Vec<_> = unpriced.map(ToString::to_string).collect();
            (!unpriced.is_empty()).then(|| unpriced.join(", "))
        }
    };
    let problem = |countries| {
        let what =
            format!("no price is given for {countries}: messages there cost the budgets nothing");
        let help = "`default` is the price of all numbers that no other one is for".to_owned();
        otp.problem("prices", what, Some(help))
    };
    unpriced.map(problem).into_iter().collect()
}

impl Value for Budget {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str =
            "a budget such as \"20.00/1d per country\" (or per phone, per ip, per all)";
        let text = item.text(EXPECTED)?;
        let Some(budget) = units::budget(text) else {
            return Err(item.refuse(format!("expected {EXPECTED}, found {text:?}"), None));
        };
        if !(SHORTEST..=LONGEST).contains(&budget.window) {
            let what = "the span of a budget must be between \"1m\" and \"366d\"";
            return Err(item.refuse(what, None));
        }
        Ok(budget)
    }
}

impl Value for Prices {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let Entries::<Money>(entries) = Value::read(item)?;
        let mut by_prefix = Vec::new();
        let mut otherwise = None;
        for (key, price) in entries {
            if key == DEFAULT {
                otherwise = Some(price);
            } else if let Some(prefix) = Prefix::parse(&key) {
                by_prefix.push((prefix, price));
            } else {
                let what = format!("{key:?} is no beginning of numbers");
                let help = "write the calling code of a country and more digits if need be, such as \
                            \"+1\" or \"+1876\", or `default`";
                return Err(item.refuse(what, Some(help.to_owned())));
            }
        }
        Ok(Self::new(by_prefix, otherwise))
    }
}

impl Text for Money {
    const EXPECTED: &'static str = "a price such as \"0.0079\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
