//! What a provider tells later of a message that it took, in our words; knows neither how it is told nor what follows.

mod follow;
mod ledger;
mod tellers;

use std::fmt;

pub use self::{
    follow::follow,
    ledger::Ledger,
    tellers::{Teller, Tellers},
};
use super::MessageId;
pub use crate::domain::delivery::Outcome;
use crate::domain::otp::ChallengeId;

/// News of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whose code is in it.
    pub challenge: ChallengeId,
    /// Which of the messages with that code it is.
    pub message: MessageId,
    /// What is told of it.
    pub told: Told,
}

/// What is told of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What has become of it; `None` when it is still on its way, or the word for it is none that
    /// we know: neither is news.
    pub outcome: Option<Outcome>,
    /// What the provider calls it, if it says so.
    pub reference: Option<String>,
    /// Why it did not arrive, if it did not and that is said.
    pub reason: Option<Reason>,
}

/// Why a request tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Whoever sent it has not proved to be the provider.
    Forged,
    /// It is the provider's, but about no message of ours.
    Unreadable,
}

/// Why a message did not arrive, as its provider says: a short code, or words without a digit, so
/// that no number slips into a log with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// Digits of the longest code: every phone number has more.
const LONGEST_CODE: usize = 5;

/// Characters of a reason in words that are kept.
const LONGEST_WORDS: usize = 80;

impl Reason {
    /// A code, such as Twilio's `30003`.
    pub fn code(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST_CODE).contains(&text.len());
        (fits && text.bytes().all(|b| b.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    /// Words, of which all is left out that is no plain letter or stands between such.
    pub fn words(text: &str) -> Option<Self> {
        let is_plain = |c: &char| c.is_ascii_alphabetic() || matches!(c, ' ' | '_' | '-' | '/');
        let kept: String = text.chars().filter(is_plain).take(LONGEST_WORDS).collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reasons_are_codes_or_plain_words() {
        let shown = |reason: Option<Reason>| reason.map(|reason| reason.to_string());
        assert_eq!(shown(Reason::code("30003")).as_deref(), Some("30003"));
        for text in ["", "300030", "-1", "3000a", "+1415"] {
            assert_eq!(Reason::code(text), None, "{text}");
        }
        let words = "Phone is currently unreachable/unavailable";
        assert_eq!(shown(Reason::words(words)).as_deref(), Some(words));
        assert_eq!(
            shown(Reason::words("no way to +1 415 555 0100\n")).as_deref(),
            Some("no way to")
        );
        assert_eq!(Reason::words("+1 (415)"), None);
    }

    proptest! {
        #[test]
        fn no_number_slips_into_a_log(text in "\\PC{0,120}") {
            if let Some(Reason(words)) = Reason::words(&text) {
                prop_assert!(!words.contains(|c: char| c.is_ascii_digit() || c.is_control()));
                prop_assert!(words.len() <= LONGEST_WORDS);
            }
        }
    }
}
