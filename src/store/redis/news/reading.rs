//! Reads all that is revoked, in bounded pieces; knows not why, nor when it has to.

use std::sync::Arc;

use redis::{Cmd, Value};
use tokio::task::JoinSet;

use super::Shared;
use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    store::{Error, redis::group::Group},
};

/// Entries that one command returns at most, so that it never holds up a server for long.
const PIECE: usize = 512;

/// Sets that are read at once.
const AT_ONCE: usize = 16;

/// Adds all that is revoked in any group. What was added before an error stays added.
pub async fn read_all(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut reading = JoinSet::new();
    for group in Group::all() {
        if reading.len() == AT_ONCE {
            end_of_one(&mut reading).await?;
        }
        let shared = Arc::clone(shared);
        reading.spawn(async move { read(&shared, group).await });
    }
    while !reading.is_empty() {
        end_of_one(&mut reading).await?;
    }
    Ok(())
}

async fn end_of_one(reading: &mut JoinSet<Result<(), Error>>) -> Result<(), Error> {
    match reading.join_next().await {
        Some(Ok(read)) => read,
        Some(Err(_)) => Err(Error::Unavailable("the reading was broken off".into())),
        None => Ok(()),
    }
}

/// From the entry that lives longest down. Entries that are added meanwhile move the others on, so
/// that some come twice; none is passed over, since they leave the set only at its other end.
async fn read(shared: &Shared, group: Group) -> Result<(), Error> {
    let key = shared.keys.revoked(group);
    for from in (0..).step_by(PIECE) {
        let answer = shared.link.ask(group, &piece(&key, from)).await?;
        let entries = entries(answer).ok_or_else(|| foreign(&key))?;
        let count = entries.len();
        shared.revocations.add_all(entries, shared.clock.now());
        if count < PIECE {
            break;
        }
    }
    Ok(())
}

fn piece(key: &str, from: usize) -> Cmd {
    let mut command = redis::cmd("ZREVRANGE");
    command
        .arg(key)
        .arg(from)
        .arg(from + PIECE - 1)
        .arg("WITHSCORES");
    command
}

/// Ids and moments in turn.
fn entries(answer: Value) -> Option<Vec<(SessionId, Timestamp)>> {
    let Value::Array(fields) = answer else {
        return None;
    };
    let (pairs, []) = fields.as_chunks::<2>() else {
        return None;
    };
    pairs.iter().map(|[id, until]| entry(id, until)).collect()
}

fn entry(id: &Value, until: &Value) -> Option<(SessionId, Timestamp)> {
    let (Value::BulkString(id), Value::BulkString(until)) = (id, until) else {
        return None;
    };
    // Scores are doubles, but the moments up to the year 287396 are written as whole numbers.
    let until: u64 = std::str::from_utf8(until).ok()?.parse().ok()?;
    let id = SessionId::new(id.as_slice().try_into().ok()?);
    Some((id, Timestamp::from_millis(until)))
}

fn foreign(key: &str) -> Error {
    Error::Unavailable(format!("{key} holds what is not ours").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &[u8]) -> Option<Vec<(SessionId, Timestamp)>> {
        entries(redis::parse_redis_value(text).expect("RESP"))
    }

    #[test]
    fn a_piece_is_read_word_for_word() {
        let text = b"*2\r\n$16\r\n0123456789abcdef\r\n$13\r\n1700000000123\r\n";
        let id = SessionId::new(*b"0123456789abcdef");
        let until = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(answer(text), Some(vec![(id, until)]));
        assert_eq!(answer(b"*0\r\n"), Some(vec![]));
    }

    #[test]
    fn what_is_not_ours_is_not_taken_for_nothing() {
        for text in [
            &b"*1\r\n$16\r\n0123456789abcdef\r\n"[..],
            b"*2\r\n$3\r\nabc\r\n$1\r\n1\r\n",
            b"*2\r\n$16\r\n0123456789abcdef\r\n$3\r\ninf\r\n",
            b"*2\r\n:1\r\n:2\r\n",
            b"$-1\r\n",
        ] {
            assert_eq!(answer(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_piece_is_as_long_as_it_is_said_to_be() {
        let packed = String::from_utf8(piece("{0a}r", PIECE).get_packed_command());
        let words: Vec<_> = packed
            .expect("text")
            .split("\r\n")
            .map(str::to_owned)
            .collect();
        assert!(words.contains(&"512".to_owned()) && words.contains(&"1023".to_owned()));
    }
}
