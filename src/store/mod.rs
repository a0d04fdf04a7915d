//! The store: every state change of the product as one atomic verb.

pub mod revocations;
