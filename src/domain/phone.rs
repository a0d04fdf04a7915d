//! Phone numbers: read once at the rim, E.164 from there on.

use std::fmt;

/// stub
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

/// A country calling code (ITU-T E.164), such as 1 or 44.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallingCode(u16);

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone")
    }
}
