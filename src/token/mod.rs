//! Tokens: issued and verified with keys and a time that are handed in; knows nothing of requests, sessions in the store or the clock.
//!
//! Two kinds leave this room. An *access token* is a JWT that everybody can verify through our JWKS
//! (RFC 9068); a *refresh token* is one that only we can, signed with a key derived from the master
//! secret. No token of one kind ever passes as the other: their keys are in different rings and
//! their `typ` differs.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serde_json::{Map, Value};

use crate::secret::Masters;

mod algorithm;
mod claims;
mod issue;
mod jwks;
mod jws;
mod key;
mod keys;
mod lookout;
mod refusal;
mod verify;

pub use algorithm::Algorithm;
pub use claims::{Access, Grant, Refresh};
use issue::REGISTERED;
pub use issue::SignError;
pub use jwks::JWKS_MAX_AGE;
pub use key::{InvalidKey, Key};
pub use keys::{Keyring, KeysError, Listed, Pace, State, Timetable};
pub use lookout::Lookout;
pub use refusal::Refusal;

/// What goes into every token and what is demanded of it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// `iss`, of access and refresh tokens.
    pub issuer: String,
    /// `aud` of access tokens; a token that lists further audiences is accepted too.
    pub audience: String,
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// How far the clocks of issuer and verifier may differ.
    pub leeway: Duration,
    /// Further claims of every access token. One that bears a registered name is overruled.
    pub extra_claims: Map<String, Value>,
}

impl Spec {
    /// From its issuing on, no verifier takes an access token for longer than this.
    pub fn access_life(&self) -> Duration {
        self.access_ttl + self.leeway
    }
}

/// Issues and verifies tokens. Clones share their keys, so that a key rotation reaches all of them.
#[derive(Debug, Clone)]
pub struct Tokens {
    spec: Arc<Spec>,
    access_keys: Arc<ArcSwap<Keyring>>,
    /// Newest first; the first one signs.
    refresh_keys: Arc<[Key]>,
    lookout: Option<Lookout>,
}

impl Tokens {
    /// From the rules, the master secrets (for refresh tokens) and the keys of access tokens,
    /// which may be replaced at any time.
    pub fn new(mut spec: Spec, masters: &Masters, access_keys: Arc<ArcSwap<Keyring>>) -> Self {
        spec.extra_claims
            .retain(|name, _| !REGISTERED.contains(&name.as_str()));
        let refresh_keys = masters
            .iter()
            .map(|master| Key::hmac(master.id().to_string(), master.refresh_key()))
            .collect();
        Self {
            spec: Arc::new(spec),
            access_keys,
            refresh_keys,
            lookout: None,
        }
    }

    /// The same, with somebody who looks for keys that are not known.
    #[must_use]
    pub fn watched_by(mut self, lookout: Lookout) -> Self {
        self.lookout = Some(lookout);
        self
    }

    /// Waits until somebody has looked whether there are newer keys: the one that a token names may
    /// have come a moment ago.
    pub async fn look_for_keys(&self) {
        if let Some(lookout) = &self.lookout {
            lookout.look().await;
        }
    }

    /// The keys of access tokens; whoever remembers verified tokens watches them for a change.
    pub const fn keys(&self) -> &Arc<ArcSwap<Keyring>> {
        &self.access_keys
    }

    /// The rules it goes by.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
}

#[cfg(test)]
mod tests;
