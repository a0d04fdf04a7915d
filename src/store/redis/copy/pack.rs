//! Records as scripts unpack them from arguments, and as they answer with them; knows no connection.

use super::super::{
    packed::Packed,
    reply::{Nonsense, Reply},
    verbs::row::{read as read_row, take, write as write_row},
};
use crate::{
    clock::Timestamp,
    domain::{
        account::Account,
        budget::Purse,
        delivery::Delivery,
        fraud::Meter,
        otp::{self, Challenge, ChallengeId, ClientKey, Live, Nonce, Started, Stranger, Tag},
        session::{self, Replaced, SessionId},
    },
    secret::SecretId,
};

/// An account, for `put_accounts`.
pub fn account(account: &Account) -> Packed {
    let Account {
        codes,
        codes_dead_at,
        sessions,
    } = account;
    let packed = Packed::new();
    let packed = match &codes.live {
        None => packed.count(0),
        Some(live) => code(packed.count(1), live, codes).moment(*codes_dead_at),
    };
    packed.list(sessions, session)
}

/// A window, for `put_windows`.
pub fn window(events: &[Timestamp], dead_at: Timestamp) -> Packed {
    let packed = Packed::new().moment(dead_at);
    packed.list(events, |packed, at| packed.moment(*at))
}

/// A meter, for `put_meters`.
pub fn meter(meter: &Meter) -> Packed {
    let numbers = meter.to_numbers().into_iter().map(f64::to_be_bytes);
    numbers.fold(Packed::new(), |packed, number| packed.bytes(&number))
}

/// A message, for `put_deliveries`.
pub fn delivery(challenge: ChallengeId, delivery: &Delivery) -> Result<Packed, Nonsense> {
    let packed = Packed::new()
        .bytes(challenge.as_bytes())
        .moment(delivery.due_at().unwrap_or_default());
    Ok(packed.bytes(&write_row(delivery)?))
}

/// A request, for `put_once`.
pub fn request(request: [u8; 8], started: &Started) -> Packed {
    Packed::new()
        .bytes(&request)
        .bytes(started.id.as_bytes())
        .bytes(&started.nonce.0)
        .bytes(started.secret.as_bytes())
        .moment(started.expires_at)
        .moment(started.sent_at)
}

/// A purse, for `put_purses`.
pub fn purse(purse: &Purse) -> Packed {
    let numbers = purse.to_numbers().into_iter().map(u64::to_be_bytes);
    numbers.fold(Packed::new(), |packed, number| packed.bytes(&number))
}

/// Revoked sessions, for `put_revoked`.
pub fn revoked(sessions: &[(SessionId, Timestamp)]) -> Packed {
    Packed::new().list(sessions, |packed, (id, until)| {
        packed.bytes(id.as_bytes()).moment(*until)
    })
}

fn code(packed: Packed, live: &Live, codes: &otp::Record) -> Packed {
    packed
        .bytes(&live.nonce.0)
        .bytes(live.secret.as_bytes())
        .bytes(&live.tag.0)
        .moment(live.started_at)
        .moment(live.sent_at)
        .list(&live.challenges, |packed, challenge| {
            let id = challenge.id.as_bytes();
            packed
                .bytes(id)
                .bytes(&challenge.client.0)
                .count(challenge.wrong)
        })
        .list(&codes.strangers, |packed, stranger| {
            packed.bytes(&stranger.client.0).count(stranger.wrong)
        })
        .list(&codes.failures, |packed, at| packed.moment(*at))
        .list(&codes.strange_failures, |packed, at| packed.moment(*at))
}

fn session(packed: Packed, record: &session::Record) -> Packed {
    packed
        .bytes(record.id.as_bytes())
        .moment(record.session.opened_at)
        .moment(record.session.last_seen_at)
        .moment(record.ends_at)
        .text(&record.session.device_info)
        .text(&record.session.ip)
        .count(record.generation)
        .list(&record.replaced, |packed, replaced| {
            packed.count(replaced.generation).moment(replaced.at)
        })
}

/// An account as `get_accounts` tells it: its code, which may be nothing, and its sessions.
pub fn read_account(mut reply: Reply) -> Result<Account, Nonsense> {
    let code = reply.list()?;
    let mut account = Account::default();
    if !code.is_empty() {
        (account.codes, account.codes_dead_at) = read_code(code)?;
    }
    account.sessions = all(reply.list()?, |sessions| read_session(sessions.list()?))?;
    reply.end(account)
}

