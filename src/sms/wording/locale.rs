//! Languages as they are named in requests and settings (BCP 47), as far as messages can differ by them.

use std::{fmt, str::FromStr};

/// A language, perhaps with a script and a region, in canonical case: `de`, `pt-BR`, `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locale(String);

/// The text names no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag such as de or pt-BR")]
pub struct InvalidLocale;

/// RFC 5646 §4.4.1: no tag in use is longer.
const LONGEST: usize = 35;

impl Locale {
    /// What is understood where nothing else is known to be.
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone: `pt` of `pt-BR`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The next tag in which the same person may find their language (lookup of RFC 4647 §3.4).
    #[must_use]
    pub fn broader(&self) -> Option<Self> {
        let (broader, last) = self.0.rsplit_once('-')?;
        // Where Chinese is written in traditional script, the language alone means another one.
        let traditional = broader == "zh" && matches!(last, "TW" | "HK" | "MO");
        let broader = if traditional { "zh-Hant" } else { broader };
        Some(Self(broader.to_owned()))
    }
}

impl FromStr for Locale {
    type Err = InvalidLocale;

    /// Reads a tag, with `_` for `-` too; variants and extensions are left out.
    fn from_str(text: &str) -> Result<Self, InvalidLocale> {
        let well_formed = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if text.len() > LONGEST || !text.split(['-', '_']).all(well_formed) {
            return Err(InvalidLocale);
        }
        let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
        let mut parts = text.split(['-', '_']);
        let language = parts
            .next()
            .filter(|part| letters(part) && matches!(part.len(), 2 | 3))
            .ok_or(InvalidLocale)?;
        let mut tag = language.to_ascii_lowercase();
        let mut parts = parts.peekable();
        if let Some(script) = parts.next_if(|part| part.len() == 4 && letters(part)) {
            let (first, rest) = script.split_at(1);
            tag.push('-');
            tag.push_str(&first.to_ascii_uppercase());
            tag.push_str(&rest.to_ascii_lowercase());
        }
        let is_region = |part: &&str| match part.len() {
            2 => letters(part),
            3 => part.bytes().all(|b| b.is_ascii_digit()),
            _ => false,
        };
        if let Some(region) = parts.next_if(is_region) {
            tag.push('-');
            tag.push_str(&region.to_ascii_uppercase());
        }
        Ok(Self(tag))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn locale(text: &str) -> Option<String> {
        text.parse().ok().map(|locale: Locale| locale.to_string())
    }

    #[test]
    fn tags_are_brought_into_one_form() {
        for (text, tag) in [
            ("de", "de"),
            ("DE", "de"),
            ("pt_br", "pt-BR"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("fil", "fil"),
            ("sr-LATN", "sr-Latn"),
            ("de-CH-1901", "de-CH"),
            ("en-u-hc-h12", "en"),
        ] {
            assert_eq!(locale(text).as_deref(), Some(tag), "{text}");
        }
        for text in [
            "", "-", "d", "german", "de-", "-de", "de--CH", "*", "12", "de CH", "de\n", "dé",
        ] {
            assert_eq!(locale(text), None, "{text}");
        }
    }

    #[test]
    fn a_tag_leads_to_broader_ones() {
        let broader = |text: &str| {
            let mut found = Vec::new();
            let mut next: Option<Locale> = text.parse::<Locale>().unwrap().broader();
            while let Some(locale) = next {
                found.push(locale.to_string());
                next = locale.broader();
            }
            found
        };
        assert_eq!(broader("de"), [""; 0]);
        assert_eq!(broader("de-AT"), ["de"]);
        assert_eq!(broader("zh-Hans-SG"), ["zh-Hans", "zh"]);
        assert_eq!(broader("zh-TW"), ["zh-Hant", "zh"]);
        assert_eq!("pt-BR".parse::<Locale>().unwrap().language(), "pt");
    }

    proptest! {
        #[test]
        fn what_was_read_reads_as_itself(text in "[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,3}") {
            if let Some(tag) = locale(&text) {
                prop_assert_eq!(locale(&tag), Some(tag.clone()));
                prop_assert!(tag.len() <= 11, "{}", tag);
            }
        }

        #[test]
        fn no_text_panics_and_no_tag_holds_anything_odd(text in "\\PC{0,40}") {
            if let Some(tag) = locale(&text) {
                prop_assert!(tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
    }
}
