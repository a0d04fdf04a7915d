//! What is published when sessions are ended; knows not how it travels.

use crate::{clock::Timestamp, domain::session::SessionId};

/// One ended session: its id, then until when its access tokens are refused, in milliseconds since
/// the Unix epoch, big-endian. A message is any number of these in a row.
const ENTRY: usize = 16 + 8;

/// The text is no message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes are no list of ended sessions")]
pub struct Unreadable(usize);

/// The ended sessions of a message. All of it is read or nothing.
pub fn read(
    message: &[u8],
) -> Result<impl Iterator<Item = (SessionId, Timestamp)> + use<'_>, Unreadable> {
    let (entries, rest) = message.as_chunks::<ENTRY>();
    if rest.is_empty() {
        Ok(entries.iter().filter_map(entry))
    } else {
        Err(Unreadable(message.len()))
    }
}

fn entry(bytes: &[u8; ENTRY]) -> Option<(SessionId, Timestamp)> {
    let (id, until) = bytes.split_first_chunk::<16>()?;
    let until = u64::from_be_bytes(*until.first_chunk()?);
    Some((SessionId::new(*id), Timestamp::from_millis(until)))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_message_is_read_word_for_word() {
        let mut message = b"0123456789abcdef\x00\x00\x01\x8b\xcf\xe5\x68\x00".to_vec();
        message.extend([0xff; 16]);
        message.extend(7_u64.to_be_bytes());
        let read: Vec<_> = read(&message).expect("a message").collect();
        let first = (
            SessionId::new(*b"0123456789abcdef"),
            Timestamp::from_secs(1_700_000_000),
        );
        let second = (SessionId::new([0xff; 16]), Timestamp::from_millis(7));
        assert_eq!(read, [first, second]);
    }

    #[test]
    fn an_empty_message_tells_nothing_and_is_none_the_worse() {
        assert_eq!(read(b"").expect("a message").count(), 0);
    }

    proptest! {
        #[test]
        fn whatever_is_published_is_read_whole_or_refused(message in vec(any::<u8>(), 0..200)) {
            let count = read(&message).map(Iterator::count).ok();
            let whole = message.len() % ENTRY == 0;
            prop_assert_eq!(count, whole.then_some(message.len() / ENTRY));
        }
    }
}
