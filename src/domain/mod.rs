//! The rules of the product as plain values and pure functions: no I/O, no async, no clock.

pub mod account;
pub mod cors;
pub mod delivery;
pub mod fraud;
pub mod otp;
pub mod phone;
pub mod quota;
pub mod rate;
pub mod route;
pub mod session;
pub mod target;
