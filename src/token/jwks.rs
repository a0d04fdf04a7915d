//! The public keys, for everybody who verifies our access tokens (RFC 7517 §5); knows nothing of secrets.

use std::time::Duration;

use serde_json::{Value, json};

use crate::token::{Key, Tokens};

/// For so long a copy of the keys may be used without asking again.
pub const JWKS_MAX_AGE: Duration = Duration::from_mins(5);

impl Tokens {
    /// All keys that may still verify, and those that soon will. Shared secrets are not among them.
    pub fn jwks(&self) -> Value {
        let ring = self.access_keys.load();
        let keys: Vec<_> = ring.iter().filter_map(Key::public).collect();
        json!({ "keys": keys })
    }
}
