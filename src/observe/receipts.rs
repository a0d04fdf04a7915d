//! What providers have told of messages, and after how long; knows nothing of how they tell it.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// All receipts. Clones are the same.
#[derive(Clone)]
pub struct ReceiptMetrics {
    receipts: Family<Labels, Counter>,
    arrivals: Arrivals,
}

/// What was learnt from a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// The message has arrived, so long after it was asked for.
    Arrived(Duration),
    /// It will not arrive.
    Lost,
    /// It is still on its way.
    UnderWay,
    /// What was known already, or is of no use any more.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    provider: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabel {
    provider: &'static str,
}

/// How long messages take, with its buckets.
type Arrivals = Family<ProviderLabel, Histogram, fn() -> Histogram>;

/// Upper bounds of the buckets of what messages take, in seconds.
const BOUNDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

impl ReceiptMetrics {
    /// Counts one.
    pub fn count(&self, provider: &'static str, learnt: Learnt) {
        let outcome = learnt.as_str();
        self.receipts
            .get_or_create(&Labels { provider, outcome })
            .inc();
        if let Learnt::Arrived(after) = learnt {
            self.arrivals
                .get_or_create(&ProviderLabel { provider })
                .observe(after.as_secs_f64());
        }
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "sms_receipts",
            "What providers told of messages, and what was learnt from it",
            self.receipts.clone(),
        );
        registry.register_with_unit(
            "sms_arrival",
            "How long after it was asked for a message has arrived",
            Unit::Seconds,
            self.arrivals.clone(),
        );
    }
}

impl Learnt {
    /// As it is called in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived(_) => "arrived",
            Self::Lost => "lost",
            Self::UnderWay => "under_way",
            Self::Nothing => "nothing_new",
        }
    }
}

impl Default for ReceiptMetrics {
    fn default() -> Self {
        Self {
            receipts: Family::default(),
            arrivals: Arrivals::new_with_constructor(|| Histogram::new(BOUNDS)),
        }
    }
}

impl fmt::Debug for ReceiptMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptMetrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn receipts_are_told_apart_and_arrivals_are_measured() {
        let (metrics, mut registry) = (ReceiptMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        metrics.count("twilio", Learnt::Arrived(Duration::from_secs(4)));
        metrics.count("twilio", Learnt::Nothing);
        metrics.count("sns", Learnt::Lost);
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        for line in [
            "sms_receipts_total{provider=\"twilio\",outcome=\"arrived\"} 1",
            "sms_receipts_total{provider=\"twilio\",outcome=\"nothing_new\"} 1",
            "sms_receipts_total{provider=\"sns\",outcome=\"lost\"} 1",
            "sms_arrival_seconds_bucket{le=\"5.0\",provider=\"twilio\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
