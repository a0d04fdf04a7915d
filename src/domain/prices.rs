//! What a message to a number costs, by how the number begins; knows nothing of budgets.

use crate::domain::{
    money::Money,
    phone::{CallingCode, Phone},
};

/// Prices of messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices {
    /// By what numbers begin with, the longest beginning first.
    by_prefix: Vec<(Prefix, Money)>,
    /// For all other numbers.
    otherwise: Option<Money>,
}

/// What numbers begin with: `+`, the calling code of a country, and further digits or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(String);

/// Digits of the longest number (ITU-T E.164).
const LONGEST: usize = 15;

impl Prices {
    /// These, and one for all others.
    pub fn new(mut by_prefix: Vec<(Prefix, Money)>, otherwise: Option<Money>) -> Self {
        by_prefix.sort_by_key(|(Prefix(prefix), _)| std::cmp::Reverse(prefix.len()));
        Self {
            by_prefix,
            otherwise,
        }
    }

    /// The price of a message to `phone`, if one is known: that of the longest beginning.
    pub fn of(&self, phone: &Phone) -> Option<Money> {
        let mut known = self.by_prefix.iter();
        let longest = known.find(|(Prefix(prefix), _)| phone.as_e164().starts_with(prefix));
        longest.map(|(_, price)| *price).or(self.otherwise)
    }

    /// Whether every number of a country has a price.
    pub fn cover(&self, country: CallingCode) -> bool {
        let country = Prefix(country.to_string());
        self.covers_all() || self.by_prefix.iter().any(|(prefix, _)| *prefix == country)
    }

    /// Whether every number has.
    pub const fn covers_all(&self) -> bool {
        self.otherwise.is_some()
    }
}

impl Prefix {
    /// Reads `+1` or `+1876`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let is_number = (1..=LONGEST).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        // No calling code is longer than three digits.
        let mut begins = (1..=3).filter_map(|length| digits.get(..length));
        let is_known = is_number && begins.any(|code| code.parse::<CallingCode>().is_ok());
        is_known.then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(micros: u64) -> Money {
        Money::from_micros(micros)
    }

    fn phone(number: &str) -> Phone {
        Phone::parse(number, "+1".parse().unwrap()).unwrap()
    }

    fn prices(otherwise: Option<Money>) -> Prices {
        let by_prefix = [("+1", 8), ("+1876", 300), ("+49", 70), ("+4917", 60)];
        let by_prefix =
            by_prefix.map(|(prefix, micros)| (Prefix::parse(prefix).unwrap(), price(micros)));
        Prices::new(by_prefix.to_vec(), otherwise)
    }

    #[test]
    fn the_longest_beginning_says_what_a_message_costs() {
        let prices = prices(Some(price(1000)));
        for (number, micros) in [
            ("+14155550100", 8),
            ("+18765550100", 300),
            ("+4915112345678", 70),
            ("+4917612345678", 60),
            ("+447400123456", 1000),
        ] {
            assert_eq!(prices.of(&phone(number)), Some(price(micros)), "{number}");
        }
        assert_eq!(self::prices(None).of(&phone("+447400123456")), None);
    }

    #[test]
    fn a_country_is_covered_by_a_price_of_its_own_or_one_for_all() {
        let (jamaica, uk): (CallingCode, CallingCode) =
            ("+1".parse().unwrap(), "+44".parse().unwrap());
        assert!(prices(None).cover(jamaica));
        assert!(!prices(None).cover(uk));
        assert!(prices(Some(price(1))).cover(uk));
        let only_a_part = Prices::new(vec![(Prefix::parse("+1876").unwrap(), price(1))], None);
        assert!(!only_a_part.cover(jamaica));
    }

    #[test]
    fn a_beginning_has_a_calling_code() {
        for text in ["+1", "+1876", "+44", "+4474001234567"] {
            assert!(Prefix::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "+",
            "1",
            "+0",
            "+999",
            "+1 876",
            "+1a",
            "+1234567890123456",
            "default",
        ] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }
}
