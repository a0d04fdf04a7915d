//! The rules of the product as plain values and pure functions: no I/O, no async, no clock.

pub mod account;
pub mod budget;
pub mod cors;
pub mod delivery;
pub mod fraud;
pub mod money;
pub mod otp;
pub mod phone;
pub mod prices;
pub mod quota;
pub mod rate;
pub mod route;
pub mod session;
pub mod target;
