//! Codes as they follow from secrets: each is as likely as any other, and nobody else's.

use super::*;
use crate::secret::Secret;

fn length(digits: u8) -> Length {
    Length::new(digits).unwrap()
}

fn master(byte: u8) -> Master {
    Master::new(&Secret::new([byte; 32])).unwrap()
}

fn nonce(count: u32) -> Nonce {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    Nonce(bytes)
}

/// Pearson's statistic must lie within five standard deviations of its mean, which is the
/// number of degrees of freedom. The nonces are fixed, so this passes always or never.
fn assert_uniform(counts: &[u32]) {
    let total: u32 = counts.iter().sum();
    let cells = f64::from(u32::try_from(counts.len()).unwrap());
    let expected = f64::from(total) / cells;
    let off = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let chi_square: f64 = counts.iter().map(off).sum();
    let freedom = cells - 1.0;
    let bound = 5.0 * (2.0 * freedom).sqrt();
    assert!((chi_square - freedom).abs() < bound, "{chi_square}");
}

#[test]
fn every_code_is_reached_and_none_is_likelier() {
    let master = master(1);
    let mut counts = vec![0; 10_000];
    for n in 0..200_000 {
        let code = Code::derive(&master, nonce(n), length(4)).unwrap();
        counts[code.reveal().parse::<usize>().unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| *count > 0));
    assert_uniform(&counts);
}

#[test]
fn in_six_digits_every_place_and_every_neighbourhood_is_uniform() {
    let master = master(1);
    let mut places = vec![vec![0; 10]; 6];
    let mut pairs = vec![vec![0; 100]; 5];
    for n in 0..50_000 {
        let code = Code::derive(&master, nonce(n), length(6)).unwrap();
        let digits: Vec<usize> = code
            .reveal()
            .bytes()
            .map(|b| usize::from(b - b'0'))
            .collect();
        for (at, digit) in digits.iter().enumerate() {
            places[at][*digit] += 1;
        }
        for (at, pair) in digits.windows(2).enumerate() {
            pairs[at][pair[0] * 10 + pair[1]] += 1;
        }
    }
    for counts in places.iter().chain(&pairs) {
        assert_uniform(counts);
    }
}

#[test]
fn a_nonce_always_gives_its_code_and_another_secret_gives_others() {
    let codes = |byte| -> Vec<Code> {
        let master = master(byte);
        (0..100)
            .map(|n| Code::derive(&master, nonce(n), length(6)).unwrap())
            .collect()
    };
    assert_eq!(codes(1), codes(1));
    let same = codes(1)
        .iter()
        .zip(&codes(2))
        .filter(|(a, b)| a == b)
        .count();
    assert!(same < 5, "{same}");
}
