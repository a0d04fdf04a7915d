//! Codes: what one is, how one is drawn, and what stands for it in the store.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};

use crate::secret::{Master, Purpose};

/// How many digits a code has: 4 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(u8);

/// A one-time code. It is never printed; [`Code::reveal`] is for the message alone. Compared in
/// constant time.
#[derive(Clone, Eq)]
pub struct Code(String);

/// Random input from which a code is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 16]);

/// Stands for a code in the store: a keyed hash of phone and code, useless without the master secret.
/// Compared in constant time.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
pub struct Tag(pub [u8; 16]);

/// A code, or a length of codes, that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// Not exactly as many digits as codes have.
    #[error("must be {} digits", .0.0)]
    Digits(Length),
    /// A length outside of 4 to 10.
    #[error("a code has 4 to 10 digits")]
    Length,
}

impl Length {
    /// From a number of digits.
    pub const fn new(digits: u8) -> Result<Self, InvalidCode> {
        if 4 <= digits && digits <= 10 {
            Ok(Self(digits))
        } else {
            Err(InvalidCode::Length)
        }
    }

    /// The number of digits.
    pub const fn digits(self) -> u8 {
        self.0
    }
}

impl Code {
    /// Reads a code as a person typed it: exactly the digits, blanks around them forgiven.
    pub fn parse(text: &str, length: Length) -> Result<Self, InvalidCode> {
        let text = text.trim();
        let right = text.len() == usize::from(length.0) && text.bytes().all(|b| b.is_ascii_digit());
        right
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidCode::Digits(length))
    }

    /// The first uniform code in a stream of random words. A word beyond the largest multiple of
    /// the number of codes is skipped, so that every code is equally likely.
    pub fn draw(length: Length, words: impl Iterator<Item = u64>) -> Option<Self> {
        let codes = 10_u64.pow(u32::from(length.0));
        let fair = u64::MAX - u64::MAX % codes;
        let word = words.into_iter().find(|word| *word < fair)?;
        let width = usize::from(length.0);
        Some(Self(format!("{:0width$}", word % codes)))
    }

    /// The code that belongs to `nonce`: uniform over all codes of this length, and the same each
    /// time. `None` only if a thousand words in a row were unfair, which has no probability worth
    /// writing down.
    pub fn derive(master: &Master, nonce: Nonce, length: Length) -> Option<Self> {
        let words = (0..1000_u64).filter_map(|count| {
            let hash = master.prf(Purpose::OtpCode, &[&nonce.0, &count.to_be_bytes()]);
            hash.first_chunk().copied().map(u64::from_be_bytes)
        });
        Self::draw(length, words)
    }

    /// The digits, for the message to the owner of the phone and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(…)")
    }
}

#[cfg(test)]
mod tests;
