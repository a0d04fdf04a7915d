//! Sessions: what one is, and what presenting a refresh token of some generation means for it; knows nothing of whose it is.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// 128 bits that nothing else has, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Id(pub [u8; 16]);

/// Names one session (`sid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(Id);

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 hexadecimal digits")]
pub struct InvalidId;

/// How sessions live and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A session that is not refreshed for so long has ended.
    pub idle: Duration,
    /// No session lives longer than this, however often it is refreshed.
    pub absolute: Duration,
    /// For so long after a rotation the old refresh token gives the same successor again.
    pub grace: Duration,
    /// Sessions that one subject may have; a further login ends the one unused for longest.
    pub max_per_subject: u32,
}

/// One login on one device, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// When the code was answered (`auth_time`).
    pub opened_at: Timestamp,
    /// When it was last refreshed.
    pub last_seen_at: Timestamp,
    /// What the client said about itself, shown in the list of sessions.
    pub device_info: String,
    /// The client address of the last login or refresh, as text.
    pub ip: String,
}

/// One session as it is kept: with what is known of its refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: SessionId,
    /// What is told of it.
    pub session: Session,
    /// When it ends unless it is refreshed before, by the policy it was last written under.
    pub ends_at: Timestamp,
    /// The generation whose token has not been used yet.
    pub generation: u32,
    /// Those before it that may be repeated, oldest first.
    pub replaced: Vec<Replaced>,
}

/// A generation of refresh tokens that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which.
    pub generation: u32,
    /// When.
    pub at: Timestamp,
}

/// What presenting a refresh token led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The session is now at this generation, whose token was issued at that moment. For a repeated
    /// use of the same old token inside the grace both are what they were the first time.
    To {
        /// Of the successor.
        generation: u32,
        /// The successor's `iat`.
        issued_at: Timestamp,
    },
    /// A token that was replaced long ago: somebody has a copy. The session must end.
    Replayed,
    /// The session has ended, or never reached this generation.
    Ended,
}

/// Rotations that can be repeated at the same time. A client that refreshes more often than this
/// within one grace gets its oldest token treated as a replay.
const MAX_REPLACED: usize = 8;

impl Session {
    /// When it ends unless it is refreshed before.
    pub fn ends_at(&self, policy: &Policy) -> Timestamp {
        (self.last_seen_at + policy.idle).min(self.opened_at + policy.absolute)
    }
}

impl Record {
    /// A fresh session at generation 0.
    pub fn open(
        id: SessionId,
        device_info: String,
        ip: String,
        policy: &Policy,
        now: Timestamp,
    ) -> Self {
        let session = Session {
            opened_at: now,
            last_seen_at: now,
            device_info,
            ip,
        };
        Self {
            id,
            ends_at: session.ends_at(policy),
            session,
            generation: 0,
            replaced: Vec::new(),
        }
    }

    /// Whether it has not ended at `now`, by the policy it was written under and by this one.
    pub fn is_alive(&self, policy: &Policy, now: Timestamp) -> bool {
        now < self.ends_at.min(self.session.ends_at(policy))
    }

    /// A refresh token of `generation` is presented from `ip`.
    pub fn rotate(
        &mut self,
        generation: u32,
        ip: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Rotation {
        if !self.is_alive(policy, now) || generation > self.generation {
            return Rotation::Ended;
        }
        if generation < self.generation {
            let repeated = self
                .replaced
                .iter()
                .find(|r| r.generation == generation && now < r.at + policy.grace);
            return repeated.map_or(Rotation::Replayed, |replaced| Rotation::To {
                generation: generation + 1,
                issued_at: replaced.at,
            });
        }
        self.replaced.retain(|r| now < r.at + policy.grace);
        if self.replaced.len() == MAX_REPLACED {
            self.replaced.remove(0);
        }
        self.replaced.push(Replaced {
            generation,
            at: now,
        });
        self.generation += 1;
        self.session.last_seen_at = now;
        ip.clone_into(&mut self.session.ip);
        self.ends_at = self.session.ends_at(policy);
        Rotation::To {
            generation: self.generation,
            issued_at: now,
        }
    }
}

impl SessionId {
    /// From 128 random bits.
    pub const fn new(bits: [u8; 16]) -> Self {
        Self(Id(bits))
    }

    /// The bits, as a store key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let canonical = text.len() == 32
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !canonical {
            return Err(InvalidId);
        }
        u128::from_str_radix(text, 16)
            .map(|bits| Self(bits.to_be_bytes()))
            .map_err(|_| InvalidId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy {
        idle: Duration::from_hours(30 * 24),
        absolute: Duration::from_hours(90 * 24),
        grace: Duration::from_secs(30),
        max_per_subject: 20,
    };

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    fn session() -> Record {
        let id = SessionId::new([1; 16]);
        Record::open(id, "phone".to_owned(), "::1".to_owned(), &POLICY, at(0))
    }

    #[test]
    fn the_same_old_token_gives_the_same_successor_for_the_grace_and_then_is_a_replay() {
        let mut s = session();
        let first = s.rotate(0, "::1", &POLICY, at(10));
        assert_eq!(
            first,
            Rotation::To {
                generation: 1,
                issued_at: at(10)
            }
        );
        assert_eq!(s.rotate(0, "::1", &POLICY, at(39)), first);
        assert_eq!(s.rotate(0, "::1", &POLICY, at(40)), Rotation::Replayed);
    }

    #[test]
    fn the_grace_of_an_older_token_survives_a_further_rotation() {
        let mut s = session();
        let first = s.rotate(0, "::1", &POLICY, at(10));
        s.rotate(1, "::1", &POLICY, at(12));
        assert_eq!(s.rotate(0, "::1", &POLICY, at(13)), first);
    }

    #[test]
    fn a_generation_that_never_was_ends_in_nothing() {
        assert_eq!(session().rotate(1, "::1", &POLICY, at(1)), Rotation::Ended);
    }

    #[test]
    fn an_idle_session_ends_and_an_old_one_too() {
        let mut s = session();
        assert_eq!(
            s.rotate(0, "::1", &POLICY, at(30 * 86_400)),
            Rotation::Ended
        );
        for month in 1..=3 {
            let now = at(month * 29 * 86_400);
            assert!(matches!(
                s.rotate(s.generation, "::1", &POLICY, now),
                Rotation::To { .. }
            ));
        }
        assert_eq!(
            s.rotate(s.generation, "::1", &POLICY, at(90 * 86_400)),
            Rotation::Ended
        );
    }

    proptest! {
        #[test]
        fn ids_round_trip(bits: [u8; 16]) {
            let id = Id(bits);
            prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        }

        #[test]
        fn nothing_but_32_lower_case_hex_digits_is_an_id(text in "\\PC{0,40}") {
            if let Ok(id) = text.parse::<Id>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        /// Whatever is presented when, one old token never has two successors.
        #[test]
        fn no_generation_ever_forks(steps in prop::collection::vec((0u64..40, 0u32..12), 1..120)) {
            let mut s = session();
            let mut now = 0;
            let mut successors = std::collections::HashMap::new();
            for (wait, generation) in steps {
                now += wait;
                let next = s.rotate(generation, "::1", &POLICY, at(now));
                if let Rotation::To { .. } = next {
                    prop_assert_eq!(*successors.entry(generation).or_insert(next), next);
                }
                prop_assert!(s.replaced.len() <= MAX_REPLACED);
            }
        }
    }
}
