//! The auth service from outside: what goes in and what comes out of its endpoints.

mod paper;
pub mod stage;

mod audit;
mod browser;
mod budgets;
mod clocks;
mod codes;
mod contract;
mod guard;
mod keys;
mod limits;
mod logout;
mod outage;
mod refusals;
mod repeats;
mod sessions;
