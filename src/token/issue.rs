//! Makes tokens out of grants; knows nothing of whether a grant is deserved.

use serde::Serialize;
use serde_json::{Map, Value};

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

/// What an access token says. Whoever adds a claim names it in [`REGISTERED`], too.
#[derive(Serialize)]
struct AccessClaims<'a> {
    #[serde(flatten)]
    login: LoginClaims<'a>,
    aud: &'a str,
    nbf: u64,
    jti: String,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

/// What a refresh token says.
#[derive(Serialize)]
struct RefreshClaims<'a> {
    #[serde(flatten)]
    login: LoginClaims<'a>,
    r#gen: u32,
}

/// What both say.
#[derive(Serialize)]
struct LoginClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    sid: String,
    iat: u64,
    exp: u64,
    phone_number: &'a str,
    auth_time: u64,
    amr: &'a [String],
}

/// The claims of access tokens that no configured one overrules.
pub const REGISTERED: [&str; 11] = [
    "iss",
    "sub",
    "sid",
    "iat",
    "exp",
    "phone_number",
    "auth_time",
    "amr",
    "aud",
    "nbf",
    "jti",
];

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
        let claims = AccessClaims {
            login: self.login(grant, now, now + self.spec.access_ttl),
            aud: &self.spec.audience,
            nbf: now.as_secs(),
            jti: Id(jti).to_string(),
            extra: &self.spec.extra_claims,
        };
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
        let claims = RefreshClaims {
            login: self.login(grant, issued_at, expires_at),
            r#gen: generation,
        };
        let key = self.refresh_keys.first().ok_or(SignError::NoKey)?;
        jws::seal(Type::Refresh, &claims, key).ok_or(SignError::Failed)
    }

    fn login<'a>(
        &'a self,
        grant: &'a Grant,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> LoginClaims<'a> {
        LoginClaims {
            iss: &self.spec.issuer,
            sub: &grant.subject,
            sid: grant.session.to_string(),
            iat: issued_at.as_secs(),
            exp: expires_at.as_secs(),
            phone_number: &grant.phone,
            auth_time: grant.auth_time.as_secs(),
            amr: &grant.amr,
        }
    }
}
