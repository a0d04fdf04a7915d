//! What a call says, as `TwiML`; knows nothing of who is called.

use std::fmt::Write;

use crate::sms::wording::Locale;

/// Languages that Twilio's voices speak, with the accent for those who name none.
const VOICES: &[(&str, &str)] = &[
    ("ar", "ar-AE"),
    ("ca", "ca-ES"),
    ("cs", "cs-CZ"),
    ("da", "da-DK"),
    ("de", "de-DE"),
    ("el", "el-GR"),
    ("en", "en-US"),
    ("es", "es-ES"),
    ("fi", "fi-FI"),
    ("fr", "fr-FR"),
    ("he", "he-IL"),
    ("hi", "hi-IN"),
    ("hu", "hu-HU"),
    ("id", "id-ID"),
    ("it", "it-IT"),
    ("ja", "ja-JP"),
    ("ko", "ko-KR"),
    ("nb", "nb-NO"),
    ("nl", "nl-NL"),
    ("pl", "pl-PL"),
    ("pt", "pt-PT"),
    ("ro", "ro-RO"),
    ("ru", "ru-RU"),
    ("sv", "sv-SE"),
    ("th", "th-TH"),
    ("tr", "tr-TR"),
    ("uk", "uk-UA"),
    ("vi", "vi-VN"),
    ("zh", "cmn-CN"),
];

/// Accents besides, which are asked for by name.
const ACCENTS: &[&str] = &["en-GB", "en-AU", "es-MX", "es-US", "fr-CA", "pt-BR"];

/// Says `text` two times with a pause between them: nobody has a pen at hand at once.
pub fn twice(text: &str, locale: &Locale) -> String {
    let mut say = String::from("<Say");
    if let Some(voice) = voice(locale) {
        // Writing to a string cannot fail.
        let _written = write!(say, " language=\"{voice}\"");
    }
    say.push('>');
    escape(text, &mut say);
    say.push_str("</Say>");
    format!("<Response>{say}<Pause length=\"1\"/>{say}</Response>")
}

fn voice(locale: &Locale) -> Option<&'static str> {
    let accent = ACCENTS.iter().find(|accent| **accent == locale.as_str());
    let voice = || VOICES.iter().find(|(name, _)| *name == locale.language());
    accent.copied().or_else(|| voice().map(|(_, tag)| *tag))
}

/// Writes text into an XML element (XML 1.0 §2.4); control characters, which XML cannot hold, become
/// blanks.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn locale(text: &str) -> Locale {
        text.parse().unwrap()
    }

    #[test]
    fn the_text_is_said_twice_in_its_language() {
        assert_eq!(
            twice("Ihr Code: 4, 2", &locale("de-AT")),
            "<Response><Say language=\"de-DE\">Ihr Code: 4, 2</Say><Pause length=\"1\"/>\
             <Say language=\"de-DE\">Ihr Code: 4, 2</Say></Response>"
        );
        assert!(twice("", &locale("pt-BR")).contains("\"pt-BR\""));
        assert!(twice("", &locale("pt")).contains("\"pt-PT\""));
        assert!(twice("", &locale("eo")).starts_with("<Response><Say></Say>"));
    }

    #[test]
    fn voices_are_in_order_and_named_once() {
        assert!(VOICES.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_element(text in "(\\PC|[<>&\"'\n]){0,40}") {
            let said = twice(&text, &locale("en"));
            prop_assert_eq!(said.matches('<').count(), 7, "{}", said);
            prop_assert_eq!(said.matches('>').count(), 7);
            let inside = said.split("\">").nth(1).unwrap().split("</Say>").next().unwrap();
            let back = inside
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&amp;", "&");
            prop_assert_eq!(back, text.replace(char::is_control, " "));
        }
    }
}
