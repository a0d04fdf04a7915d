//! Single words in the XML of AWS's answers; no reader of XML at large.

/// The text of the first element called `tag`, if it is one word without anything to be decoded.
pub fn word<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{tag}>"))?;
    let (word, _) = after.split_once('<')?;
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'&';
    (!word.is_empty() && word.bytes().all(is_plain)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_stands_in_its_element() {
        let xml = "<R><Code>OptedOut</Code><Message>a b</Message><Id/><E></E><T>a&amp;b</T></R>";
        assert_eq!(word(xml, "Code"), Some("OptedOut"));
        for tag in ["Message", "Id", "E", "T", "R", "None", "/Code", ""] {
            assert_eq!(word(xml, tag), None, "{tag}");
        }
        assert_eq!(word("<Code>half", "Code"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(xml in "(<Code>|</Code>|\\PC){0,20}") {
            if let Some(word) = word(&xml, "Code") {
                prop_assert!(!word.contains(['<', '&', ' ']));
            }
        }
    }
}
