//! `Forwarded` as proxies write it and as clients would like to have it read.

use super::*;
use proptest::{collection::vec, prelude::*};

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

/// What is read of these lines from 10.0.0.1, by somebody who trusts 10.0.0.0/8 and the loopback of `IPv6`.
fn told(lines: &[&str]) -> Told {
    let trusted = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect(net));
    let trusted = TrustedProxies::new(trusted.to_vec());
    let lines = lines.iter().map(|line| line.as_bytes());
    Told::read(ip("10.0.0.1"), lines, &trusted)
}

fn client(line: &str) -> String {
    told(&[line]).client.to_string()
}

#[test]
fn the_client_is_the_first_from_the_right_that_is_no_trusted_proxy() {
    for (line, expected) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;Proto=http;by=203.0.113.43", "203.0.113.9"),
        ("for=\"203.0.113.9:4711\"", "203.0.113.9"),
        ("for=\"[2001:db8::9]\"", "2001:db8::9"),
        ("for=\"[2001:db8::9]:4711\"", "2001:db8::9"),
        ("for=\"[2001:db8::9]:_port\"", "2001:db8::9"),
        ("for=\"[::ffff:203.0.113.9]\"", "203.0.113.9"),
        ("for=\"\\203.0.113.9\"", "203.0.113.9"),
        ("for=203.0.113.9 ; proto=https", "203.0.113.9"),
        ("for=1.2.3.4, for=203.0.113.9", "203.0.113.9"),
        ("for=1.2.3.4,for=203.0.113.9,for=10.0.0.7", "203.0.113.9"),
        (", for=203.0.113.9, ,for=10.0.0.7,", "203.0.113.9"),
        ("for=10.0.0.3, for=10.0.0.2", "10.0.0.3"),
        ("", "10.0.0.1"),
    ] {
        assert_eq!(client(line), expected, "{line}");
    }
}

#[test]
fn who_is_hidden_ends_the_reading() {
    for hidden in [
        "_hidden",
        "unknown",
        "UNKNOWN",
        "_a.b-c_d",
        "\"_hidden:1\"",
        "\"unknown:_x\"",
    ] {
        assert_eq!(client(&format!("for=1.2.3.4, for={hidden}")), "10.0.0.1");
        let behind_one = format!("for=1.2.3.4, for={hidden}, for=10.0.0.7");
        assert_eq!(client(&behind_one), "10.0.0.7", "{hidden}");
    }
    assert_eq!(client("for=1.2.3.4, proto=https"), "10.0.0.1");
}

#[test]
fn what_is_not_well_formed_ends_the_reading() {
    for malformed in [
        "for",
        "for=",
        "for=\"\"",
        "=1.2.3.4",
        "for=1.2.3.4;for=1.2.3.4",
        "for=1.2.3.4;FOR=5.6.7.8",
        "for=1.2.3.4:80",
        "for=2001:db8::9",
        "for=\"2001:db8::9\"",
        "for=\"[2001:db8::9\"",
        "for=\"[2001:db8::9]x\"",
        "for=\"[1.2.3.4]\"",
        "for=\"1.2.3.4:\"",
        "for=\"1.2.3.4:+80\"",
        "for=\"1.2.3.4:65536\"",
        "for=01.2.3.4",
        "for=1.2.3",
        "for=_",
        "for=_a/b",
        "for=\"_a\u{e9}\"",
        "for=localhost",
        "for=\"1.2.3.4",
        "for=1.2.3.4\"",
        "for=\"1.2.3.4\\\"",
        "for=1.2.3.4 proto=https",
        "for = 1.2.3.4",
        "for=1.2.3.4;proto",
        "f r=1.2.3.4",
    ] {
        let line = format!("for=5.5.5.5, {malformed}, for=10.0.0.7");
        assert_eq!(client(&line), "10.0.0.7", "{malformed}");
        assert_eq!(client(malformed), "10.0.0.1", "{malformed}");
    }
}

