//! What operators see of messages on their way: attempts, how long they took, and who is left alone; knows nothing of who carries them.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// All of it. Clones are the same.
#[derive(Clone)]
pub struct SmsMetrics {
    attempts: Family<AttemptLabels, Counter>,
    durations: Durations,
    left_alone: Family<ProviderLabel, Gauge>,
    outcomes: Family<OutcomeLabel, Counter>,
}

/// What came of carrying a message along its ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A provider took it.
    Taken,
    /// It may have been sent.
    Unsure,
    /// Nobody took it, and it is tried again.
    Again,
    /// It will not be sent.
    Failed,
}

/// Whether messages go to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As they come.
    Asked,
    /// None does, but for one now and then that tries it.
    LeftAlone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    provider: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabel {
    provider: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// How long providers take, with its buckets.
type Durations = Family<ProviderLabel, Histogram, fn() -> Histogram>;

/// Upper bounds of the buckets of what providers take, in seconds.
const PROVIDER_BOUNDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl SmsMetrics {
    /// Counts an attempt to have a message carried; `took` is `None` where nobody was asked.
    pub fn attempt(&self, provider: &'static str, result: &'static str, took: Option<Duration>) {
        self.attempts
            .get_or_create(&AttemptLabels { provider, result })
            .inc();
        if let Some(took) = took {
            self.durations
                .get_or_create(&ProviderLabel { provider })
                .observe(took.as_secs_f64());
        }
    }

    /// Shows how a provider stands.
    pub fn stands(&self, provider: &'static str, standing: Standing) {
        let figure = match standing {
            Standing::Asked => 0,
            Standing::LeftAlone => 1,
        };
        self.left_alone
            .get_or_create(&ProviderLabel { provider })
            .set(figure);
    }

    /// Counts what came of a message.
    pub fn outcome(&self, outcome: Outcome) {
        let outcome = outcome.as_str();
        self.outcomes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "sms_messages",
            "Attempts to have a message carried, by provider and what came of it",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "sms_duration",
            "How long a provider took for an attempt",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "sms_left_alone",
            "Whether a provider is left alone for a while: 1 or 0",
            self.left_alone.clone(),
        );
        registry.register(
            "sms_outcomes",
            "What came of carrying messages along all their ways",
            self.outcomes.clone(),
        );
    }
}

impl Default for SmsMetrics {
    fn default() -> Self {
        Self {
            attempts: Family::default(),
            durations: Durations::new_with_constructor(|| Histogram::new(PROVIDER_BOUNDS)),
            left_alone: Family::default(),
            outcomes: Family::default(),
        }
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Unsure => "unsure",
            Self::Again => "again",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Debug for SmsMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsMetrics").finish_non_exhaustive()
    }
}
