//! What follows from the secrets, and what does not.

use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    auth::tests::stage::{limit, master, masters, phone},
    domain::otp::Length,
    net::peer::Scheme,
};

fn code_of(text: &str) -> Code {
    Code::parse(text, Length::new(6).unwrap()).unwrap()
}

const ANN: AccountKey = AccountKey([0xaa; 16]);

fn client(ip: &str) -> Client {
    Client::new(ip.parse().unwrap(), Scheme::Https)
}

#[test]
fn a_tag_depends_on_phone_code_and_secret() {
    let phones = [phone("+16502530000"), phone("+16502530001")];
    let mut seen = HashSet::new();
    for secret in [master(1), master(2)] {
        for phone in &phones {
            for code in ["000000", "000001"] {
                assert!(seen.insert(tag(&secret, phone, &code_of(code)).0));
            }
        }
    }
}

#[test]
fn an_answer_is_tried_with_every_secret() {
    let masters = masters(&[3, 2, 1]);
    let (phone, code) = (phone("+16502530000"), code_of("123456"));
    let tags = tags(&masters, &phone, &code);
    for byte in 1..=3 {
        assert!(tags.contains(&tag(&master(byte), &phone, &code)));
    }
    assert_eq!(tags.len(), 3);
}

#[test]
fn a_new_secret_renames_nobody() {
    let before = masters(&[1]);
    let after = masters(&[2]);
    let (phone, client) = (phone("+16502530000"), client("192.0.2.1"));
    let limits = [limit(3, Duration::from_mins(30), Per::Phone)];
    assert_eq!(account_key(&before, "a"), account_key(&after, "a"));
    assert_eq!(client_key(&before, &client), client_key(&after, &client));
    assert_eq!(
        charges(&before, &limits, &phone, ANN, &client),
        charges(&after, &limits, &phone, ANN, &client)
    );
    let subject = |masters| subject(masters, SubjectKind::Derived, &phone);
    assert_eq!(subject(&before), subject(&after));
}

#[test]
fn a_subject_tells_nothing_of_the_number_unless_it_is_meant_to() {
    let masters = masters(&[1]);
    let phone = phone("+16502530000");
    let derived = subject(&masters, SubjectKind::Derived, &phone);
    assert!(derived.len() == 32 && derived.bytes().all(|b| b.is_ascii_hexdigit()));
    let plain = subject(&masters, SubjectKind::Phone, &phone);
    assert_eq!(plain, "+16502530000");
    // Neither the subject nor the number can be read from the name in the store.
    let key = |subject: &str| Id(account_key(&masters, subject).0).to_string();
    assert_ne!(key(&derived), derived);
    assert_ne!(key(&plain), derived);
    assert_ne!(key(&plain), key(&derived));
}

#[test]
fn a_limit_counts_whom_it_names() {
    let masters = masters(&[1]);
    let bucket = |per, number: &str, ip: &str| {
        let limits = [limit(3, Duration::from_mins(30), per)];
        charges(&masters, &limits, &phone(number), ANN, &client(ip))[0].bucket
    };
    let (us, uk) = ("+16502530000", "+442070313000");
    assert_eq!(
        bucket(Per::Phone, us, "192.0.2.1"),
        bucket(Per::Phone, us, "192.0.2.2")
    );
    assert_ne!(
        bucket(Per::Phone, us, "::1"),
        bucket(Per::Phone, "+16502530001", "::1")
    );
    assert_eq!(
        bucket(Per::Ip, us, "192.0.2.1"),
        bucket(Per::Ip, uk, "192.0.2.1")
    );
    assert_ne!(
        bucket(Per::Ip, us, "192.0.2.1"),
        bucket(Per::Ip, us, "192.0.2.2")
    );
    let (one, other) = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::");
    assert_eq!(bucket(Per::Ip, us, one), bucket(Per::Ip, us, other));
    assert_eq!(
        bucket(Per::Country, us, "::1"),
        bucket(Per::Country, "+16502530001", "::2")
    );
    assert_ne!(
        bucket(Per::Country, us, "::1"),
        bucket(Per::Country, uk, "::1")
    );
    assert_eq!(
        bucket(Per::All, us, "192.0.2.1"),
        bucket(Per::All, uk, "::1")
    );
}

#[test]
fn only_a_counter_of_the_phone_has_a_name_beside_its_account() {
    let masters = masters(&[1]);
    let all = [Per::Phone, Per::Ip, Per::Country, Per::All];
    let limits = all.map(|per| limit(3, Duration::from_mins(30), per));
    let first_byte = |account: u8| {
        let account = AccountKey([account; 16]);
        let phone = phone("+16502530000");
        let charges = charges(&masters, &limits, &phone, account, &client("::1"));
        charges
            .iter()
            .map(|charge| charge.bucket.0[0])
            .collect::<Vec<_>>()
    };
    let (one, other) = (first_byte(0x0a), first_byte(0x0b));
    assert_eq!((one[0], other[0]), (0x0a, 0x0b));
    assert_eq!(one[1..], other[1..]);
}

#[test]
fn a_message_concerns_a_range_a_block_a_country_and_a_network() {
    let masters = masters(&[1]);
    let debtors = |number: &str, ip: &str| debtors(&masters, &phone(number), &client(ip));
    let home = debtors("+16502530000", "192.0.2.1");
    assert_eq!(
        Level::ALL.to_vec(),
        home.iter().map(|it| it.level).collect::<Vec<_>>()
    );
    for (number, ip, shared) in [
        ("+16502530001", "192.0.2.200", [true, true, true, true]),
        ("+16502540000", "192.0.3.1", [false, true, true, false]),
        ("+14155550100", "::1", [false, false, true, false]),
        ("+442070313000", "192.0.2.1", [false, false, false, true]),
    ] {
        let other = debtors(number, ip);
        let same: Vec<_> = home
            .iter()
            .zip(&other)
            .map(|(a, b)| a.meter == b.meter)
            .collect();
        assert_eq!(same, shared, "{number} {ip}");
        // Which number of its range it is tells something of the range alone.
        let tails: Vec<_> = other.iter().map(|it| it.tail).collect();
        assert_eq!(tails, [Tail::of(number), None, None, None], "{number}");
    }
    let of_ip = |ip| debtors("+16502530000", ip)[3];
    assert_eq!(of_ip("2001:db8:1:2::1"), of_ip("2001:db8:1:ffff::1"));
    assert_ne!(of_ip("2001:db8:1::1"), of_ip("2001:db8:2::1"));
}

proptest! {
    /// A changed quota begins a count of its own, and no two limits share one.
    #[test]
    fn limits_never_share_a_counter(
        a in (1u32..9, 1u64..9, 0usize..4),
        b in (1u32..9, 1u64..9, 0usize..4),
    ) {
        let masters = masters(&[1]);
        let [a, b] = [a, b].map(|(max, mins, per)| {
            let per = [Per::Phone, Per::Ip, Per::Country, Per::All][per];
            limit(max, Duration::from_mins(mins), per)
        });
        let made = charges(&masters, &[a, b], &phone("+16502530000"), ANN, &client("::1"));
        prop_assert_eq!(a == b, made[0].bucket == made[1].bucket);
        prop_assert_eq!(made[0].quota, a.quota);
    }
}
