//! What the conversion guard has done with requests for codes, counted by the place that was suspected and the rule that did; knows no number.

use std::fmt;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::domain::fraud::Alarm;

/// All verdicts on suspicions, and on captchas that were to allay them. Clones are the same.
#[derive(Clone, Default)]
pub struct GuardMetrics {
    verdicts: Family<Labels, Counter>,
    captchas: Family<CaptchaLabels, Counter>,
}

/// What became of a request that was suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was refused until some work is proved.
    ProofRequired,
    /// It was refused for a time.
    Blocked,
    /// It had proved its work, and the code was sent.
    Proved,
    /// It had solved a captcha, and the code was sent.
    Solved,
    /// The code was sent, since the guard only watches here.
    Noted,
}

/// What became of a captcha that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptchaResult {
    /// Its provider vouches for it.
    Solved,
    /// Its provider does not.
    Refused,
    /// It was solved for something else.
    Elsewhere,
    /// The provider could not be asked.
    Unasked,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    level: &'static str,
    rule: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CaptchaLabels {
    result: &'static str,
}

impl GuardMetrics {
    /// Counts one.
    pub fn count(&self, alarm: Alarm, verdict: Verdict) {
        let labels = Labels {
            level: alarm.level.as_str(),
            rule: alarm.rule.as_str(),
            verdict: verdict.as_str(),
        };
        self.verdicts.get_or_create(&labels).inc();
    }

    /// Counts a captcha.
    pub fn captcha(&self, result: CaptchaResult) {
        let result = result.as_str();
        self.captchas.get_or_create(&CaptchaLabels { result }).inc();
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests for a code that raised a suspicion, by the place suspected, the rule and the verdict";
        registry.register("otp_guard", help, self.verdicts.clone());
        let help = "Captchas that were shown where a proof was demanded";
        registry.register("otp_captcha", help, self.captchas.clone());
    }
}

impl Verdict {
    /// As it is called in metrics and audit lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProofRequired => "proof_required",
            Self::Blocked => "blocked",
            Self::Proved => "proved",
            Self::Solved => "solved",
            Self::Noted => "noted",
        }
    }
}

impl CaptchaResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Refused => "refused",
            Self::Elsewhere => "elsewhere",
            Self::Unasked => "unasked",
        }
    }
}

impl fmt::Debug for GuardMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardMetrics").finish_non_exhaustive()
    }
}
