//! `Accept-Language` (RFC 9110 §12.5.4): which languages a browser's owner reads, the best one first.

use super::Locale;

/// Languages that are looked at; people who read more have seen a better one by then.
const MOST: usize = 10;

/// Bytes that are looked at.
const LONGEST: usize = 512;

/// The languages in `header`, by their weight; of equal ones the first goes first. What is not
/// well-formed is left out, and so is `*`, which says nothing, and what has no weight at all.
pub fn accepted(header: &str) -> Vec<Locale> {
    if header.len() > LONGEST {
        return Vec::new();
    }
    let mut found: Vec<(u16, Locale)> = header.split(',').take(MOST).filter_map(item).collect();
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, locale)| locale).collect()
}

/// One language and its weight in thousandths.
fn item(text: &str) -> Option<(u16, Locale)> {
    let (tag, parameters) = text.split_once(';').unwrap_or((text, "q=1"));
    let (name, value) = parameters.split_once('=')?;
    let weight = if name.trim().eq_ignore_ascii_case("q") {
        weight(value.trim())?
    } else {
        return None;
    };
    (weight > 0).then_some((weight, tag.trim().parse().ok()?))
}

/// `0`, `1`, and up to three digits behind a point (RFC 9110 §12.4.2), in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags(header: &str) -> Vec<String> {
        let found = accepted(header);
        found.iter().map(Locale::to_string).collect()
    }

    #[test]
    fn languages_are_ordered_by_weight() {
        assert_eq!(tags("da, en-gb;q=0.8, en;q=0.7"), ["da", "en-GB", "en"]);
        assert_eq!(tags("en;q=0.1,fr ; q=1.000,de;q=0.55"), ["fr", "de", "en"]);
        assert_eq!(tags("de,fr,it"), ["de", "fr", "it"]);
        assert_eq!(tags("fr-CH, fr;q=0.9, *;q=0.5"), ["fr-CH", "fr"]);
    }

    #[test]
    fn what_is_not_wanted_or_not_well_formed_is_left_out() {
        assert_eq!(tags("de;q=0, fr;q=0.000"), [""; 0]);
        assert_eq!(
            tags("de;q=2, fr;q=, it;q=0.1234, es;level=1, pt;q=-1, nl"),
            ["nl"]
        );
        assert_eq!(tags(""), [""; 0]);
        assert_eq!(tags(",,;q=1,"), [""; 0]);
    }

    #[test]
    fn nobody_is_read_for_ever() {
        assert_eq!(tags(&"de,".repeat(100)).len(), MOST);
        assert_eq!(tags(&"de,".repeat(1000)), [""; 0]);
    }

    proptest! {
        #[test]
        fn a_better_weight_goes_first(a in 1_u16..=1000, b in 1_u16..=1000) {
            let written = |w: u16| if w == 1000 { "1".to_owned() } else { format!("0.{w:03}") };
            let found = tags(&format!("de;q={}, fr;q={}", written(a), written(b)));
            let expected = if b > a { ["fr", "de"] } else { ["de", "fr"] };
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_header_panics(header in "([a-z]{2}|;|q=|,|\\.|[0-9]|\\PC){0,40}") {
            prop_assert!(accepted(&header).len() <= MOST);
        }
    }
}
