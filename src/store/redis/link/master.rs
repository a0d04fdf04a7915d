//! A server that takes writes, for those who need a connection of their own: to hear what is published, or to read much.

use std::{fmt, sync::Arc, time::Duration};

use redis::{Cmd, Value, aio::PubSub};
use tokio::time::timeout;

use super::{
    connection::Connection,
    dial::{Dialer, Place},
    fault::Fault,
    greeting::Expected,
    refusal::NoConnection,
};
use crate::store::{Error, redis::group::Group};

/// A server that took writes when it was looked up, and what it has. Two are the same when they
/// are at the same place.
#[derive(Debug, Clone)]
pub struct Master {
    dialer: Arc<Dialer>,
    place: Place,
    expected: Expected,
    groups: Vec<Group>,
}

/// A connection that nobody else uses.
#[derive(Debug)]
pub struct Private(Connection);

impl Master {
    /// At `place`, with `groups`.
    pub const fn new(
        dialer: Arc<Dialer>,
        place: Place,
        expected: Expected,
        groups: Vec<Group>,
    ) -> Self {
        Self {
            dialer,
            place,
            expected,
            groups,
        }
    }

    /// What it has; never nothing.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A connection that hears what is published there. Takes at most a second.
    pub async fn subscriber(&self) -> Result<PubSub, Error> {
        let subscriber = self.dialer.subscriber(&self.place).await;
        subscriber.map_err(|why| self.unavailable(&why))
    }

    /// A connection for commands. Takes at most a second, and fails when it takes no writes any
    /// more.
    pub async fn connection(&self) -> Result<Private, Error> {
        let connection = self.dialer.connect(&self.place, self.expected).await;
        connection
            .map(Private)
            .map_err(|why| self.unavailable(&why))
    }

    fn unavailable(&self, why: &NoConnection) -> Error {
        Error::Unavailable(format!("{}: {why}", self.place).into())
    }
}

impl PartialEq for Master {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Master {}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Private {
    /// The answer to a command, if it comes within `patience`. Several may be under way at once.
    pub async fn ask(&self, command: &Cmd, patience: Duration) -> Result<Value, Error> {
        match timeout(patience, self.0.send(&[command])).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(Error::Unavailable(match fault {
                Fault::Later(text)
                | Fault::Demoted(text)
                | Fault::Refused { text, .. }
                | Fault::Cut(text) => text,
                Fault::NoScript | Fault::Moved(_) | Fault::Ask(_) | Fault::Silent(_) => {
                    format!("{}: the keys are no longer there", self.0.place()).into()
                }
            })),
            Err(_) => Err(Error::Timeout),
        }
    }
}
