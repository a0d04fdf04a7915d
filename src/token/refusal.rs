//! The reasons why a token is refused, and what the client is told; knows nothing of how they are found.

use crate::reject::{Code, Reject};

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a signed token in compact form, or longer than tokens may be.
    #[error("the token is malformed")]
    Malformed,
    /// It is a token for another use, a refresh token for example.
    #[error("the token is of another type")]
    WrongType,
    /// It names no key, or none of ours.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// Its algorithm is not the one of the key that it names.
    #[error("the token's algorithm is not the one of its key")]
    WrongAlgorithm,
    /// The key that it names did not sign it.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// Somebody else issued it.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// It was issued for others.
    #[error("the token is for another audience")]
    WrongAudience,
    /// It lacks a claim, or holds something there that cannot be.
    #[error("the token has no usable claim `{0}`")]
    MissingClaim(&'static str),
    /// It will be good later.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was good before. All else is right with it, so that a refresh may help.
    #[error("the token has expired")]
    Expired,
}

/// For an access token; a refresh token's refusal is an `invalid_grant`, which its endpoint says.
impl From<Refusal> for Reject {
    fn from(refusal: Refusal) -> Self {
        let invalid = |detail| Self::token(Code::InvalidToken, detail);
        match refusal {
            Refusal::Malformed => invalid("The token is malformed."),
            Refusal::WrongType => invalid("The token is not an access token."),
            Refusal::UnknownKey => invalid("The token names a signing key that is not known here."),
            Refusal::WrongAlgorithm => invalid("The token's algorithm does not fit its key."),
            Refusal::BadSignature => invalid("The token's signature is wrong."),
            Refusal::WrongIssuer => invalid("The token was issued by somebody else."),
            Refusal::WrongAudience => invalid("The token was issued for another audience."),
            Refusal::MissingClaim(_) => invalid("The token lacks a claim that it must have."),
            Refusal::NotYetValid => invalid("The token is not valid yet."),
            Refusal::Expired => Self::token(Code::TokenExpired, "The token has expired."),
        }
    }
}
