//! What operators see: metrics and the audit log; knows nothing of the requests it speaks of.

pub mod audit;
pub mod metrics;
