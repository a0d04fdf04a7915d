//! Request targets: one canonical path that is matched once and forwarded as matched, or a refusal with its reason.

use std::borrow::Cow;

/// A path in canonical form: percent-encoded only where it must be, no segment that any server
/// could read as a step up, no empty segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    path: Cow<'a, str>,
    encoded_separator: bool,
    parameters: bool,
}

/// Why a path is refused: two readers could take it for two different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    /// Neither `/…` nor `*`.
    #[error("the path must begin with a slash")]
    NotAbsolute,
    /// `\`, plain or encoded.
    #[error("the path holds a backslash")]
    Backslash,
    /// A control character, plain or encoded.
    #[error("the path holds a control character")]
    Control,
    /// A byte outside of ASCII that is not percent-encoded.
    #[error("the path holds a byte that must be percent-encoded")]
    NotAscii,
    /// `%` without two hexadecimal digits behind it.
    #[error("the path holds a broken percent escape")]
    BadEscape,
    /// A character of UTF-8 in more bytes than it needs: a dot or a slash for readers that are not strict.
    #[error("the path holds an overlong character")]
    Overlong,
    /// `%25` in front of an escape that would become dangerous when decoded twice.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// `.` or `..`, also with parameters behind a semicolon.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// `//`.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// `%2F`, on a route that did not opt in.
    #[error("the path holds an encoded slash")]
    EncodedSlash,
    /// `;`, where the path without it leads elsewhere.
    #[error("the path holds a parameter that decides where it leads")]
    Parameter,
}

impl<'a> CanonicalPath<'a> {
    /// Reads the path of a request target. Escapes of unreserved characters are undone and the
    /// others written in upper case, which changes no meaning (RFC 3986 §6.2.2); whatever remains
    /// doubtful is refused. Costs one scan and no allocation for a path that is canonical already.
    pub fn parse(path: &'a str) -> Result<Self, Ambiguity> {
        if !path.starts_with('/') {
            return Err(Ambiguity::NotAbsolute);
        }
        let mut previous = 0;
        let mut plain = true;
        for byte in path.bytes() {
            match byte {
                b'%' | b';' => plain = false,
                b'\\' => return Err(Ambiguity::Backslash),
                0..=0x20 | 0x7f => return Err(Ambiguity::Control),
                0x80.. => return Err(Ambiguity::NotAscii),
                b'/' if previous == b'/' => return Err(Ambiguity::EmptySegment),
                b'.' if previous == b'/' => plain = false,
                _ => {}
            }
            previous = byte;
        }
        if plain {
            return Ok(Self {
                path: Cow::Borrowed(path),
                encoded_separator: false,
                parameters: false,
            });
        }
        Self::parse_unusual(path)
    }

