//! What scripts answer, read field by field; knows no script.
//!
//! A server may say anything: it may be another program's, or have been tampered with. Whatever is
//! missing, of another kind or left over is [`Nonsense`], and nothing here can panic.

use std::{time::Duration, vec};

use redis::Value;

use crate::{
    clock::Timestamp,
    domain::session::{Session, SessionId},
};

/// The fields of an answer that are still to be read.
#[derive(Debug)]
pub struct Reply(vec::IntoIter<Value>);

/// The answer is none that our scripts give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense;

impl Reply {
    /// A whole answer, or a list within one.
    pub fn new(value: Value) -> Result<Self, Nonsense> {
        if let Value::Array(fields) = value {
            Ok(Self(fields.into_iter()))
        } else {
            Err(Nonsense)
        }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The word that says what came of it.
    pub fn word(&mut self) -> Result<Vec<u8>, Nonsense> {
        if let Some(Value::BulkString(word)) = self.0.next() {
            Ok(word)
        } else {
            Err(Nonsense)
        }
    }

    /// A whole number that fits.
    pub fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Nonsense> {
        if let Some(Value::Int(number)) = self.0.next() {
            number.try_into().map_err(|_| Nonsense)
        } else {
            Err(Nonsense)
        }
    }

    /// A moment by the server's clock.
    pub fn moment(&mut self) -> Result<Timestamp, Nonsense> {
        self.number().map(Timestamp::from_millis)
    }

    /// How long something takes.
    pub fn span(&mut self) -> Result<Duration, Nonsense> {
        self.number().map(Duration::from_millis)
    }

    /// Exactly so many bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Nonsense> {
        self.word()?.try_into().map_err(|_| Nonsense)
    }

    /// A text.
    pub fn text(&mut self) -> Result<String, Nonsense> {
        String::from_utf8(self.word()?).map_err(|_| Nonsense)
    }

    /// A session's public part: when it was opened and last seen, on what and from where.
    pub fn session(&mut self) -> Result<Session, Nonsense> {
        Ok(Session {
            opened_at: self.moment()?,
            last_seen_at: self.moment()?,
            device_info: self.text()?,
            ip: self.text()?,
        })
    }

    /// Ids of sessions, one after the other.
    pub fn session_ids(&mut self) -> Result<Vec<SessionId>, Nonsense> {
        let joined = self.word()?;
        let (ids, []) = joined.as_chunks() else {
            return Err(Nonsense);
        };
        Ok(ids.iter().copied().map(SessionId::new).collect())
    }

    /// A list.
    pub fn list(&mut self) -> Result<Self, Nonsense> {
        self.0.next().ok_or(Nonsense).and_then(Self::new)
    }

    /// Nothing may be left.
    pub fn end<T>(mut self, answer: T) -> Result<T, Nonsense> {
        match self.0.next() {
            None => Ok(answer),
            Some(_) => Err(Nonsense),
        }
    }
}
