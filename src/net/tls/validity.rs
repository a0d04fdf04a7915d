//! When a certificate begins and ceases to be valid, read from its DER; knows nothing else of what is in it.

use std::time::UNIX_EPOCH;

use crate::clock::Timestamp;

/// The span in which a certificate is valid, both ends included (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Reads it from a certificate; `None` when it is not where it should be.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (whole, _) = expect(SEQUENCE, certificate)?;
        let (signed, _) = expect(SEQUENCE, whole)?;
        // The version may be left out; serial number, algorithm and issuer may not.
        let rest = expect(EXPLICIT_VERSION, signed).map_or(signed, |(_, rest)| rest);
        let (_, _, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?;
        let (validity, _) = expect(SEQUENCE, rest)?;
        let (tag, not_before, rest) = element(validity)?;
        let not_before = time(tag, not_before)?;
        let (tag, not_after, _) = element(rest)?;
        Some(Self {
            not_before,
            not_after: time(tag, not_after)?,
        })
    }
}

/// The content of the element in front, which must have this tag, and what follows it.
fn expect(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the element in front, and what follows it (X.690 §8.1). Tags of more than one
/// byte do not occur in certificates.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            (length, rest)
        }
        0x80 | 0x85.. => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, the only forms that certificates may use.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (century, rest) = match tag {
        UTC_TIME if text.get(..2)? < "50" => ("20", text),
        UTC_TIME => ("19", text),
        GENERALIZED_TIME => text.split_at_checked(2)?,
        _ => return None,
    };
    if rest.len() != 12 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2).unwrap_or_default();
    let [year, month, day, hour, minute, second] = [0, 2, 4, 6, 8, 10].map(part);
    let written = format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let moment = humantime::parse_rfc3339(&written).ok()?;
    let since = moment.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("short");
        let mut out = vec![tag];
        if length > 0x7f {
            out.push(0x81);
        }
        out.push(length);
        out.extend_from_slice(content);
        out
    }

    /// As much of a certificate as is looked at.
    fn certificate(version: &[u8], times: [(u8, &str); 2]) -> Vec<u8> {
        let times = times.map(|(tag, text)| tlv(tag, text.as_bytes()));
        let parts = [
            version.to_vec(),
            tlv(0x02, &[1; 16]),
            tlv(SEQUENCE, &[0x06, 0]),
            tlv(SEQUENCE, &[0; 100]),
            tlv(SEQUENCE, &times.concat()),
            tlv(SEQUENCE, &[]),
        ];
        tlv(SEQUENCE, &tlv(SEQUENCE, &parts.concat()))
    }

    fn read(times: [(u8, &str); 2]) -> Option<(u64, u64)> {
        let version = tlv(EXPLICIT_VERSION, &[0x02, 1, 2]);
        let with = Validity::of(&certificate(&version, times));
        assert_eq!(with, Validity::of(&certificate(&[], times)));
        with.map(|v| (v.not_before.as_secs(), v.not_after.as_secs()))
    }

    #[test]
    fn both_ends_are_read_in_both_forms() {
        let span = [
            (UTC_TIME, "700101000001Z"),
            (GENERALIZED_TIME, "20500101000000Z"),
        ];
        assert_eq!(read(span), Some((1, 2_524_608_000)));
        let span = [(UTC_TIME, "991231235959Z"), (UTC_TIME, "491231235959Z")];
        assert_eq!(read(span), Some((946_684_799, 2_524_607_999)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for wrong in [
            (UTC_TIME, "20500101000000Z"),
            (GENERALIZED_TIME, "700101000000Z"),
            (UTC_TIME, "700101000000"),
            (UTC_TIME, "701301000000Z"),
            // Before the epoch, and before there were certificates.
            (UTC_TIME, "691231235959Z"),
            (UTC_TIME, "7001010000+1Z"),
            (0x16, "700101000000Z"),
        ] {
            assert_eq!(read([(UTC_TIME, "700101000000Z"), wrong]), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), at in 0_usize..120, put: u8) {
            let _read = Validity::of(&bytes);
            let times = [(UTC_TIME, "700101000000Z"), (UTC_TIME, "700101000000Z")];
            let mut almost = certificate(&[], times);
            if let Some(byte) = almost.get_mut(at) {
                *byte = put;
            }
            let _read = Validity::of(&almost);
        }
    }
}
