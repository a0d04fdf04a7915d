//! The row of a message as `deliveries.lua` keeps it: what a script must understand in front, and the rest behind it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{
        delivery::{Delivery, MessageId, Parcel, Sent, State},
        otp::Nonce,
    },
    secret::SecretId,
    store::redis::{packed::Packed, reply::Nonsense},
};

/// What no script looks at. Moments stand in front of it, and are left out here.
#[derive(Serialize, Deserialize)]
struct Tail<'a> {
    message: MessageId,
    next_way: u8,
    attempt: u32,
    state: State,
    sealed: Cow<'a, [u8]>,
}

/// How long the front is.
const HEAD: usize = 45;

/// The whole row.
pub fn write(delivery: &Delivery) -> Result<Vec<u8>, Nonsense> {
    let row = Packed::new()
        .bytes(&[0])
        .moment(moment(&delivery.state).unwrap_or_default())
        .moment(delivery.expires_at)
        .moment(delivery.queued_at)
        .bytes(&delivery.nonce.0)
        .bytes(delivery.secret.as_bytes())
        .as_ref()
        .to_vec();
    let tail = Tail {
        message: delivery.message,
        next_way: delivery.next_way,
        attempt: delivery.attempt,
        state: at_moment(delivery.state.clone(), None),
        sealed: Cow::Borrowed(&delivery.sealed),
    };
    postcard::to_extend(&tail, row).map_err(|_| Nonsense)
}

/// What a script is given that writes the front itself.
pub fn write_tail(parcel: &Parcel) -> Result<Vec<u8>, Nonsense> {
    let first = parcel.first_state(Timestamp::default());
    let tail = Tail {
        message: parcel.message,
        next_way: 0,
        attempt: 0,
        state: at_moment(first, None),
        sealed: Cow::Borrowed(&parcel.sealed),
    };
    postcard::to_allocvec(&tail).map_err(|_| Nonsense)
}

/// What a row says.
pub fn read(row: &[u8]) -> Result<Delivery, Nonsense> {
    let (head, tail) = row.split_first_chunk::<HEAD>().ok_or(Nonsense)?;
    let (answered, head) = take::<1>(head)?;
    let (moment, head) = take(head)?;
    let (expires_at, head) = take(head)?;
    let (queued_at, head) = take(head)?;
    let (nonce, head) = take(head)?;
    let (secret, _) = take(head)?;
    let tail: Tail<'_> = postcard::from_bytes(tail).map_err(|_| Nonsense)?;
    let moment = Some(read_moment(moment)).filter(|moment| *moment > Timestamp::default());
    Ok(Delivery {
        message: tail.message,
        sealed: tail.sealed.into_owned(),
        nonce: Nonce(nonce),
        secret: SecretId::new(secret),
        queued_at: read_moment(queued_at),
        expires_at: read_moment(expires_at),
        next_way: tail.next_way,
        attempt: tail.attempt,
        state: match answered {
            [0] => at_moment(tail.state, moment),
            [_] => State::Delivered,
        },
    })
}

/// The next field of so many bytes, and what stands behind it.
pub fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Nonsense> {
    let (field, rest) = bytes.split_first_chunk().ok_or(Nonsense)?;
    Ok((*field, rest))
}

const fn read_moment(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_millis(u64::from_be_bytes(bytes))
}

/// The one moment that a state may speak of.
const fn moment(state: &State) -> Option<Timestamp> {
    match state {
        State::Queued { due } => Some(*due),
        State::Sending { until, .. } => Some(*until),
        State::Sent(sent) => sent.silent_until,
        State::Delivered | State::Failed(_) => None,
    }
}

/// The same state as of another moment.
fn at_moment(state: State, moment: Option<Timestamp>) -> State {
    match state {
        State::Queued { .. } => State::Queued {
            due: moment.unwrap_or_default(),
        },
        State::Sending { by, .. } => State::Sending {
            until: moment.unwrap_or_default(),
            by,
        },
        State::Sent(sent) => State::Sent(Sent {
            silent_until: moment,
            ..sent
        }),
        state @ (State::Delivered | State::Failed(_)) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Claimant, Failure, Sure};

    fn delivery(state: State) -> Delivery {
        Delivery {
            message: MessageId::new([1; 16]),
            sealed: b"to somebody".to_vec(),
            nonce: Nonce([2; 16]),
            secret: SecretId::new([3; 4]),
            queued_at: Timestamp::from_millis(1_800_000_000_123),
            expires_at: Timestamp::from_millis(1_800_000_300_123),
            next_way: 1,
            attempt: 300,
            state,
        }
    }

    fn sent(silent_until: Option<Timestamp>) -> State {
        State::Sent(Sent {
            provider: Some("twilio".to_owned()),
            reference: Some("SM1".to_owned()),
            sure: Sure::Sure,
            next_way: Some(2),
            silent_until,
        })
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let moment = Timestamp::from_millis(1_800_000_002_123);
        for state in [
            State::Queued { due: moment },
            State::Sending {
                until: moment,
                by: Claimant(u64::MAX),
            },
            sent(Some(moment)),
            sent(None),
            State::Delivered,
            State::Failed(Failure::Expired),
        ] {
            let delivery = delivery(state);
            let row = write(&delivery).unwrap();
            assert_eq!(read(&row), Ok(delivery.clone()));
            // A code that was answered has arrived, whatever else is said.
            let answered = [&[1], &row[1..]].concat();
            let arrived = Delivery {
                state: State::Delivered,
                ..delivery
            };
            assert_eq!(read(&answered), Ok(arrived));
        }
    }

    #[test]
    fn what_is_no_row_is_nonsense() {
        let row = write(&delivery(State::Delivered)).unwrap();
        for length in 0..row.len() {
            assert_eq!(read(&row[..length]), Err(Nonsense), "{length}");
        }
    }
}
