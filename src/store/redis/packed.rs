//! Arguments as scripts unpack them: numbers and names one after the other, big-endian, without any gaps.

use std::time::Duration;

use crate::{clock::Timestamp, domain::money::Money};

/// The fixed part of a script's arguments, in the order in which the script names it.
#[derive(Debug, Default)]
pub struct Packed(Vec<u8>);

/// Scripts count in doubles. This is more milliseconds than anything lives, and few enough to be
/// added to any moment without loss.
const FAR: u64 = 1 << 50;

impl Packed {
    /// Nothing yet, with room for the fixed part of any script.
    pub fn new() -> Self {
        Self(Vec::with_capacity(128))
    }

    /// `I4`.
    #[must_use]
    pub fn count(self, count: u32) -> Self {
        self.bytes(&count.to_be_bytes())
    }

    /// `I8`, in milliseconds.
    #[must_use]
    pub fn span(self, span: Duration) -> Self {
        self.bytes(&millis(span).to_be_bytes())
    }

    /// `I8`, in milliseconds since the epoch.
    #[must_use]
    pub fn moment(self, moment: Timestamp) -> Self {
        self.bytes(&moment.as_millis().min(FAR).to_be_bytes())
    }

    /// `I8`, in millionths.
    #[must_use]
    pub fn amount(self, amount: Money) -> Self {
        self.bytes(&amount.as_micros().to_be_bytes())
    }

    /// Its length, `I4`, and then `cN`.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.length(text.len()).bytes(text.as_bytes())
    }

    /// How many there are, `I4`, and then each.
    #[must_use]
    pub fn list<T>(self, items: &[T], pack: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self.length(items.len()), pack)
    }

    fn length(self, length: usize) -> Self {
        self.count(u32::try_from(length).unwrap_or(u32::MAX))
    }

    /// `cN`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

impl AsRef<[u8]> for Packed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A span as scripts count.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).map_or(FAR, |millis| millis.min(FAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian_and_stand_side_by_side() {
        let packed = Packed::new()
            .count(0x0102_0304)
            .span(Duration::from_millis(5))
            .bytes(b"id");
        assert_eq!(packed.as_ref(), b"\x01\x02\x03\x04\0\0\0\0\0\0\0\x05id");
    }

    #[test]
    fn a_span_that_no_double_could_be_added_to_is_cut() {
        assert_eq!(millis(Duration::MAX), FAR);
        assert_eq!(millis(Duration::from_hours(90 * 24)), 90 * 24 * 3_600_000);
    }
}
