//! The store in Redis; knows neither endpoints nor tokens.

mod group;
mod link;
mod script;
mod spec;
mod url;

pub use self::{
    link::{Link, Refusal, Roots},
    spec::{InvalidPrefix, Prefix, Spec},
    url::{Invalid as InvalidUrl, Transport},
};

#[cfg(test)]
#[path = "../../../tests/it/stage/redis/mod.rs"]
mod stage;
