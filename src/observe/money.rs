//! What messages cost, by country, and which budgets have refused some; knows no number.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::domain::{budget::Budget, money::Money, phone::CallingCode};

/// All that was spent, and all that could not be. Clones are the same.
#[derive(Clone, Default)]
pub struct MoneyMetrics {
    spent: Family<CountryLabel, Counter<f64, AtomicU64>>,
    refused: Family<BudgetLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CountryLabel {
    country: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabel {
    budget: String,
}

impl MoneyMetrics {
    /// Counts the price of a message. Budgets are exact; a counter for people need not be.
    pub fn spend(&self, country: CallingCode, price: Money) {
        let country = country.to_string();
        #[expect(clippy::cast_precision_loss, reason = "said above")]
        let amount = price.as_micros() as f64 / 1e6;
        let spent = self.spent.get_or_create(&CountryLabel { country });
        spent.inc_by(amount);
    }

    /// Counts a message that a budget had no room for.
    pub fn refuse(&self, budget: Budget) {
        let budget = budget.to_string();
        self.refused.get_or_create(&BudgetLabel { budget }).inc();
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "What messages have cost by otp.prices, in the currency of these";
        registry.register("sms_spent", help, self.spent.clone());
        let help = "Requests for a code that a budget had no room for";
        registry.register("otp_unpaid", help, self.refused.clone());
    }
}

impl fmt::Debug for MoneyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoneyMetrics").finish_non_exhaustive()
    }
}
