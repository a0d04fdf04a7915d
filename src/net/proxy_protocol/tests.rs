//! Headers of both versions: what they say, and that nothing but a whole and honest one is believed.

use super::*;
use proptest::{collection::vec, prelude::*};

/// What a proxy sends that gives `header`.
fn hear(bytes: &[u8]) -> Result<Option<(Announced, usize)>, Error> {
    let Some(end) = end_of(bytes)? else {
        return Ok(None);
    };
    Ok(Some((parse(&bytes[..end])?, end)))
}

/// A header of version 2: command, family and protocol, and what follows.
fn binary(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short enough");
    [
        v2::PROTOCOL_PREFIX,
        &[0x20 | command, kind],
        &length.to_be_bytes(),
        rest,
    ]
    .concat()
}

fn client(text: &str) -> Announced {
    Announced::Client(text.parse().expect(text))
}

const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x1f, 0x90, 0x01, 0xbb];
const PROXY: u8 = 1;
const LOCAL: u8 = 0;

#[test]
fn a_text_header_names_the_client() {
    for (header, announced) in [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 8080 443\r\n",
            client("192.0.2.1:8080"),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
            client("[2001:db8::1]:1"),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n",
            client("[::ffff:192.0.2.1]:1"),
        ),
        ("PROXY UNKNOWN\r\n", Announced::Unknown),
        (
            "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
            Announced::Unknown,
        ),
    ] {
        let heard = hear(header.as_bytes()).expect(header);
        assert_eq!(heard, Some((announced, header.len())), "{header}");
    }
}

#[test]
fn a_broken_text_header_names_nobody() {
    for header in [
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080 443 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 08080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 8080 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 8080 443\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 8080 443\r\n",
        "PROXY TCP4 2001:db8::1 ::1 8080 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 8080 443\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 8080 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 8080 443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 8080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080 443\r \n",
        "PROXY TCP4 192.0.2.1\r198.51.100.1 8080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 8080 443\0\r\n",
        "PROXY UNKNOWN\n",
        "PROXY \u{fe}\r\n",
    ] {
        assert!(hear(header.as_bytes()).is_err(), "{header:?}");
    }
}

#[test]
fn a_text_header_ends_after_107_bytes_at_most() {
    let filled = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert!(matches!(hear(filled(107).as_bytes()), Ok(Some((_, 107)))));
    assert!(matches!(hear(filled(108).as_bytes()), Err(Error::TooLong)));
    let endless = [b'x'; 200];
    let endless = [&b"PROXY UNKNOWN "[..], &endless].concat();
    assert!(matches!(hear(&endless[..106]), Ok(None)));
    assert!(matches!(hear(&endless[..107]), Err(Error::TooLong)));
}

#[test]
fn a_binary_header_names_the_client() {
    let v6 = |address: &str| address.parse::<std::net::Ipv6Addr>().expect("v6").octets();
    let v6 = [&v6("2001:db8::1")[..], &v6("::1"), &[0, 9, 0, 10]].concat();
    let unix = [b'/'; 216];
    let noop = [0x04, 0, 2, 1, 2];
    let further = [&V4[..], &noop, &[0x20, 0, 0]].concat();
    for (command, kind, rest, announced) in [
        (PROXY, 0x11, &V4[..], client("192.0.2.1:8080")),
        (PROXY, 0x11, &further, client("192.0.2.1:8080")),
        (PROXY, 0x21, &v6, client("[2001:db8::1]:9")),
        (PROXY, 0x31, &unix, Announced::Unknown),
        (PROXY, 0x00, &[], Announced::Unknown),
        (PROXY, 0x00, &noop, Announced::Unknown),
        // The proxy asks for itself: whatever else the header says means nothing.
        (LOCAL, 0x00, &[], Announced::Itself),
        (LOCAL, 0x11, &V4, Announced::Itself),
        (LOCAL, 0x11, &[], Announced::Itself),
        (LOCAL, 0xff, &[1, 2, 3], Announced::Itself),
    ] {
        let header = binary(command, kind, rest);
        let heard = hear(&header).unwrap_or_else(|error| panic!("{kind:x}: {error}"));
        assert_eq!(heard, Some((announced, header.len())), "{kind:x}");
    }
}

