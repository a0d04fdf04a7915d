//! A text with places in it; knows neither language nor length.

use std::fmt;

use crate::domain::otp::Code;

/// A text with at least one place for the code. It is taken apart once, so that nothing that is
/// filled in can be taken for a place.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'a> {
    /// As it is to be read, or said.
    pub code: &'a str,
    /// For how long it is good.
    pub minutes: u64,
    /// Who sends it.
    pub sender: &'a str,
}

/// Why a text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// Another place, or a brace that is none.
    #[error("only {{code}}, {{minutes}} and {{sender}} may stand in braces")]
    Place,
    /// No place for the code.
    #[error("a message without {{code}} helps nobody")]
    NoCode,
    /// More than any provider takes.
    #[error("is longer than 500 characters")]
    TooLong,
    /// What could be taken for another line of ours, or that phones do not show.
    #[error("must not hold control characters other than line ends")]
    Control,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Code,
    Minutes,
    Sender,
}

const LONGEST: usize = 500;

impl Template {
    /// Takes a text apart.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        if text.chars().count() > LONGEST {
            return Err(InvalidTemplate::TooLong);
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(InvalidTemplate::Control);
        }
        let mut parts = text.split('{');
        let mut pieces = vec![plain(parts.next().unwrap_or_default())?];
        for part in parts {
            let (name, after) = part.split_once('}').ok_or(InvalidTemplate::Place)?;
            pieces.push(match name {
                "code" => Piece::Code,
                "minutes" => Piece::Minutes,
                "sender" => Piece::Sender,
                _ => return Err(InvalidTemplate::Place),
            });
            pieces.push(plain(after)?);
        }
        if !pieces.contains(&Piece::Code) {
            return Err(InvalidTemplate::NoCode);
        }
        Ok(Self(pieces))
    }

    /// The text with everything in its place.
    pub fn fill(&self, filling: Filling<'_>) -> String {
        let minutes = filling.minutes.to_string();
        let words = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Code => filling.code,
            Piece::Minutes => &minutes,
            Piece::Sender => filling.sender,
        });
        words.collect()
    }
}

/// How a code is said: digit by digit, or a voice would read a number.
pub fn said(code: &Code) -> String {
    let digits: Vec<String> = code.reveal().chars().map(String::from).collect();
    digits.join(", ")
}

fn plain(text: &str) -> Result<Piece, InvalidTemplate> {
    if text.contains('}') {
        return Err(InvalidTemplate::Place);
    }
    Ok(Piece::Text(text.to_owned()))
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str, sender: &str) -> String {
        let filling = Filling {
            code: "042137",
            minutes: 5,
            sender,
        };
        Template::parse(text).unwrap().fill(filling)
    }

    #[test]
    fn a_template_is_filled_in_once() {
        assert_eq!(
            filled("{sender}: {code}, {minutes} min. {code}", "Shop"),
            "Shop: 042137, 5 min. 042137"
        );
        assert_eq!(filled("{sender} {code}", "{code}"), "{code} 042137");
        assert_eq!(filled("{code}", ""), "042137");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, why) in [
            ("{cod}", InvalidTemplate::Place),
            ("{code", InvalidTemplate::Place),
            ("code}", InvalidTemplate::Place),
            ("{{code}}", InvalidTemplate::Place),
            ("{ code }", InvalidTemplate::Place),
            ("hello {sender}", InvalidTemplate::NoCode),
            ("", InvalidTemplate::NoCode),
            ("{code}\r", InvalidTemplate::Control),
            ("{code}\u{1b}", InvalidTemplate::Control),
        ] {
            assert_eq!(Template::parse(text), Err(why), "{text}");
        }
        let long = format!("{{code}}{}", "x".repeat(LONGEST));
        assert_eq!(Template::parse(&long), Err(InvalidTemplate::TooLong));
    }

    proptest! {
        /// Only what stands in the template and the three fillings is ever in a message.
        #[test]
        fn a_text_is_its_template_with_the_places_replaced(
            parts in proptest::collection::vec("[^{}\\p{C}]{0,8}|\\{code\\}|\\{minutes\\}|\\{sender\\}", 0..8),
            sender in "\\PC{0,10}",
        ) {
            let text = parts.concat() + "{code}";
            let expected: String = parts
                .iter()
                .map(String::as_str)
                .chain(["{code}"])
                .map(|part| match part {
                    "{code}" => "042137",
                    "{minutes}" => "5",
                    "{sender}" => &sender,
                    other => other,
                })
                .collect();
            prop_assert_eq!(filled(&text, &sender), expected);
        }

        #[test]
        fn no_text_panics(text in "(\\{|\\}|code|\\PC){0,30}") {
            let _read = Template::parse(&text);
        }
    }
}
