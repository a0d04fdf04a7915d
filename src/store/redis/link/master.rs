//! A server that takes writes, for those who listen to what is published there, or look through all it has.

use std::{fmt, sync::Arc, time::Duration};

use redis::{Cmd, Value};
use tokio::time::timeout;

use super::{
    connection::Connection,
    dial::{Dialer, Place},
    fault::Fault,
    greeting::Expected,
    refusal::NoConnection,
    subscriber::Subscriber,
};
use crate::store::Error;

/// A server that took writes when it was looked up.
#[derive(Debug, Clone)]
pub struct Master {
    dialer: Arc<Dialer>,
    place: Place,
    expected: Expected,
}

/// A connection to one server, whatever it has: nobody else uses it.
#[derive(Debug)]
pub struct Private(Connection);

impl Master {
    /// At `place`, of the kind that takes writes there.
    pub const fn new(dialer: Arc<Dialer>, place: Place, expected: Expected) -> Self {
        Self {
            dialer,
            place,
            expected,
        }
    }

    /// A connection for questions about the server itself. Takes at most a second.
    pub async fn connection(&self) -> Result<Private, Error> {
        let connection = self.dialer.connect(&self.place, self.expected).await;
        connection
            .map(Private)
            .map_err(|why| self.unavailable(&why))
    }

    /// A connection that gives to `hear` what is published there. Takes at most a second.
    pub async fn subscriber(
        &self,
        hear: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Result<Subscriber, Error> {
        let subscriber = self.dialer.subscriber(&self.place, hear).await;
        subscriber.map_err(|why| self.unavailable(&why))
    }

    fn unavailable(&self, why: &NoConnection) -> Error {
        Error::Unavailable(format!("{}: {why}", self.place).into())
    }
}

impl Private {
    /// The answer to a command, if it comes within `patience`.
    pub async fn ask(&self, command: &Cmd, patience: Duration) -> Result<Value, Error> {
        match timeout(patience, self.0.send(&[command])).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(Error::Unavailable(match fault {
                Fault::Later(text)
                | Fault::Demoted(text)
                | Fault::Refused { text, .. }
                | Fault::Unsent(text)
                | Fault::Cut(text) => text,
                Fault::NoScript | Fault::Moved(_) | Fault::Ask(_) | Fault::Silent(_) => {
                    format!("{}: the keys are no longer there", self.0.place()).into()
                }
            })),
            Err(_) => Err(Error::Timeout),
        }
    }
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}
