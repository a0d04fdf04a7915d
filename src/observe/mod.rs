//! What operators see: log lines, counters, audit events. It knows nothing of what it tells about.

pub mod log;

pub mod access;

pub mod audit;

pub mod metrics;
pub mod money;

pub mod http;

pub mod tls;

pub mod limits;

pub mod guard;

pub mod sms;

pub mod readings;
pub mod receipts;
