//! Servers as the source or the target of a copy: asks the scripts that read and write many records at once; knows no other store.
//!
//! A copy is a program of its own with connections of its own, and takes what it reads and writes
//! in small portions: between two of them a server does what gateways ask.

mod export;
mod import;
mod pack;
mod scan;

use std::time::Duration;

pub use self::{export::Export, import::Import};
use super::{
    Spec,
    group::Group,
    keys::Keys,
    link::Link,
    reply::{Nonsense, Reply},
    script::Script,
};
use crate::{
    clock::Clock,
    store::{Error, OpenError},
};

/// How long one portion may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Accounts, or windows, that one script reads or writes at most.
const PORTION: usize = 64;

/// The servers, and how to speak of what is there.
#[derive(Debug)]
struct Servers {
    name: String,
    link: Link,
    keys: Keys,
    clock: Clock,
}

impl Servers {
    async fn open(spec: &Spec, clock: Clock) -> Result<Self, OpenError> {
        Ok(Self {
            name: spec.to_string(),
            link: Link::open(spec, PATIENCE).await?,
            keys: Keys::new(spec.prefix.clone()),
            clock,
        })
    }

    /// Runs a script, which is told the time first, if the clock is not to be the server's.
    async fn call<T>(
        &self,
        script: &Script,
        group: Group,
        keys: &[String],
        args: &[&[u8]],
        read: impl FnOnce(Reply) -> Result<T, Nonsense>,
    ) -> Result<T, Error> {
        let now = match &self.clock {
            Clock::System => String::new(),
            clock @ Clock::Manual(_) => clock.now().as_millis().to_string(),
        };
        let args = [&[now.as_bytes()], args].concat();
        let answer = self.link.call(script, group, keys, &args).await?;
        let read = Reply::new(answer).and_then(read);
        read.map_err(|Nonsense| self.nonsense())
    }

    fn nonsense(&self) -> Error {
        let name = &self.name;
        Error::Unavailable(format!("store {name}: it holds what no gateway has written").into())
    }

    fn foreign(&self) -> OpenError {
        OpenError::Foreign {
            store: self.name.clone(),
            prefix: self.keys.prefix().to_owned(),
        }
    }

    fn other_form(&self) -> OpenError {
        OpenError::Form {
            store: self.name.clone(),
            prefix: self.keys.prefix().to_owned(),
        }
    }
}
