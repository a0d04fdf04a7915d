//! Codes: which texts are one, and that each of them is drawn as often as any other.

use proptest::prelude::*;

use super::super::{code::InvalidCode, *};

fn length(digits: u8) -> Length {
    Length::new(digits).expect("4 to 10")
}

fn draw(length: Length, words: &[u64]) -> Option<String> {
    Code::draw(length, words.iter().copied()).map(|code| code.reveal().to_owned())
}

/// A stream that is as good as random (`SplitMix64`), and the same in every run.
fn words(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |n: u64| {
        let mut word = n.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    })
}

#[test]
fn a_code_has_four_to_ten_digits() {
    for digits in 0..=u8::MAX {
        let length = Length::new(digits).map(Length::digits);
        let expected = if (4..=10).contains(&digits) {
            Ok(digits)
        } else {
            Err(InvalidCode::Length)
        };
        assert_eq!(length, expected);
    }
}

#[test]
fn a_code_is_read_as_it_was_typed() {
    for (typed, code) in [
        ("123456", "123456"),
        ("000000", "000000"),
        (" 012345\r\n", "012345"),
    ] {
        let parsed = Code::parse(typed, length(6)).expect(typed);
        assert_eq!(parsed.reveal(), code);
    }
}

#[test]
fn whatever_is_not_exactly_the_digits_is_no_code() {
    for typed in [
        "",
        "      ",
        "12345",
        "1234567",
        "0123456",
        "12345a",
        "12 456",
        "123-456",
        "+12345",
        "-12345",
        "1234.5",
        "0x1234",
        "123456\0",
        // Digits for a reader of Unicode: six characters, and six bytes.
        "１２３４５６",
        "١٢٣",
    ] {
        let refused = Code::parse(typed, length(6)).expect_err(typed);
        assert_eq!(refused.to_string(), "must be 6 digits", "{typed:?}");
    }
}

#[test]
fn neither_a_code_nor_its_tag_shows_itself() {
    let code = Code::parse("123456", length(6)).expect("a code");
    assert_eq!(format!("{code:?}"), "Code(…)");
    assert_eq!(format!("{:?}", Tag([7; 16])), "Tag(…)");
}

#[test]
fn codes_and_tags_are_equal_only_as_a_whole() {
    let code = |text: &str, digits| Code::parse(text, length(digits)).expect("a code");
    assert_eq!(code("123456", 6), code("123456", 6));
    assert_ne!(code("123456", 6), code("123457", 6));
    assert_ne!(code("123456", 6), code("1234567", 7));
    for at in 0..16 {
        let mut other = [7; 16];
        other[at] ^= 1;
        assert_ne!(Tag([7; 16]), Tag(other));
    }
}

/// The words that count are a whole number of rounds through all codes, from the first word to the
/// last one; so every code has as many words as any other, for every length there is.
#[test]
fn the_words_that_count_end_with_a_whole_round_of_codes() {
    for digits in 4..=10 {
        let codes = 10_u128.pow(digits.into());
        let fair = (1_u128 << 64) / codes * codes;
        let border = u64::try_from(fair).expect("no power of ten divides 2^64");
        let length = length(digits);
        let (zeros, nines) = ("0".repeat(digits.into()), "9".repeat(digits.into()));
        assert_eq!(draw(length, &[0]), Some(zeros.clone()));
        assert_eq!(draw(length, &[border - 1]), Some(nines));
        for beyond in [border, border + 1, u64::MAX] {
            assert_eq!(draw(length, &[beyond]), None, "{digits} {beyond}");
            assert_eq!(draw(length, &[beyond, beyond, 0, 1]), Some(zeros.clone()));
        }
        assert_eq!(draw(length, &[]), None);
    }
}

/// Together with the border above this is the whole proof for four digits: the first and the last
/// round give every code once, in order, and so does every round between them.
#[test]
fn a_round_of_words_gives_every_code_exactly_once() {
    let last_round = u64::MAX - u64::MAX % 10_000 - 10_000;
    for round in [0, 10_000, 123_456_780_000, last_round] {
        for n in 0..10_000 {
            assert_eq!(draw(length(4), &[round + n]), Some(format!("{n:04}")));
        }
    }
}

#[test]
fn the_first_and_the_last_code_of_six_digits_are_drawn_when_the_word_says_so() {
    assert_eq!(draw(length(6), &[7_000_000]).as_deref(), Some("000000"));
    assert_eq!(draw(length(6), &[7_999_999]).as_deref(), Some("999999"));
    assert_eq!(draw(length(6), &[42]).as_deref(), Some("000042"));
}

/// How far counts lie from an even spread, in standard deviations of χ² (mean k, variance 2k for
/// k degrees of freedom).
fn deviation(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let bins = f64::from(u32::try_from(counts.len()).expect("few bins"));
    let expected = f64::from(total) / bins;
    let chi_square: f64 = counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum();
    (chi_square - (bins - 1.0)) / (2.0 * (bins - 1.0)).sqrt()
}

#[test]
fn drawn_codes_are_spread_evenly() {
    let mut stream = words(1);
    let mut four_digits = vec![0; 10_000];
    let mut halves = [vec![0; 1000], vec![0; 1000]];
    for _ in 0..200_000 {
        let code = Code::draw(length(4), &mut stream).expect("an endless stream");
        four_digits[code.reveal().parse::<usize>().expect("digits")] += 1;
        let code = Code::draw(length(6), &mut stream).expect("an endless stream");
        let (head, tail) = code.reveal().split_at(3);
        halves[0][head.parse::<usize>().expect("digits")] += 1;
        halves[1][tail.parse::<usize>().expect("digits")] += 1;
    }
    for counts in [&four_digits, &halves[0], &halves[1]] {
        assert!(counts.iter().all(|count| *count > 0));
        let deviation = deviation(counts);
        // An even spread that shows none of the noise of chance would be as suspicious.
        assert!(deviation.abs() < 4.0, "{deviation}");
    }
}

proptest! {
    #[test]
    fn a_text_is_a_code_exactly_when_it_is_that_many_digits(
        text in prop_oneof!["[0-9]{3,11}", "[ 0-9a٣+-]{3,11}", "\\PC{0,12}"],
        digits in 4u8..=10,
    ) {
        let bare = text.trim();
        let is_code = bare.len() == usize::from(digits)
            && bare.chars().all(|c| "0123456789".contains(c));
        let parsed = Code::parse(&text, length(digits));
        prop_assert_eq!(parsed.is_ok(), is_code);
        if let Ok(code) = parsed {
            prop_assert_eq!(code.reveal(), bare);
        }
    }

    #[test]
    fn whatever_is_drawn_can_be_typed(digits in 4u8..=10, words in prop::array::uniform4(any::<u64>())) {
        if let Some(code) = Code::draw(length(digits), words.into_iter()) {
            prop_assert_eq!(Code::parse(code.reveal(), length(digits)).ok(), Some(code));
        }
    }
}
