//! otp-gateway.

pub mod app;
pub mod cli;
pub mod config;

mod auth;
mod body;
mod clock;
mod domain;
mod edge;
mod net;
mod observe;
mod proxy;
mod reject;
mod secret;
mod sms;
mod store;
mod token;
