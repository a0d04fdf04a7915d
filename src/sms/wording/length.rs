//! How long a text is for a phone network: in which alphabet, and in how many pieces, each of which is paid for (3GPP TS 23.038, 23.040).

/// What a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// How it is written.
    pub alphabet: Alphabet,
    /// In units of that alphabet.
    pub units: usize,
    /// Pieces it is sent in.
    pub segments: usize,
    /// The first character that keeps it from being GSM.
    pub because_of: Option<char>,
}

/// How a text is written for a phone network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Seven bits a character; those of the extension table take two places.
    Gsm7,
    /// Sixteen bits a character (in fact UTF-16, say all phones); those beyond take two places.
    Ucs2,
}

/// The basic table (3GPP TS 23.038 §6.2.1), without the escape to the other one.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table (§6.2.1.1).
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

impl Length {
    /// What `text` takes.
    pub fn of(text: &str) -> Self {
        let because_of = text.chars().find(|c| Alphabet::Gsm7.units(*c).is_none());
        let alphabet = match because_of {
            None => Alphabet::Gsm7,
            Some(_) => Alphabet::Ucs2,
        };
        let each = || text.chars().map(|c| alphabet.units(c).unwrap_or(1));
        let units: usize = each().sum();
        let segments = if units <= alphabet.alone() {
            1
        } else {
            pieces(each(), alphabet.in_company())
        };
        Self {
            alphabet,
            units,
            segments,
            because_of,
        }
    }
}

impl Alphabet {
    /// Units of a text that is alone in a piece.
    pub const fn alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of a piece that says beside which others it belongs: the 6 octets of that are missing.
    pub const fn in_company(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// Units that `c` takes; `None` if it cannot be written.
    fn units(self, c: char) -> Option<usize> {
        match self {
            Self::Gsm7 if BASIC.contains(c) => Some(1),
            Self::Gsm7 if EXTENSION.contains(c) => Some(2),
            Self::Gsm7 => None,
            Self::Ucs2 => Some(c.len_utf16()),
        }
    }
}

/// Pieces of `room` units that characters fill, none of which is parted.
fn pieces(characters: impl Iterator<Item = usize>, room: usize) -> usize {
    let (pieces, _) = characters.fold((1, 0), |(pieces, filled), units| {
        if filled + units > room {
            (pieces + 1, units)
        } else {
            (pieces, filled + units)
        }
    });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> (Alphabet, usize, usize) {
        let length = Length::of(text);
        (length.alphabet, length.units, length.segments)
    }

    #[test]
    fn the_basic_table_has_127_characters_and_the_extension_10() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
        let both: std::collections::HashSet<_> = BASIC.chars().chain(EXTENSION.chars()).collect();
        assert_eq!(both.len(), 137);
    }

    #[test]
    fn what_fits_alone_is_one_piece() {
        assert_eq!(of(""), (Alphabet::Gsm7, 0, 1));
        assert_eq!(of(&"a".repeat(160)), (Alphabet::Gsm7, 160, 1));
        assert_eq!(of(&"a".repeat(161)), (Alphabet::Gsm7, 161, 2));
        assert_eq!(of(&"a".repeat(306)), (Alphabet::Gsm7, 306, 2));
        assert_eq!(of(&"a".repeat(307)), (Alphabet::Gsm7, 307, 3));
        assert_eq!(of(&"я".repeat(70)), (Alphabet::Ucs2, 70, 1));
        assert_eq!(of(&"я".repeat(71)), (Alphabet::Ucs2, 71, 2));
        assert_eq!(of(&"я".repeat(134)), (Alphabet::Ucs2, 134, 2));
        assert_eq!(of(&"я".repeat(135)), (Alphabet::Ucs2, 135, 3));
    }

    #[test]
    fn some_characters_take_two_places() {
        assert_eq!(of("€[]{}~^|\\\u{c}"), (Alphabet::Gsm7, 20, 1));
        assert_eq!(of("à é ñ ü"), (Alphabet::Gsm7, 7, 1));
        assert_eq!(of("🙂"), (Alphabet::Ucs2, 2, 1));
        assert_eq!(Length::of("código").because_of, Some('ó'));
    }

    #[test]
    fn no_character_is_parted() {
        // 76 euros fill 152 places of 153; the 77th begins the next piece.
        assert_eq!(of(&"€".repeat(81)), (Alphabet::Gsm7, 162, 2));
        assert_eq!(of(&"€".repeat(153)), (Alphabet::Gsm7, 306, 3));
        assert_eq!(of(&"🙂".repeat(66)), (Alphabet::Ucs2, 132, 2));
        assert_eq!(of(&"🙂".repeat(67)), (Alphabet::Ucs2, 134, 3));
    }

    proptest! {
        #[test]
        fn one_odd_character_makes_all_of_it_ucs2(text in "[a-z]{0,60}", odd in "[á-æ]|\\p{Cyrillic}|ç") {
            prop_assume!(!BASIC.contains(&odd));
            let length = Length::of(&format!("{text}{odd}{text}"));
            prop_assert_eq!(length.alphabet, Alphabet::Ucs2);
            prop_assert_eq!(length.because_of, odd.chars().next());
        }

        #[test]
        fn more_text_never_takes_less(a in "\\PC{0,200}", b in "\\PC{0,50}") {
            let (short, long) = (Length::of(&a), Length::of(&format!("{a}{b}")));
            prop_assert!(short.segments <= long.segments);
            prop_assert!(long.units <= long.segments * long.alphabet.alone());
        }
    }
}
