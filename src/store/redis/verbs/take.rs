//! Units are taken from limits alone: one step where one server has them all, one on each server where they are spread.

use super::across::{Ahead, refusal};
use crate::{
    domain::quota::Charge,
    store::{
        Error, Taking,
        redis::{Redis, join::join_all, keys::window_group},
    },
};

impl Redis {
    /// See [`crate::store::Store::take`]. On several servers, what some have given is given back when
    /// another one refuses; [`super::across`] says what is lost if that fails.
    pub async fn take(&self, charges: Vec<Charge>) -> Result<Taking, Error> {
        let Some(first) = charges.first() else {
            return Ok(Taking::Taken);
        };
        let (own, others) = self.shares(window_group(first.bucket), &charges);
        if others.is_empty() {
            return Ok(match self.reserve(&own).await? {
                Ahead::Reserved(_) => Taking::Taken,
                Ahead::Limited { charge, wait } => Taking::Limited { charge, wait },
            });
        }
        let shares: Vec<_> = std::iter::once(own).chain(others).collect();
        let reserving = shares.iter().map(|s| self.in_a_round(self.reserve(s)));
        let reserved = join_all(reserving).await;
        match refusal(reserved.iter()) {
            None => Ok(Taking::Taken),
            Some(refused) => {
                self.give_back(shares.iter().zip(&reserved)).await;
                refused.map(|(charge, wait)| Taking::Limited { charge, wait })
            }
        }
    }
}