    /// A path with escapes, with parameters, or with segments that begin with a dot.
    fn parse_unusual(path: &'a str) -> Result<Self, Ambiguity> {
        let mut canonical = String::with_capacity(path.len());
        let mut encoded_separator = false;
        let mut rest = path;
        while let Some(at) = rest.find('%') {
            let (before, escape) = rest.split_at(at);
            canonical.push_str(before);
            let digits = escape.get(1..3).ok_or(Ambiguity::BadEscape)?;
            let byte = hex_byte(digits).ok_or(Ambiguity::BadEscape)?;
            rest = escape.get(3..).unwrap_or_default();
            match byte {
                0..=0x1f | 0x7f => return Err(Ambiguity::Control),
                b'\\' => return Err(Ambiguity::Backslash),
                b'%' if rest.get(..2).and_then(hex_byte).is_some_and(is_dangerous) => {
                    return Err(Ambiguity::DoubleEncoding);
                }
                0x80.. if begins_overlong(byte, next_escaped(rest)) => {
                    return Err(Ambiguity::Overlong);
                }
                b'/' => encoded_separator = true,
                _ => {}
            }
            if is_unreserved(byte) {
                canonical.push(char::from(byte));
            } else {
                canonical.push('%');
                canonical.push_str(&digits.to_ascii_uppercase());
            }
        }
        canonical.push_str(rest);
        // An encoded slash ends a segment for a server that decodes before it splits.
        let steps_up = |segment: &str| matches!(name_of(segment), "." | "..");
        if canonical.split('/').any(|s| s.split("%2F").any(steps_up)) {
            return Err(Ambiguity::DotSegment);
        }
        let parameters = canonical.split('/').any(|s| name_of(s) != s);
        let path = if canonical == path {
            Cow::Borrowed(path)
        } else {
            Cow::Owned(canonical)
        };
        Ok(Self {
            path,
            encoded_separator,
            parameters,
        })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it differs from what was sent.
    pub const fn is_rewritten(&self) -> bool {
        matches!(self.path, Cow::Owned(_))
    }

    /// Whether it holds `%2F`, which only a route with `allow_encoded` accepts.
    pub const fn has_encoded_separator(&self) -> bool {
        self.encoded_separator
    }

    /// The path as servers read it that drop the parameters of every segment (`;v=1`, RFC 3986 §3.3),
    /// and a segment that holds nothing else. `None` when there are none to drop.
    pub fn without_parameters(&self) -> Option<String> {
        if !self.parameters {
            return None;
        }
        let mut bare = String::with_capacity(self.path.len());
        let mut last = "";
        for segment in self.path.split('/').skip(1) {
            last = name_of(segment);
            if !last.is_empty() {
                bare.push('/');
                bare.push_str(last);
            }
        }
        if last.is_empty() {
            bare.push('/');
        }
        Some(bare)
    }
}

/// A segment up to its parameters, whose semicolon some servers see only after decoding.
fn name_of(segment: &str) -> &str {
    let name = segment.split(';').next().unwrap_or_default();
    name.split("%3B").next().unwrap_or_default()
}

/// The part of a `Host` that names the host: lower case, without port and without the root dot.
/// `None` for anything that is no host name or address (RFC 3986 §3.2.2).
pub fn canonical_host(authority: &str) -> Option<Cow<'_, str>> {
    let host = if let Some(v6) = authority.strip_prefix('[') {
        let (address, port) = v6.split_once(']')?;
        let address_like = address
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
        if address.is_empty() || !address_like || !is_port_suffix(port) {
            return None;
        }
        authority.get(..address.len() + 2)?
    } else {
        let port_at = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(port_at);
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_label = |label: &str| {
            let of_names = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            !label.is_empty() && label.bytes().all(of_names)
        };
        if !host.split('.').all(is_label) || !is_port_suffix(port) {
            return None;
        }
        host
    };
    Some(if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    })
}

fn is_port_suffix(suffix: &str) -> bool {
    suffix.is_empty()
        || suffix.strip_prefix(':').is_some_and(|port| {
            !port.is_empty() && port.parse::<u16>().is_ok() && !port.starts_with('+')
        })
}

fn hex_byte(digits: &str) -> Option<u8> {
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// The byte that the next escape stands for, if one follows at once.
fn next_escaped(rest: &str) -> Option<u8> {
    rest.strip_prefix('%')?.get(..2).and_then(hex_byte)
}

/// Whether a character begins here that a shorter sequence stands for (RFC 3629 §3). Bytes that are no
/// UTF-8 at all are some older encoding, and mean nothing that a path is made of.
const fn begins_overlong(first: u8, second: Option<u8>) -> bool {
    matches!(
        (first, second),
        (0xc0 | 0xc1, Some(0x80..=0xbf)) | (0xe0, Some(0x80..=0x9f)) | (0xf0, Some(0x80..=0x8f))
    )
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What must not come to light when a server decodes once more than it should.
const fn is_dangerous(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | b'.' | b'%') || byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
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
            ("/a%5cb", Ambiguity::Backslash),
            ("/a%00b", Ambiguity::Control),
            ("/a%0d%0ab", Ambiguity::Control),
            ("/a%7fb", Ambiguity::Control),
            ("/a\u{e9}", Ambiguity::NotAscii),
            ("/a%", Ambiguity::BadEscape),
            ("/a%4", Ambiguity::BadEscape),
            ("/a%zz", Ambiguity::BadEscape),
            ("/a%+1", Ambiguity::BadEscape),
            ("/%252e%252e/admin", Ambiguity::DoubleEncoding),
            ("/%252fadmin", Ambiguity::DoubleEncoding),
            ("/%25252e", Ambiguity::DoubleEncoding),
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
    fn an_encoded_slash_is_pointed_out() {
        let parsed = CanonicalPath::parse("/files/a%2fb").expect("not ambiguous");
        assert_eq!(parsed.as_str(), "/files/a%2Fb");
        assert!(parsed.has_encoded_separator());
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
}
