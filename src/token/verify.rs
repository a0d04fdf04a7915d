//! Decides whether a token is one of ours and still good; knows nothing of revoked sessions.
//!
//! The order is: size, form, `typ`, `kid`, `alg`, signature, and only then what the token says.
//! Expiry comes last, so that "expired" always means "would be good otherwise".

use serde_json::Value;

use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    token::{
        Access, Grant, Refresh, Refusal, Tokens,
        claims::Members,
        jws::{Type, Unverified},
    },
};

impl Tokens {
    /// The access token, if it is good at `now`.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<Access, Refusal> {
        let access = self.read_access_ignoring_expiry(token, now)?;
        self.refuse_expired(access.expires_at, now)?;
        Ok(access)
    }

    /// What `read` makes of a token, with the newest keys if it names one that is not known.
    pub async fn with_newest_keys<T>(
        &self,
        read: impl Fn(&Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        match read(self) {
            Err(Refusal::UnknownKey) => {
                self.look_for_keys().await;
                read(self)
            }
            judged => judged,
        }
    }

    /// The access token, if it is or was good: a logout may come late.
    pub fn read_access_ignoring_expiry(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Access, Refusal> {
        let token = Unverified::parse(token, Type::Access)?;
        let keys = self.access_keys.load();
        let key = keys.find(token.kid()?).ok_or(Refusal::UnknownKey)?;
        let claims = token.open(key)?;
        self.refuse_strangers(&claims)?;
        self.refuse_other_audiences(&claims)?;
        self.refuse_early(&claims, now)?;
        Ok(Access {
            subject: subject(&claims)?.to_owned(),
            session: session(&claims)?,
            phone: claims.text("phone_number").map(str::to_owned),
            auth_time: claims.date("auth_time"),
            expires_at: date(&claims, "exp")?,
            claims: claims.into_map(),
        })
    }

    /// The refresh token, if it is good at `now`. A forged one is told without asking the store.
    pub fn verify_refresh(&self, token: &str, now: Timestamp) -> Result<Refresh, Refusal> {
        let token = Unverified::parse(token, Type::Refresh)?;
        let kid = token.kid()?;
        let mut keys = self.refresh_keys.iter();
        let key = keys
            .find(|key| key.kid() == kid)
            .ok_or(Refusal::UnknownKey)?;
        let claims = token.open(key)?;
        self.refuse_strangers(&claims)?;
        self.refuse_early(&claims, now)?;
        let expires_at = date(&claims, "exp")?;
        let refresh = Refresh {
            grant: grant(&claims)?,
            generation: generation(&claims)?,
            issued_at: date(&claims, "iat")?,
            expires_at,
        };
        self.refuse_expired(expires_at, now)?;
        Ok(refresh)
    }

    fn refuse_strangers(&self, claims: &Members) -> Result<(), Refusal> {
        let issuer = claims.text("iss").ok_or(Refusal::MissingClaim("iss"))?;
        if issuer == self.spec.issuer {
            Ok(())
        } else {
            Err(Refusal::WrongIssuer)
        }
    }

    /// `aud` is one name or a list of names (RFC 7519 §4.1.3).
    fn refuse_other_audiences(&self, claims: &Members) -> Result<(), Refusal> {
        let audience = claims.get("aud").ok_or(Refusal::MissingClaim("aud"))?;
        let is_ours = |name: &Value| name.as_str() == Some(&self.spec.audience);
        if is_ours(audience)
            || audience
                .as_array()
                .is_some_and(|all| all.iter().any(is_ours))
        {
            Ok(())
        } else {
            Err(Refusal::WrongAudience)
        }
    }

    /// `nbf` and `iat` may be left out, but not be nonsense or lie ahead.
    fn refuse_early(&self, claims: &Members, now: Timestamp) -> Result<(), Refusal> {
        for name in ["nbf", "iat"] {
            if claims.get(name).is_some() && date(claims, name)? > now + self.spec.leeway {
                return Err(Refusal::NotYetValid);
            }
        }
        Ok(())
    }

    /// At `exp` it is over, not after it (RFC 7519 §4.1.4).
    fn refuse_expired(&self, expires_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        if now < expires_at + self.spec.leeway {
            Ok(())
        } else {
            Err(Refusal::Expired)
        }
    }
}

fn grant(claims: &Members) -> Result<Grant, Refusal> {
    let phone = claims.text("phone_number");
    let amr = claims.get("amr").and_then(Value::as_array);
    let amr = amr.and_then(|methods| methods.iter().map(text).collect());
    Ok(Grant {
        subject: subject(claims)?.to_owned(),
        session: session(claims)?,
        phone: phone
            .ok_or(Refusal::MissingClaim("phone_number"))?
            .to_owned(),
        auth_time: date(claims, "auth_time")?,
        amr: amr.ok_or(Refusal::MissingClaim("amr"))?,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn subject(claims: &Members) -> Result<&str, Refusal> {
    claims
        .text("sub")
        .filter(|subject| !subject.is_empty())
        .ok_or(Refusal::MissingClaim("sub"))
}

fn session(claims: &Members) -> Result<SessionId, Refusal> {
    claims
        .text("sid")
        .and_then(|text| text.parse().ok())
        .ok_or(Refusal::MissingClaim("sid"))
}

fn generation(claims: &Members) -> Result<u32, Refusal> {
    claims
        .get("gen")
        .and_then(Value::as_u64)
        .and_then(|generation| generation.try_into().ok())
        .ok_or(Refusal::MissingClaim("gen"))
}

fn date(claims: &Members, name: &'static str) -> Result<Timestamp, Refusal> {
    claims.date(name).ok_or(Refusal::MissingClaim(name))
}