/// A window as `get_windows` tells it: when it is dead, and its events.
pub fn read_window(mut reply: Reply) -> Result<(Timestamp, Vec<Timestamp>), Nonsense> {
    let dead_at = reply.moment()?;
    // What stands in a list is text.
    let events = all(reply.list()?, |events| {
        let millis = events.text()?.parse().map_err(|_| Nonsense)?;
        Ok(Timestamp::from_millis(millis))
    })?;
    reply.end((dead_at, events))
}

/// A purse as `get_purses` tells it: its numbers, or nothing.
pub fn read_purse(reply: &mut Reply) -> Result<Option<Purse>, Nonsense> {
    let packed = reply.word()?;
    if packed.is_empty() {
        return Ok(None);
    }
    let (numbers, []) = packed.as_chunks() else {
        return Err(Nonsense);
    };
    let numbers: Vec<_> = numbers.iter().copied().map(u64::from_be_bytes).collect();
    Purse::from_numbers(&numbers).map(Some).ok_or(Nonsense)
}

fn read_code(mut code: Reply) -> Result<(otp::Record, Timestamp), Nonsense> {
    let live = Live {
        nonce: Nonce(code.bytes()?),
        secret: SecretId::new(code.bytes()?),
        tag: Tag(code.bytes()?),
        started_at: code.moment()?,
        sent_at: code.moment()?,
        challenges: all(code.list()?, |challenges| {
            let mut challenge = challenges.list()?;
            let read = Challenge {
                id: ChallengeId::new(challenge.bytes()?),
                client: ClientKey(challenge.bytes()?),
                wrong: challenge.number()?,
            };
            challenge.end(read)
        })?,
    };
    let codes = otp::Record {
        live: Some(live),
        strangers: all(code.list()?, |strangers| {
            let mut stranger = strangers.list()?;
            let read = Stranger {
                client: ClientKey(stranger.bytes()?),
                wrong: stranger.number()?,
            };
            stranger.end(read)
        })?,
        failures: all(code.list()?, Reply::moment)?,
        strange_failures: all(code.list()?, Reply::moment)?,
    };
    let dead_at = code.moment()?;
    code.end((codes, dead_at))
}

fn read_session(mut reply: Reply) -> Result<session::Record, Nonsense> {
    let id = SessionId::new(reply.bytes()?);
    let (opened_at, last_seen_at, ends_at) = (reply.moment()?, reply.moment()?, reply.moment()?);
    let (device_info, ip) = (reply.text()?, reply.text()?);
    let record = session::Record {
        id,
        session: session::Session {
            opened_at,
            last_seen_at,
            device_info,
            ip,
        },
        ends_at,
        generation: reply.number()?,
        replaced: all(reply.list()?, |replaced| {
            Ok(Replaced {
                generation: replaced.number()?,
                at: replaced.moment()?,
            })
        })?,
    };
    reply.end(record)
}

/// Messages as `get_deliveries` tells them: challenges, each with its row.
pub fn read_delivery(rows: &mut Reply) -> Result<(ChallengeId, Delivery), Nonsense> {
    Ok((ChallengeId::new(rows.bytes()?), read_row(&rows.word()?)?))
}

/// A request as `get_once` tells it: what was asked for and answered, if it is still known.
pub fn read_request(reply: &mut Reply) -> Result<Option<([u8; 8], Started)>, Nonsense> {
    let kept = reply.word()?;
    if kept.is_empty() {
        return Ok(None);
    }
    let (request, rest) = take(&kept)?;
    let (id, rest) = take(rest)?;
    let (nonce, rest) = take(rest)?;
    let (secret, rest) = take(rest)?;
    let (expires_at, rest) = take(rest)?;
    let (sent_at, rest) = take(rest)?;
    let moment = |bytes| Timestamp::from_millis(u64::from_be_bytes(bytes));
    let started = Started {
        id: ChallengeId::new(id),
        nonce: Nonce(nonce),
        secret: SecretId::new(secret),
        expires_at: moment(expires_at),
        sent_at: moment(sent_at),
    };
    rest.is_empty()
        .then_some(Some((request, started)))
        .ok_or(Nonsense)
}

/// All that a list holds.
pub fn all<T>(
    mut list: Reply,
    mut read: impl FnMut(&mut Reply) -> Result<T, Nonsense>,
) -> Result<Vec<T>, Nonsense> {
    let mut all = Vec::new();
    while !list.is_empty() {
        all.push(read(&mut list)?);
    }
    Ok(all)
}
