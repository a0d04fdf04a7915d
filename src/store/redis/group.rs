//! The 256 groups that share out all keys, each with its hash tag, so that a group is on one server; knows no keys.

use std::fmt;

/// All keys with one hash tag: they are on the same server, and a script may touch them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group(u8);

/// The hash slots of a cluster.
pub const SLOTS: u16 = 16384;

impl Group {
    /// How many there are.
    pub const COUNT: usize = 256;

    /// The group of a key whose first byte this is.
    pub const fn new(byte: u8) -> Self {
        Self(byte)
    }

    /// Each of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// Its place among all.
    pub fn index(self) -> usize {
        self.0.into()
    }

    /// The hash slot of its keys: CRC16 (XMODEM) of what stands between the braces.
    pub fn slot(self) -> u16 {
        let tag = format!("{:02x}", self.0);
        tag.bytes().fold(0, crc16) % SLOTS
    }
}

/// As it stands in a key: `{0a}`.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{:02x}}}", self.0)
    }
}

fn crc16(crc: u16, byte: u8) -> u16 {
    (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
        let carry = crc & 0x8000 != 0;
        (crc << 1) ^ if carry { 0x1021 } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_written_as_a_hash_tag() {
        assert_eq!(Group::new(0x0a).to_string(), "{0a}");
        assert_eq!(Group::all().count(), Group::COUNT);
    }

    #[test]
    fn the_slot_is_the_one_that_servers_compute() {
        // The check value of the specification of Redis Cluster, appendix A.
        assert_eq!(b"123456789".iter().copied().fold(0, crc16), 0x31c3);
        assert!(Group::all().all(|group| group.slot() < SLOTS));
    }
}
