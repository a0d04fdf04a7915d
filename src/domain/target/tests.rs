//! Which paths are taken, as what, and which are refused for which reason.

use super::*;
use proptest::prelude::*;

fn refused(path: &str) -> Ambiguity {
    CanonicalPath::parse(path).expect_err(path)
}

#[test]
fn an_ordinary_path_is_taken_as_it_is() {
    for path in [
        "/",
        "/a/b.c/",
        "/a..b",
        "/.well-known/x",
        "/a/...",
        "/@me;v=1/x:y",
        "/%20%C3%A9",
    ] {
        let parsed = CanonicalPath::parse(path).expect(path);
        assert_eq!(parsed.as_str(), path);
        assert!(!parsed.is_rewritten());
    }
}

#[test]
fn needless_escapes_are_undone_and_hex_is_upper_case() {
    let parsed = CanonicalPath::parse("/%61dm%69n%c3%a9%7e").expect("not ambiguous");
    assert_eq!(parsed.as_str(), "/admin%C3%A9~");
    assert!(parsed.is_rewritten());
}

#[test]
fn every_ambiguous_path_is_refused_with_its_reason() {
    for (path, reason) in [
        ("", Ambiguity::NotAbsolute),
        ("a", Ambiguity::NotAbsolute),
        ("*", Ambiguity::NotAbsolute),
        ("/public/../admin", Ambiguity::DotSegment),
        ("/public/%2e%2e/admin", Ambiguity::DotSegment),
        ("/public/.%2E/admin", Ambiguity::DotSegment),
        ("/./admin", Ambiguity::DotSegment),
        ("/..;/admin", Ambiguity::DotSegment),
        ("/.;x=1/admin", Ambiguity::DotSegment),
        ("/..%3b/admin", Ambiguity::DotSegment),
        ("/public/..%2fadmin", Ambiguity::DotSegment),
        ("/a%2f..%2fb", Ambiguity::DotSegment),
        ("/a/..", Ambiguity::DotSegment),
        ("//admin", Ambiguity::EmptySegment),
        ("/a//b", Ambiguity::EmptySegment),
        ("/a\\b", Ambiguity::Backslash),
        ("/a%00b", Ambiguity::Control),
        ("/a%0d%0ab", Ambiguity::Control),
        ("/a%7fb", Ambiguity::Control),
        ("/a\u{e9}", Ambiguity::NotAscii),
        ("/a%", Ambiguity::BadEscape),
        ("/a%4", Ambiguity::BadEscape),
        ("/a%zz", Ambiguity::BadEscape),
        ("/a%+1", Ambiguity::BadEscape),
        ("/%252e%252e/admin", Ambiguity::DotSegment),
        ("/%25252e", Ambiguity::DotSegment),
        ("/a%2500b", Ambiguity::Control),
        ("/%c0%ae%c0%ae/admin", Ambiguity::Overlong),
        ("/a%C1%9cb", Ambiguity::Overlong),
        ("/a%e0%80%af", Ambiguity::Overlong),
        ("/a%f0%80%80%af", Ambiguity::Overlong),
    ] {
        assert_eq!(refused(path), reason, "{path}");
    }
}

#[test]
fn letters_of_older_encodings_are_no_overlong_ones() {
    for path in [
        "/%C0",
        "/%C1t%C3%A9",
        "/%E0x",
        "/%F0%9F%98%80",
        "/%E0%A4%85",
    ] {
        let parsed = CanonicalPath::parse(path).expect(path);
        assert_eq!(parsed.as_str(), path);
    }
}

#[test]
fn escapes_of_what_paths_are_made_of_are_pointed_out() {
    for (path, canonical, escape, loosest) in [
        ("/files/a%2fb", "/files/a%2Fb", Escape::Slash, "/files/a/b"),
        ("/a%5cb", "/a%5Cb", Escape::Backslash, "/a/b"),
        ("/%252fadmin", "/%252fadmin", Escape::Percent, "/admin"),
    ] {
        let parsed = CanonicalPath::parse(path).expect("not ambiguous");
        assert_eq!(parsed.as_str(), canonical);
        assert_eq!(parsed.escapes(), Escapes::default().with(escape), "{path}");
        assert_eq!(parsed.loosest_reading(), Some(loosest));
    }
    let harmless = CanonicalPath::parse("/100%25/a%3Fb%23c").expect("not ambiguous");
    assert!(harmless.escapes().are_none() && harmless.loosest_reading().is_none());
}

#[test]
fn a_path_can_be_read_without_its_parameters() {
    for (path, bare) in [
        ("/admin", None),
        ("/%20a", None),
        ("/admin;x", Some("/admin")),
        ("/admin;x/y;z=1", Some("/admin/y")),
        ("/admin%3bx/y", Some("/admin/y")),
        ("/;x/admin", Some("/admin")),
        ("/admin/;x", Some("/admin/")),
        ("/;", Some("/")),
    ] {
        let parsed = CanonicalPath::parse(path).expect(path);
        assert_eq!(parsed.without_parameters().as_deref(), bare, "{path}");
    }
}

#[test]
fn hosts_are_folded_to_one_spelling() {
    for (authority, host) in [
        ("Example.COM", Some("example.com")),
        ("example.com.:8080", Some("example.com")),
        ("127.0.0.1:80", Some("127.0.0.1")),
        ("[::1]:8080", Some("[::1]")),
        ("", None),
        (".", None),
        ("a..", None),
        (".a", None),
        ("a..b", None),
        ("a,b", None),
        ("user@host", None),
        ("host/path", None),
        ("host:", None),
        ("host:99999", None),
        ("host:+80", None),
        ("[::1", None),
        ("[]", None),
        ("[::1]x", None),
        ("a b", None),
    ] {
        assert_eq!(canonical_host(authority).as_deref(), host, "{authority}");
    }
}

proptest! {
    #[test]
    fn a_canonical_path_is_its_own_canonical_path(path in "(/([a-z.;%~]|%[0-9a-fA-F]{2}){0,6}){1,5}") {
        if let Ok(once) = CanonicalPath::parse(&path) {
            let again = CanonicalPath::parse(once.as_str()).expect("canonical");
            prop_assert_eq!(again.as_str(), once.as_str());
            prop_assert!(!again.is_rewritten());
        }
    }

    /// However often an app decodes what it gets, it never climbs out of where it was matched.
    #[test]
    fn decoding_twice_never_shows_a_step_up(path in "(/([a-z.]|%(2[eEfF5]|5[cC]|252[eEfF]|25)){0,5}){1,4}") {
        if let Ok(parsed) = CanonicalPath::parse(&path) {
            let mut decoded = parsed.as_str().to_owned();
            for _ in 0..2 {
                decoded = decode(&decoded);
                let escapes = decoded.split(['/', '\\']).any(|s| s == "..");
                prop_assert!(!escapes, "{} -> {}", path, decoded);
            }
        }
    }

    #[test]
    fn no_input_panics(path in "\\PC{0,60}", host in "\\PC{0,30}") {
        let _parsed = CanonicalPath::parse(&path);
        let _host = canonical_host(&host);
    }
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(hex_byte))
            .flatten();
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
