//! Makes tokens out of grants; knows nothing of whether a grant is deserved.

use serde_json::{Map, Value, json};

use crate::{
    clock::Timestamp,
    domain::session::Id,
    reject::{Code, Reject},
    token::{
        Grant, Tokens,
        jws::{self, Type},
    },
};

/// Why no token could be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There are only public keys.
    #[error("there is no private key to sign tokens with")]
    NoKey,
    /// The cryptographic library refused to sign.
    #[error("signing failed")]
    Failed,
}

impl From<SignError> for Reject {
    fn from(error: SignError) -> Self {
        match error {
            SignError::NoKey | SignError::Failed => {
                Self::new(Code::Internal, "No token could be issued.")
            }
        }
    }
}

impl Tokens {
    /// An access token; `jti` are 128 random bits.
    pub fn issue_access(
        &self,
        grant: &Grant,
        jti: [u8; 16],
        now: Timestamp,
    ) -> Result<String, SignError> {
        let mut claims = self.spec.extra_claims.clone();
        claims.extend(self.claims(grant, now, now + self.spec.access_ttl));
        claims.insert("aud".to_owned(), json!(self.spec.audience));
        claims.insert("nbf".to_owned(), json!(now.as_secs()));
        claims.insert("jti".to_owned(), json!(Id(jti).to_string()));
        let keys = self.access_keys.load();
        let key = keys.signing().ok_or(SignError::NoKey)?;
        jws::seal(Type::Access, &claims, key).ok_or(SignError::Failed)
    }

    /// The refresh token of one generation of a session. The same arguments give the same token,
    /// byte for byte, so that a repeated refresh can be answered with the first one's successor.
    pub fn issue_refresh(
        &self,
        grant: &Grant,
        generation: u32,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, SignError> {
        let mut claims = self.claims(grant, issued_at, expires_at);
        claims.insert("gen".to_owned(), json!(generation));
        let key = self.refresh_keys.first().ok_or(SignError::NoKey)?;
        jws::seal(Type::Refresh, &claims, key).ok_or(SignError::Failed)
    }

    /// What both kinds say.
    fn claims(
        &self,
        grant: &Grant,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Map<String, Value> {
        let claims = [
            ("iss", json!(self.spec.issuer)),
            ("sub", json!(grant.subject)),
            ("sid", json!(grant.session.to_string())),
            ("iat", json!(issued_at.as_secs())),
            ("exp", json!(expires_at.as_secs())),
            ("phone_number", json!(grant.phone)),
            ("auth_time", json!(grant.auth_time.as_secs())),
            ("amr", json!(grant.amr)),
        ];
        claims
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}