#[test]
fn nothing_that_a_client_begins_reaches_into_what_a_proxy_adds() {
    for begun in [
        "for=\"",
        "for=\"1.2.3.4",
        "for=\"1.2.3.4, for=\"",
        "for=\"\\",
        "for=1.2.3.4;host=\"a\\\\",
        "\"\"\"",
        "\\",
    ] {
        for (added, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("for=\"[2001:db8::9]:80\"", "2001:db8::9"),
            ("for=203.0.113.9;host=\"a,b\"", "203.0.113.9"),
        ] {
            assert_eq!(client(&format!("{begun}, {added}")), expected, "{begun}");
            let apart = told(&[begun, added]);
            assert_eq!(apart.client, ip(expected), "{begun}");
        }
    }
}

#[test]
fn several_lines_are_one_list() {
    let told = told(&[
        "for=1.2.3.4",
        "for=203.0.113.9, for=10.0.0.8",
        "for=\"[::1]\"",
    ]);
    assert_eq!(told.client, ip("203.0.113.9"));
    let chain = ["203.0.113.9", "10.0.0.8", "::1"].map(ip);
    assert_eq!(told.chain, chain);
}

#[test]
fn scheme_and_host_are_what_the_outermost_believed_proxy_says() {
    let said = |line: &str| {
        let Told { scheme, host, .. } = told(&[line]);
        (scheme, host)
    };
    let both = |scheme, host: &str| (Some(scheme), Some(host.to_owned()));
    for (line, expected) in [
        ("for=203.0.113.9", (None, None)),
        (
            "for=203.0.113.9;proto=HTTPS;host=a",
            both(Scheme::Https, "a"),
        ),
        (
            "for=203.0.113.9;proto=gopher;host=\"a:81\"",
            both(Scheme::Http, "a:81"),
        ),
        (
            "for=203.0.113.9;proto=https;host=a, for=10.0.0.7;proto=http;host=b",
            both(Scheme::Https, "a"),
        ),
        (
            "for=203.0.113.9, for=10.0.0.7;proto=https;host=b",
            both(Scheme::Https, "b"),
        ),
        // Said by somebody who is not believed.
        (
            "for=1.2.3.4;proto=https;host=evil, for=203.0.113.9",
            (None, None),
        ),
        ("for=_hidden;proto=https", (Some(Scheme::Https), None)),
        ("for=\"x;proto=https", (None, None)),
    ] {
        assert_eq!(said(line), expected, "{line}");
    }
}

#[test]
fn who_is_not_trusted_is_not_listened_to() {
    let lines = [&b"for=1.2.3.4;proto=https;host=evil"[..]];
    let told = Told::read(
        ip("203.0.113.1"),
        lines.into_iter(),
        &TrustedProxies::default(),
    );
    assert_eq!(told.client, ip("203.0.113.1"));
    assert_eq!(
        (told.scheme, told.host, told.chain),
        (None, None, Vec::new())
    );
}

proptest! {
    /// Whatever the client sends, the trusted proxy that it came to is heard.
    #[test]
    fn a_proxy_is_heard_whatever_its_client_has_written(
        forged in "[ -~]{0,40}",
        client in any::<[u8; 4]>(),
        port in proptest::option::of(any::<u16>()),
    ) {
        let client = Ipv4Addr::from(client);
        prop_assume!(client.octets()[0] != 10);
        let added = match port {
            Some(port) => format!("for=\"{client}:{port}\";proto=https"),
            None => format!("for={client};proto=https"),
        };
        for lines in [vec![format!("{forged}, {added}")], vec![forged.clone(), added.clone()]] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let told = told(&lines);
            prop_assert_eq!(told.client, IpAddr::V4(client));
            prop_assert_eq!(told.scheme, Some(Scheme::Https));
            prop_assert_eq!(told.chain.len(), 1);
        }
    }

    #[test]
    fn no_bytes_panic(lines in vec(vec(any::<u8>(), 0..60), 0..4), text in "[for=\"\\\\;,:\\[\\]0-9. ]{0,60}") {
        let trusted = TrustedProxies::new(vec!["0.0.0.0/0".parse().expect("a net")]);
        let bytes = lines.iter().map(Vec::as_slice).chain([text.as_bytes()]);
        let all: Vec<&[u8]> = bytes.collect();
        let _told = Told::read(ip("10.0.0.1"), all.into_iter(), &trusted);
    }
}
