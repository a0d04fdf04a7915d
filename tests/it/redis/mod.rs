//! Gateways that share a Redis, and what they do when it fails.

mod servers;
