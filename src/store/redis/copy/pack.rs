//! Records as scripts unpack them from arguments, and as they answer with them; knows no connection.

use super::super::{
    packed::Packed,
    reply::{Nonsense, Reply},
};
use crate::{
    clock::Timestamp,
    domain::{
        account::Account,
        fraud::Meter,
        otp::{self, Challenge, ChallengeId, ClientKey, Live, Nonce, Stranger, Tag},
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
