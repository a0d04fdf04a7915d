//! Why a request does not pass, as far as it matters to who could wait; knows nothing of how it was judged.

use crate::{reject::Reject, store::revocations, token::Refusal};

/// Why a request does not pass.
#[derive(Debug)]
pub enum Denied {
    /// It is refused.
    Refused(Reject),
    /// Its token names a key that is not known here, and may be one that came a moment ago.
    UnknownKey,
}

impl From<Reject> for Denied {
    fn from(reject: Reject) -> Self {
        Self::Refused(reject)
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::UnknownKey {
            Self::UnknownKey
        } else {
            Self::Refused(refusal.into())
        }
    }
}

impl From<revocations::Refusal> for Denied {
    fn from(refusal: revocations::Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Denied> for Reject {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(reject) => reject,
            Denied::UnknownKey => Refusal::UnknownKey.into(),
        }
    }
}
