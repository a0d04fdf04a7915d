//! What messages say, and in which language: pure, and of nothing that a client says more than the choice among texts. It knows no provider.
//!
//! A person is written to in the first of these languages in which there is a text: the one that
//! the request names, those that the browser names, the one of the number's country, the default.

mod accept;
mod built_in;
mod last_line;
mod length;
mod locale;
mod template;

pub use self::{
    last_line::{AppHash, Host, LastLine},
    length::Length,
    locale::Locale,
    template::{InvalidTemplate, Template},
};

use std::{collections::BTreeMap, time::Duration};

use self::template::{Filling, said};
use super::Channel;
use crate::domain::{otp::Code, phone::CallingCode};

/// All texts, and what belongs to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    texts: BTreeMap<Locale, Template>,
    default: Locale,
    sender: String,
    last_line: LastLine,
}

/// What tells a person's language.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'a> {
    /// What the request names.
    pub locale: Option<&'a Locale>,
    /// The browser's `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// Where the number is from.
    pub country: CallingCode,
}

/// A text in its language.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// The language.
    pub locale: &'a Locale,
    template: &'a Template,
}

/// Texts that are the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// By language.
    pub by_locale: BTreeMap<Locale, Template>,
    /// For every other language; without it those have the texts that come along.
    pub others: Option<Template>,
}

impl Wording {
    /// Texts of the operator's `own` and, unless these are for all languages, those that come along.
    /// `default` is for whoever has no language of those; `sender` is who they are from.
    pub fn new(own: Own, default: Locale, sender: String, last_line: LastLine) -> Self {
        let mut texts = own.by_locale;
        match own.others {
            Some(template) => drop(texts.entry(default.clone()).or_insert(template)),
            None => {
                for (tag, text) in built_in::TEXTS {
                    // Both are well-formed, says a test.
                    if let (Ok(locale), Ok(template)) = (tag.parse(), Template::parse(text)) {
                        texts.entry(locale).or_insert(template);
                    }
                }
            }
        }
        Self {
            texts,
            default,
            sender,
            last_line,
        }
    }

    /// Whether whoever has no other language can be written to.
    pub fn has_default(&self) -> bool {
        self.find(self.default.clone()).is_some()
    }

    /// Every text there is.
    pub fn texts(&self) -> impl Iterator<Item = Chosen<'_>> {
        let texts = self.texts.iter();
        texts.map(|(locale, template)| Chosen { locale, template })
    }

    /// The text for whoever is hinted at; `None` when not even the default language has one.
    pub fn choose(&self, hints: Hints<'_>) -> Option<Chosen<'_>> {
        let accepted = hints.accept_language.map(accept::accepted);
        let country = built_in::language(hints.country);
        let mut wished = hints
            .locale
            .cloned()
            .into_iter()
            .chain(accepted.into_iter().flatten())
            .chain(country);
        wished
            .find_map(|locale| self.find(locale))
            .or_else(|| self.find(self.default.clone()))
    }

    /// The text in the language that was chosen before, under settings that may have been others.
    pub fn text(&self, locale: &Locale) -> Option<Chosen<'_>> {
        self.find(locale.clone())
            .or_else(|| self.find(self.default.clone()))
    }

    /// The whole message: what is said in a call, and what is read otherwise.
    pub fn write(
        &self,
        chosen: Chosen<'_>,
        channel: Channel,
        code: &Code,
        valid_for: Duration,
    ) -> String {
        let spelled;
        let code_text = match channel {
            Channel::Sms | Channel::WhatsApp => code.reveal(),
            Channel::Voice => {
                spelled = said(code);
                &spelled
            }
        };
        let mut text = chosen.template.fill(Filling {
            code: code_text,
            // Rounded down: a person told "5 minutes" must have them.
            minutes: (valid_for.as_secs() / 60).max(1),
            sender: &self.sender,
        });
        match channel {
            Channel::Sms => self.last_line.write(code, &mut text),
            Channel::WhatsApp | Channel::Voice => {}
        }
        text
    }

    /// The text in this language, or in the nearest broader one.
    fn find(&self, locale: Locale) -> Option<Chosen<'_>> {
        let mut next = Some(locale);
        while let Some(locale) = next {
            if let Some((locale, template)) = self.texts.get_key_value(&locale) {
                return Some(Chosen { locale, template });
            }
            next = locale.broader();
        }
        None
    }
}

#[cfg(test)]
mod tests;
