//! Amounts of money, exact to a millionth; knows no currency.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An amount of the one currency that all prices and budgets are in, in millionths.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Money(u64);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an amount such as \"20.00\" or \"0.0079\", of a billion at most")]
pub struct InvalidMoney;

/// Millionths of one.
const ONE: u64 = 1_000_000;

/// A billion. Five times that is still exact in a store that counts in floats.
const MOST: u64 = 1_000_000_000 * ONE;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From millionths.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In millionths.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it; nothing of less.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether it is four fifths of `whole` at least.
    pub const fn is_most_of(self, whole: Self) -> bool {
        self.0.saturating_mul(5) >= whole.0.saturating_mul(4)
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    /// Reads digits, and behind a point six more at most.
    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(part) || part.len() > 6 {
            return Err(InvalidMoney);
        }
        let whole: u64 = whole.parse().map_err(|_| InvalidMoney)?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| InvalidMoney)?;
        let micros = whole.checked_mul(ONE).ok_or(InvalidMoney)?;
        let micros = micros.checked_add(part).ok_or(InvalidMoney)?;
        (micros <= MOST).then_some(Self(micros)).ok_or(InvalidMoney)
    }
}

/// With two digits behind the point, and more where they say something.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        let part = format!("{part:06}");
        let mut shown = part.trim_end_matches('0');
        if shown.len() < 2 {
            shown = part.get(..2).unwrap_or_default();
        }
        write!(f, "{whole}.{shown}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_as_decimals() {
        for (text, micros) in [
            ("20.00", 20_000_000),
            ("0.0079", 7_900),
            ("3", 3_000_000),
            ("0.5", 500_000),
            ("0.000001", 1),
            ("1000000000", MOST),
        ] {
            assert_eq!(text.parse(), Ok(Money(micros)), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            "1e3",
            " 1",
            "1.0000000",
            "1.2.3",
            "٣",
            "1000000000.01",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Money>(), Err(InvalidMoney), "{text}");
        }
        for (micros, text) in [
            (0, "0.00"),
            (20_000_000, "20.00"),
            (7_900, "0.0079"),
            (100_000, "0.10"),
        ] {
            assert_eq!(Money(micros).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(micros in 0..=MOST) {
            prop_assert_eq!(Money(micros).to_string().parse(), Ok(Money(micros)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _read = text.parse::<Money>();
        }
    }
}
