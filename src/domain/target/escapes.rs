//! Escapes of what paths are made of, and how a path reads to servers that undo them before they look where it leads.

use crate::domain::target::{Ambiguity, holds_overlong, is_unreserved, name_of};

/// An escape that readers disagree about: to some it is a letter, to others a part of the path's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `%2F`.
    Slash,
    /// `%5C`.
    Backslash,
    /// `%25` in front of what would be such an escape if it were decoded twice.
    Percent,
}

/// Some of these escapes: those that a path holds, or those that a route lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Escapes(u8);

impl Escape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slash, Self::Backslash, Self::Percent];

    const fn bit(self) -> u8 {
        match self {
            Self::Slash => 1,
            Self::Backslash => 2,
            Self::Percent => 4,
        }
    }
}

impl Escapes {
    /// The same and this one.
    #[must_use]
    pub const fn with(self, escape: Escape) -> Self {
        Self(self.0 | escape.bit())
    }

    /// Whether this one is among them.
    pub const fn contain(self, escape: Escape) -> bool {
        self.0 & escape.bit() != 0
    }

    /// Whether there are none.
    pub const fn are_none(self) -> bool {
        self.0 == 0
    }

    /// One that is not among `allowed`, if there is any.
    pub fn beyond(self, allowed: Self) -> Option<Escape> {
        let mut all = Escape::ALL.into_iter();
        all.find(|escape| self.contain(*escape) && !allowed.contain(*escape))
    }
}

impl FromIterator<Escape> for Escapes {
    fn from_iter<I: IntoIterator<Item = Escape>>(escapes: I) -> Self {
        escapes.into_iter().fold(Self::default(), Self::with)
    }
}

impl From<Escape> for Ambiguity {
    fn from(escape: Escape) -> Self {
        match escape {
            Escape::Slash => Self::EncodedSlash,
            Escape::Backslash => Self::Backslash,
            Escape::Percent => Self::DoubleEncoding,
        }
    }
}

/// `path` as the loosest of all servers reads it: decoded as often as there is anything to decode,
/// both slashes alike, and no segment empty. It must not step up anywhere.
pub fn loosest_reading(path: &str) -> Result<String, Ambiguity> {
    let mut read = path.to_owned();
    loop {
        let further = undo_once(&read);
        if further == read {
            break;
        }
        read = further;
    }
    if read.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Ambiguity::Control);
    }
    if holds_overlong(&read) {
        return Err(Ambiguity::Overlong);
    }
    let mut loosest = String::with_capacity(read.len());
    for segment in read
        .split(['/', '\\'])
        .filter(|segment| !segment.is_empty())
    {
        if matches!(name_of(segment), "." | "..") {
            return Err(Ambiguity::DotSegment);
        }
        loosest.push('/');
        loosest.push_str(segment);
    }
    if loosest.is_empty() || read.ends_with(['/', '\\']) {
        loosest.push('/');
    }
    Ok(loosest)
}

/// Undoes the escapes of what paths are made of, and of letters. Those of anything else stay: they
/// mean the same to everybody, and routes are written with them.
fn undo_once(path: &str) -> String {
    let mut undone = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        undone.push_str(before);
        let digits = escape.get(1..3);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if is_of_shape(byte) || is_unreserved(byte) => {
                undone.push(char::from(byte));
                rest = escape.get(3..).unwrap_or_default();
            }
            Some(_) | None => {
                undone.push('%');
                rest = escape.get(1..).unwrap_or_default();
            }
        }
    }
    undone.push_str(rest);
    undone
}

/// Whether a path takes its shape from this byte, or loses it by it.
const fn is_of_shape(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | b'%' | b';') || byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loosest_reader_sees_slashes_wherever_any_are_hidden() {
        for (path, read) in [
            ("/a%2Fb", "/a/b"),
            ("/a%5Cb", "/a/b"),
            ("/a%2F%2fb/", "/a/b/"),
            ("/%2Fb", "/b"),
            ("/a%2F", "/a/"),
            ("/a%252Fb", "/a/b"),
            ("/a%25252fb", "/a/b"),
            ("/a%255Cb", "/a/b"),
            ("/a%25b", "/a%b"),
            ("/a%3Fb%23c%C3%A9", "/a%3Fb%23c%C3%A9"),
            ("/%25E0%25B8%2581%25c0b%C0", "/%E0%B8%81%c0b%C0"),
            ("/%2F", "/"),
        ] {
            assert_eq!(loosest_reading(path).as_deref(), Ok(read), "{path}");
        }
    }

    #[test]
    fn no_reader_may_see_a_step_up_or_the_end_of_a_text() {
        for (path, why) in [
            ("/a%2F..%2Fb", Ambiguity::DotSegment),
            ("/a%5C..", Ambiguity::DotSegment),
            ("/a/%252e%252E/b", Ambiguity::DotSegment),
            ("/a%252F%252e%252e", Ambiguity::DotSegment),
            ("/a/%252e;x/b", Ambiguity::DotSegment),
            ("/a/..%253b/b", Ambiguity::DotSegment),
            ("/a/%25c0%25ae/b", Ambiguity::Overlong),
            ("/a/%25c0%ae/b", Ambiguity::Overlong),
            ("/a/%2525e0%252580%25af/b", Ambiguity::Overlong),
            ("/a%2500", Ambiguity::Control),
            ("/a%25250d", Ambiguity::Control),
        ] {
            assert_eq!(loosest_reading(path), Err(why), "{path}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let both: Escapes = [Escape::Percent, Escape::Backslash].into_iter().collect();
        assert_eq!(both.beyond(both), None);
        assert_eq!(both.beyond(Escapes::default()), Some(Escape::Backslash));
        let one = Escapes::default().with(Escape::Backslash);
        assert_eq!(both.beyond(one), Some(Escape::Percent));
        assert!(Escapes::default().are_none() && !one.are_none());
    }

    proptest! {
        #[test]
        fn what_is_read_loosely_cannot_be_read_more_loosely(path in "(/([a-z.;]|%(25|2[fFeE]|5[cC]|3[fF])){0,6}){1,4}") {
            if let Ok(read) = loosest_reading(&path) {
                prop_assert_eq!(loosest_reading(&read), Ok(read.clone()));
                prop_assert!(!read.contains('\\') && !read.contains("//"));
            }
        }
    }
}