#[test]
fn a_binary_header_that_does_not_add_up_names_nobody() {
    for (command, kind, rest) in [
        (PROXY, 0x11, &V4[..11]),
        (PROXY, 0x11, &[]),
        (PROXY, 0x21, &V4),
        (PROXY, 0x31, &[0; 215]),
        // A datagram, no protocol, unknown ones, unknown commands.
        (PROXY, 0x12, &V4),
        (PROXY, 0x10, &V4),
        (PROXY, 0x01, &[]),
        (PROXY, 0x13, &V4),
        (PROXY, 0x41, &V4),
        (0x02, 0x11, &V4),
        (0x0f, 0x11, &V4),
        // Version 1 or 3 in the clothes of version 2.
        (0x30, 0x11, &V4),
    ] {
        let header = binary(command, kind, rest);
        assert!(hear(&header).is_err(), "{command:x} {kind:x}");
    }
    for further in [
        &[0x04][..],
        &[0x04, 0],
        &[0x04, 0, 1],
        &[0x04, 0, 3, 1, 2],
        &[0x04, 0xff, 0xff, 1, 2],
        &[0x04, 0, 1, 1, 0x05],
        &[0x20, 0, 5, 1, 0, 0, 0],
    ] {
        let header = binary(PROXY, 0x11, &[&V4[..], further].concat());
        // What follows the header does not count as a part of it.
        let sent = [&header[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert!(hear(&sent).is_err(), "{further:?}");
    }
}

#[test]
fn a_binary_header_has_a_longest_length_that_is_known_before_it_has_come() {
    let fits = binary(PROXY, 0x00, &vec![0; 4096]);
    assert!(matches!(hear(&fits), Ok(Some((_, length))) if length == fits.len()));
    let too_long = binary(PROXY, 0x00, &vec![0; 4097]);
    assert!(matches!(hear(&too_long[..15]), Ok(None)));
    assert!(matches!(hear(&too_long[..16]), Err(Error::TooLong)));
}

#[test]
fn whatever_else_begins_a_connection_is_no_header() {
    for opening in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\n",
        b"PROXYTCP4 ",
        b"proxy tcp4 ",
        b"\x16\x03\x01\x02\x00",
        b"\r\n\r\nGET / HTTP/1.1",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\0",
        b" ",
    ] {
        assert!(matches!(hear(opening), Err(Error::Missing)), "{opening:?}");
    }
}

fn some_header() -> impl Strategy<Value = Vec<u8>> {
    let address = any::<[u8; 4]>().prop_map(std::net::Ipv4Addr::from);
    let text = (address.clone(), address, any::<u16>(), any::<u16>()).prop_map(
        |(source, destination, from, to)| {
            format!("PROXY TCP4 {source} {destination} {from} {to}\r\n").into_bytes()
        },
    );
    let tlv = (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, value)| {
        let length = u16::try_from(value.len()).expect("short");
        [&[kind][..], &length.to_be_bytes(), &value].concat()
    });
    let bytes = (any::<[u8; 12]>(), vec(tlv, 0..4)).prop_map(|(addresses, further)| {
        binary(PROXY, 0x11, &[&addresses[..], &further.concat()].concat())
    });
    prop_oneof![text, bytes]
}

proptest! {
    #[test]
    fn every_beginning_of_a_header_waits_for_its_end(header in some_header()) {
        for length in 0..header.len() {
            prop_assert!(matches!(hear(&header[..length]), Ok(None)), "{length}");
        }
        prop_assert!(matches!(hear(&header), Ok(Some((Announced::Client(_), _)))));
    }

    #[test]
    fn nothing_that_follows_a_header_changes_what_it_says(
        header in some_header(),
        rest in vec(any::<u8>(), 0..60),
    ) {
        let alone = hear(&header).expect("a header");
        let followed = hear(&[&header[..], &rest].concat()).expect("a header");
        prop_assert_eq!(alone, followed);
        prop_assert_eq!(alone.expect("whole").1, header.len());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), bent in some_header(), at in 0_usize..60, to: u8) {
        let _heard = hear(&bytes);
        let _heard = hear(&[&b"PROXY "[..], &bytes].concat());
        let _heard = hear(&[v2::PROTOCOL_PREFIX, &bytes].concat());
        let mut bent = bent;
        if let Some(byte) = bent.get_mut(at) {
            *byte = to;
        }
        let _heard = hear(&bent);
    }

    /// However long it is waited for, the end is never further away than the longest header.
    #[test]
    fn nobody_is_waited_for_without_end(bytes in vec(any::<u8>(), LONGEST_BINARY..LONGEST_BINARY + 9)) {
        for opening in [v2::PROTOCOL_PREFIX, b"PROXY ", b""] {
            prop_assert!(!matches!(hear(&[opening, &bytes].concat()), Ok(None)));
        }
    }
}
