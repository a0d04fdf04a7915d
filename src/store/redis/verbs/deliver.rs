//! Messages on their way. Not kept yet.

use crate::{
    domain::{
        delivery::{Delivery, MessageId, Turn, Turned},
        otp::ChallengeId,
    },
    store::{Error, redis::Redis},
};

impl Redis {
    /// See [`crate::store::Store::deliver`].
    pub async fn deliver(&self, _: ChallengeId, _: Turn) -> Result<Option<Turned>, Error> {
        std::future::ready(self.no_messages()).await
    }

    /// See [`crate::store::Store::delivery`].
    pub async fn delivery(&self, _: ChallengeId) -> Result<Option<Delivery>, Error> {
        std::future::ready(self.no_messages()).await
    }

    /// See [`crate::store::Store::due`].
    pub async fn due(&self, _: usize) -> Result<Vec<(ChallengeId, MessageId)>, Error> {
        std::future::ready(self.no_messages()).await
    }

    fn no_messages<T>(&self) -> Result<T, Error> {
        let name = &self.shared.name;
        Err(Error::Unavailable(
            format!("store {name}: messages are not kept there yet").into(),
        ))
    }
}
