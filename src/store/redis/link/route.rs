//! How the one server that is meant is found: it has an address, or sentinels know it; keeps no connections.

use std::sync::Arc;

use super::{
    connection::Connection,
    dial::{Dialer, Place},
    greeting::Expected,
    refusal::NoConnection,
    sentinel::Sentinels,
};

/// How one server is found.
#[derive(Debug)]
pub enum Route {
    /// It is always there.
    Fixed {
        /// Where.
        place: Place,
        /// Of which kind it must be.
        expected: Expected,
    },
    /// They know which one it is.
    Sentinels(Sentinels),
}

impl Route {
    /// Makes one attempt to connect.
    pub async fn connect(&self, dialer: &Arc<Dialer>) -> Result<Connection, NoConnection> {
        match self {
            Self::Fixed { place, expected } => dialer.connect(place, *expected).await,
            Self::Sentinels(sentinels) => sentinels.connect(dialer).await,
        }
    }

    /// Where it is, by the latest word.
    pub async fn find(&self, dialer: &Arc<Dialer>) -> Result<Place, NoConnection> {
        match self {
            Self::Fixed { place, .. } => Ok(place.clone()),
            Self::Sentinels(sentinels) => {
                let met = sentinels.connect(dialer).await?;
                Ok(met.place().clone())
            }
        }
    }

    /// Whether `place` is, by what is known, where it is.
    pub fn leads_to(&self, place: &Place) -> bool {
        match self {
            Self::Fixed { place: fixed, .. } => place == fixed,
            Self::Sentinels(sentinels) => sentinels.lead_to(place),
        }
    }

    /// How it is called in the log.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Fixed { place, .. } => place.to_string().into(),
            Self::Sentinels(sentinels) => Arc::clone(sentinels.name()),
        }
    }
}
