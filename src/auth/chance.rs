//! Randomness for ids and codes: the operating system's generator, or a refusal; there is no weaker one to fall back on.

use rand::{TryRng, rngs::SysRng};

use crate::reject::{Code, Reject};

/// The operating system gave no random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bits")]
pub struct NoChance;

/// `N` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoChance> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gave no random bits");
        NoChance
    })?;
    Ok(bytes)
}

impl From<NoChance> for Reject {
    fn from(NoChance: NoChance) -> Self {
        Self::new(Code::Internal, "The gateway cannot make secrets now.")
    }
}
