//! What the conversion guard has done with requests for codes, counted by the place that was suspected; knows nothing of why it was.

use std::fmt;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::domain::fraud::Level;

/// All verdicts on suspicions. Clones are the same.
#[derive(Clone, Default)]
pub struct GuardMetrics(Family<Labels, Counter>);

/// What became of a request that was suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was refused until some work is proved.
    ProofRequired,
    /// It was refused for a time.
    Blocked,
    /// It had proved its work, and the code was sent.
    Proved,
    /// The code was sent, since the guard only watches here.
    Noted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    level: &'static str,
    verdict: &'static str,
}

impl GuardMetrics {
    /// Counts one.
    pub fn count(&self, level: Level, verdict: Verdict) {
        let labels = Labels {
            level: level.as_str(),
            verdict: verdict.as_str(),
        };
        self.0.get_or_create(&labels).inc();
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help =
            "Requests for a code that raised a suspicion, by the place suspected and the verdict";
        registry.register("otp_guard", help, self.0.clone());
    }
}

impl Verdict {
    /// As it is called in metrics and audit lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProofRequired => "proof_required",
            Self::Blocked => "blocked",
            Self::Proved => "proved",
            Self::Noted => "noted",
        }
    }
}

impl fmt::Debug for GuardMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardMetrics").finish_non_exhaustive()
    }
}
