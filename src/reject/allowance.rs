//! How much of a limit is left, as `RateLimit` headers say it (draft-ietf-httpapi-ratelimit-headers-10); who counts it, is not said.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How a limit stands for one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The name of the policy: letters alone.
    pub policy: &'static str,
    /// How much is allowed.
    pub quota: u32,
    /// In which span.
    pub window: Duration,
    /// How much of it is left.
    pub left: u32,
    /// When there is more.
    pub more_in: Duration,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Allowance {
    /// Says it in `headers`, unless they speak of a limit already: who set that one knows it better.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if headers.contains_key(RATE_LIMIT) || headers.contains_key(RATE_LIMIT_POLICY) {
            return;
        }
        let Self {
            policy,
            quota,
            window,
            left,
            more_in,
        } = self;
        let (window, more_in) = (whole_secs(*window), whole_secs(*more_in));
        let policies = format!("\"{policy}\";q={quota};w={window}");
        let limit = format!("\"{policy}\";r={left};t={more_in}");
        for (name, value) in [(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Rounded up, so that nobody is told to come too early.
pub fn whole_secs(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
