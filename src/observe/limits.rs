//! Counts of requests that the general throttle refused; knows nothing of how it counts them.

use std::fmt;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// All limits there are. Clones are the same.
#[derive(Clone, Default)]
pub struct LimitMetrics {
    refused: Family<Labels, Counter>,
    unshared: Counter,
}

/// The refusals of one limit.
#[derive(Clone)]
pub struct Refused(Counter);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: String,
    limit: String,
}

impl LimitMetrics {
    /// Where the refusals of `limit` on `route` are counted, from now on at zero.
    pub fn refused(&self, route: &str, limit: String) -> Refused {
        let route = route.to_owned();
        Refused(self.refused.get_or_create_owned(&Labels { route, limit }))
    }

    /// Counts a request that was judged without the store.
    pub fn unshared(&self) {
        self.unshared.inc();
    }

    /// Shows them in `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests that the general throttle refused, by route and limit";
        registry.register("rate_limited", help, self.refused.clone());
        let help =
            "Requests for which shared limits were counted here alone, as the store did not answer";
        registry.register("rate_limits_unshared", help, self.unshared.clone());
    }
}

impl Refused {
    /// Counts one.
    pub fn count(&self) {
        self.0.inc();
    }
}

impl fmt::Debug for LimitMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitMetrics").finish_non_exhaustive()
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.0.get())
    }
}
