//! When keys may begin to sign and when they may be forgotten, so that nobody who still has an older view of them refuses a good token. Knows nothing of files.

use std::time::Duration;

use crate::token::JWKS_MAX_AGE;

/// How long the states of keys last at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    /// For so long a key is known to everybody before it signs.
    pub notice: Duration,
    /// For so long a key that signs no more still verifies.
    pub keep_retired: Duration,
}

/// How careful a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A key signs only when everybody has had the time to learn of it.
    Announced,
    /// The next key signs at once: the active one must not be used any more.
    AtOnce,
}

impl Timetable {
    /// For access tokens that are good for `access_life`, and gateways all of which have seen a
    /// change of the keys after `spread`.
    pub fn new(access_life: Duration, spread: Duration) -> Self {
        Self {
            // An app may have fetched our keys from the gateway that was the last to hear of them.
            notice: spread + JWKS_MAX_AGE,
            // And the last to hear of it may have signed with a retired key until then.
            keep_retired: spread + access_life,
        }
    }
}
