//! A server that takes writes, for those who listen to what is published there.

use std::{fmt, sync::Arc};

use super::{
    dial::{Dialer, Place},
    subscriber::Subscriber,
};
use crate::store::Error;

/// A server that took writes when it was looked up.
#[derive(Debug, Clone)]
pub struct Master {
    dialer: Arc<Dialer>,
    place: Place,
}

impl Master {
    /// At `place`.
    pub const fn new(dialer: Arc<Dialer>, place: Place) -> Self {
        Self { dialer, place }
    }

    /// A connection that gives to `hear` what is published there. Takes at most a second.
    pub async fn subscriber(
        &self,
        hear: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Result<Subscriber, Error> {
        let subscriber = self.dialer.subscriber(&self.place, hear).await;
        subscriber.map_err(|why| Error::Unavailable(format!("{}: {why}", self.place).into()))
    }
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}
