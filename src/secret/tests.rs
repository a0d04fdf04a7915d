//! Secrets that do not show, keys that have nothing to do with each other, and names that stay.

use super::*;

fn secret(byte: u8) -> Secret {
    Secret::new([byte; 32])
}

fn masters(bytes: &[u8]) -> Masters {
    let mut all = bytes
        .iter()
        .map(|byte| Master::new(&secret(*byte)).unwrap());
    let current = all.next().unwrap();
    Masters::new(current, all.collect(), Pseudonyms::new(&secret(9)).unwrap())
}

#[test]
fn a_secret_never_shows_its_bytes() {
    assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret(…)");
    let shown = format!("{:?}", masters(&[1, 2]));
    assert!(!shown.contains("1, 1") && !shown.contains("Key"), "{shown}");
}

#[test]
fn every_purpose_and_every_secret_has_its_own_key() {
    let mut seen = std::collections::HashSet::new();
    for secret in [secret(1), secret(2)] {
        let masters = Masters::of(&secret).unwrap();
        let master = masters.current();
        assert_ne!(master.refresh_key().expose(), &[0; 32]);
        assert!(seen.insert(master.refresh_key().expose().to_vec()));
        for purpose in [
            Purpose::OtpCode,
            Purpose::AnswerTag,
            Purpose::Puzzle,
            Purpose::Letter,
        ] {
            assert!(seen.insert(master.prf(purpose, &[b"x"]).to_vec()));
        }
        for named in [Named::Account, Named::Client, Named::Subject] {
            assert!(seen.insert(masters.pseudonyms().name(named, &[b"x"]).to_vec()));
        }
    }
}

/// These very bytes are in stores and in the databases of apps.
#[test]
fn names_are_what_they_have_always_been() {
    let pseudonyms = Pseudonyms::new(&secret(7)).unwrap();
    let begins = |named| {
        let name = pseudonyms.name(named, &[b"+14155550100"]);
        format!(
            "{:02x}{:02x}{:02x}{:02x}",
            name[0], name[1], name[2], name[3]
        )
    };
    assert_eq!(begins(Named::Account), "a2375f69");
    assert_eq!(begins(Named::Client), "d81f8bd6");
    assert_eq!(begins(Named::Subject), "1ad1507b");
}

#[test]
fn master_secrets_come_and_go_without_renaming_anybody() {
    let name = |masters: &Masters| masters.pseudonyms().name(Named::Subject, &[b"x"]);
    let began = masters(&[1]);
    for later in [&[1, 2][..], &[2, 1], &[2]] {
        assert_eq!(name(&masters(later)), name(&began));
    }
    assert_ne!(name(&Masters::of(&secret(1)).unwrap()), name(&began));
}

#[test]
fn the_first_secret_is_the_current_one_and_all_are_found() {
    let masters = masters(&[2, 1]);
    let [two, one] = [2, 1].map(|byte| Master::new(&secret(byte)).unwrap().id());
    assert_eq!(masters.current().id(), two);
    assert_eq!(masters.ids(), [two, one]);
    assert_eq!(masters.find(one).map(Master::id), Some(one));
    assert!(masters.find(masters.pseudonyms().id()).is_none());
}

#[test]
fn parts_of_the_input_cannot_be_shifted_into_each_other() {
    let masters = masters(&[1]);
    let name = |input: &[&[u8]]| masters.pseudonyms().name(Named::Account, input);
    assert_ne!(name(&[b"ab", b"c"]), name(&[b"a", b"bc"]));
    let prf = |input: &[&[u8]]| masters.current().prf(Purpose::AnswerTag, input);
    assert_ne!(prf(&[b"ab", b"c"]), prf(&[b"a", b"bc"]));
}

#[test]
fn a_name_of_a_secret_is_written_as_eight_hexadecimal_digits() {
    assert_eq!(SecretId([0, 0x1a, 0xff, 3]).to_string(), "001aff03");
}

#[test]
fn a_short_master_secret_is_refused() {
    let short = Secret::new([7; 31]);
    assert_eq!(Master::new(&short).err(), Some(TooShort { found: 31 }));
    assert_eq!(Pseudonyms::new(&short).err(), Some(TooShort { found: 31 }));
}
