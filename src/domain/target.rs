//! Request targets: one canonical path that is matched once and forwarded as matched, or a refusal with its reason.

mod escapes;

use std::borrow::Cow;

pub use self::escapes::{Escape, Escapes};

/// A path in canonical form: percent-encoded only where it must be, no segment that any server
/// could read as a step up, no empty segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    path: Cow<'a, str>,
    escapes: Escapes,
    /// As the loosest of all servers reads it, if not all read it alike.
    loosest: Option<String>,
    parameters: bool,
}

/// Why a path is refused: two readers could take it for two different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    /// Neither `/…` nor `*`.
    #[error("the path must begin with a slash")]
    NotAbsolute,
    /// `\`, plain or, on a route that did not opt in, encoded.
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
    /// `%25` in front of an escape that would become dangerous when decoded twice, on a route that did not
    /// opt in.
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
    /// An escape that a route lets through, where the path leads elsewhere once it is undone.
    #[error("the path holds an escape that decides where it leads")]
    Escape,
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
                escapes: Escapes::default(),
                loosest: None,
                parameters: false,
            });
        }
        Self::parse_unusual(path)
    }

    /// A path with escapes, with parameters, or with segments that begin with a dot.
    fn parse_unusual(path: &'a str) -> Result<Self, Ambiguity> {
        let mut canonical = String::with_capacity(path.len());
        let mut escapes = Escapes::default();
        let mut rest = path;
        while let Some(at) = rest.find('%') {
            let (before, escape) = rest.split_at(at);
            canonical.push_str(before);
            let digits = escape.get(1..3).ok_or(Ambiguity::BadEscape)?;
            let byte = hex_byte(digits).ok_or(Ambiguity::BadEscape)?;
            rest = escape.get(3..).unwrap_or_default();
            match byte {
                0..=0x1f | 0x7f => return Err(Ambiguity::Control),
                b'\\' => escapes = escapes.with(Escape::Backslash),
                b'%' if hides_danger(rest) => {
                    escapes = escapes.with(Escape::Percent);
                }
                0x80.. if begins_overlong(byte, next_escaped(rest)) => {
                    return Err(Ambiguity::Overlong);
                }
                b'/' => escapes = escapes.with(Escape::Slash),
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
        if canonical
            .split('/')
            .any(|segment| matches!(name_of(segment), "." | ".."))
        {
            return Err(Ambiguity::DotSegment);
        }
        let loosest = if escapes.are_none() {
            None
        } else {
            Some(escapes::loosest_reading(&canonical)?)
        };
        let parameters = canonical.split('/').any(|s| name_of(s) != s);
        let path = if canonical == path {
            Cow::Borrowed(path)
        } else {
            Cow::Owned(canonical)
        };
        Ok(Self {
            path,
            escapes,
            loosest,
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

    /// The escapes in it that only a route accepts which says so.
    pub const fn escapes(&self) -> Escapes {
        self.escapes
    }

    /// As the loosest of all servers reads it, which undoes those escapes before it looks where the
    /// path leads. `None` when there are none.
    pub fn loosest_reading(&self) -> Option<&str> {
        self.loosest.as_deref()
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
        let is_label = |label: &[u8]| {
            let of_names = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            !label.is_empty() && label.iter().all(of_names)
        };
        let mut labels = host.as_bytes().split(|b| *b == b'.');
        if !labels.all(is_label) || !is_port_suffix(port) {
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

/// Whether what follows an escaped percent sign is what must not come to light when a server decodes once
/// more than it should: of a path's shape, the end of a name, or such a thing in more bytes.
fn hides_danger(rest: &str) -> bool {
    let Some(byte) = rest.get(..2).and_then(hex_byte) else {
        return false;
    };
    let next = rest.get(2..).and_then(|next| next.strip_prefix('%'));
    let next = next.map(|next| next.strip_prefix("25").unwrap_or(next));
    let next = next.and_then(|next| next.get(..2)).and_then(hex_byte);
    matches!(byte, b'/' | b'\\' | b'.' | b'%' | b';')
        || byte.is_ascii_control()
        || begins_overlong(byte, next)
}

/// Whether such a character stands anywhere in `path`.
fn holds_overlong(path: &str) -> bool {
    let mut escapes = path.split('%').skip(1).peekable();
    while let Some(escape) = escapes.next() {
        let byte = escape.get(..2).and_then(hex_byte);
        // Only what follows at once belongs to it.
        let next = escapes.peek().filter(|_| escape.len() == 2);
        let next = next.and_then(|next| next.get(..2)).and_then(hex_byte);
        if byte.is_some_and(|byte| begins_overlong(byte, next)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
