//! One-time codes: what a code is, what is remembered of a phone number, and what an answer means.
//!
//! A phone number has at most one live code, and every caller who asked for it has a challenge of
//! their own on it: the same code goes to the owner of the phone whoever asked, while a caller's
//! wrong answers only use up that caller's challenge. So neither a resend nor a stranger can make
//! the code in the owner's hand worthless.

mod code;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::code::{Code, Length, Nonce, Tag};

use crate::{
    clock::Timestamp,
    domain::{
        account::AccountKey,
        session::{Id, InvalidId},
    },
    secret::SecretId,
};

/// How codes and challenges behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Digits in a code.
    pub length: Length,
    /// How long a code lives after it was last sent.
    pub ttl: Duration,
    /// How long a code lives at most, however often it is sent again (NIST SP 800-63B: 10 min).
    pub max_age: Duration,
    /// Wrong answers that burn one challenge.
    pub max_attempts: u32,
    /// Wrong answers per phone in [`FAILURE_WINDOW`], over all challenges. Answers that name no
    /// challenge of the number may use up half of it, so that strangers cannot lock the owner out.
    pub max_failures: u32,
    /// Whether an answer must name the challenge it belongs to.
    pub require_challenge: bool,
}

/// The span over which [`Policy::max_failures`] counts.
pub const FAILURE_WINDOW: Duration = Duration::from_hours(24);

/// Names one caller's attempt to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChallengeId(Id);

/// Stands for a client's network in the store; tells nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub [u8; 8]);

/// All that is remembered of the codes of one phone number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The code that may be answered. Without one nothing else is remembered, either.
    pub live: Option<Live>,
    /// Who has guessed at it.
    pub strangers: Vec<Stranger>,
    /// When answers naming a challenge of this number were wrong, oldest first.
    pub failures: Vec<Timestamp>,
    /// When other answers were.
    pub strange_failures: Vec<Timestamp>,
}

/// A code that may still be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// What it is derived from.
    pub nonce: Nonce,
    /// With which master secret.
    pub secret: SecretId,
    /// What answers are compared with.
    pub tag: Tag,
    /// When it was made.
    pub started_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// Of all callers, in the order in which they came.
    pub challenges: Vec<Challenge>,
}

/// One caller's claim on the live code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Its name.
    pub id: ChallengeId,
    /// Who asked.
    pub client: ClientKey,
    /// Wrong answers to it.
    pub wrong: u32,
}

/// A client that answered without a challenge of this number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Who answered.
    pub client: ClientKey,
    /// Wrong answers.
    pub wrong: u32,
}

/// What a send brings along, used as far as the record does not already hold a live code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The id of the challenge if a new one is made.
    pub id: ChallengeId,
    /// Who asks.
    pub client: ClientKey,
    /// For a new code.
    pub nonce: Nonce,
    /// The master secret that the new code is derived with.
    pub secret: SecretId,
    /// All master secrets that are accepted. A code of any other cannot be made again.
    pub known: Vec<SecretId>,
    /// Of the new code.
    pub tag: Tag,
}

/// What a send led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The caller's challenge: a new one, or the one it had.
    pub id: ChallengeId,
    /// What the code to be sent is derived from.
    pub nonce: Nonce,
    /// With which master secret.
    pub secret: SecretId,
    /// When the code was sent, for the first time or again.
    pub sent_at: Timestamp,
    /// When the code dies.
    pub expires_at: Timestamp,
}

/// An answer to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The challenge the caller names.
    pub challenge: Option<ChallengeId>,
    /// Who answers.
    pub client: ClientKey,
    /// The given code's tag under every master secret that is still in use.
    pub tags: Vec<Tag>,
}

/// What an answer led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The code was right and is now used up.
    Right,
    /// It was wrong, or nothing could be answered. How many attempts the caller's challenge has
    /// left, when the caller has one.
    Wrong {
        /// `None` when no challenge of this caller is known.
        attempts_left: Option<u32>,
    },
}

/// What is answered where there was nothing that this caller could answer.
const NOTHING: Judgement = Judgement::Wrong {
    attempts_left: None,
};

/// Callers that may hold a challenge on one live code; a further caller takes the place of the
/// first one. It bounds the record, and lies above every sane send limit.
const MAX_CHALLENGES: usize = 16;

impl ChallengeId {
    /// From 128 random bits.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(Id(random))
    }

    /// The bits, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0.0
    }

    /// The same under a name that begins as that of `account` does, so that a store on several servers
    /// finds by it alone what is kept of it.
    #[must_use]
    pub const fn beside(mut self, account: AccountKey) -> Self {
        let ([mine, ..], [its, ..]) = (&mut self.0.0, account.0);
        *mine = its;
        self
    }

    /// Whether both are found on the same server.
    const fn is_beside(&self, other: &Self) -> bool {
        let ([mine, ..], [its, ..]) = (self.0.0, other.0.0);
        mine == its
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ChallengeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

impl Policy {
    /// When a code sent now, of a challenge begun then, dies.
    fn expires_at(&self, started_at: Timestamp, sent_at: Timestamp) -> Timestamp {
        (sent_at + self.ttl).min(started_at + self.max_age)
    }

    /// Whether a live code may be sent once more: at least half of a code's life must remain to
    /// it, or the owner would receive a code that is about to die.
    fn may_send_again(&self, live: &Live, now: Timestamp) -> bool {
        now < self.expires_at(live.started_at, live.sent_at)
            && now + self.ttl / 2 <= live.started_at + self.max_age
            && self.is_answerable(live)
    }

    /// Whether a challenge on this code is left unburnt. Without one the code is dead for strangers
    /// too: else whoever burnt a challenge would name another one and guess on.
    fn is_answerable(&self, live: &Live) -> bool {
        live.challenges.iter().any(|c| c.wrong < self.max_attempts)
    }
}

impl Live {
    /// The challenge that is answered: the one that is named, or the client's own.
    fn challenge_of(&mut self, answer: &Answer, policy: &Policy) -> Option<&mut Challenge> {
        let mut challenges = self.challenges.iter_mut().rev();
        challenges.find(|challenge| match answer.challenge {
            Some(id) => challenge.id == id,
            None => !policy.require_challenge && challenge.client == answer.client,
        })
    }
}

impl Start {
    /// Whether the one who asks can derive the code of `live`: its secret may have been removed.
    fn can_make(&self, live: &Live) -> bool {
        self.known.contains(&live.secret)
    }
}

impl Record {
    /// A code is to be sent: the live one again, or a new one.
    pub fn start(&mut self, start: &Start, policy: &Policy, now: Timestamp) -> Started {
        let mut live = match self.live.take() {
            Some(live) if start.can_make(&live) && policy.may_send_again(&live, now) => live,
            Some(_) | None => {
                self.strangers.clear();
                Live {
                    nonce: start.nonce,
                    secret: start.secret,
                    tag: start.tag,
                    started_at: now,
                    sent_at: now,
                    challenges: Vec::new(),
                }
            }
        };
        live.sent_at = now;
        // One of an earlier gateway may lie elsewhere: what would be kept of it would not be found.
        let own = live.challenges.iter().find(|c| {
            c.client == start.client && c.wrong < policy.max_attempts && c.id.is_beside(&start.id)
        });
        let id = own.map_or(start.id, |challenge| challenge.id);
        if own.is_none() {
            if live.challenges.len() == MAX_CHALLENGES {
                live.challenges.remove(0);
            }
            live.challenges.push(Challenge {
                id,
                client: start.client,
                wrong: 0,
            });
        }
        let started = Started {
            id,
            nonce: live.nonce,
            secret: live.secret,
            sent_at: live.sent_at,
            expires_at: policy.expires_at(live.started_at, live.sent_at),
        };
        self.live = Some(live);
        started
    }

    /// Judges an answer and counts it. A right one uses the code up: of any number of right
    /// answers to one code exactly one is [`Judgement::Right`].
    pub fn answer(&mut self, answer: &Answer, policy: &Policy, now: Timestamp) -> Judgement {
        self.forget_old_failures(now);
        let Some(mut live) = self.live.take() else {
            return NOTHING;
        };
        let tag = live.tag;
        let judgement = if now >= policy.expires_at(live.started_at, live.sent_at) {
            NOTHING
        } else if let Some(challenge) = live.challenge_of(answer, policy) {
            self.judge_owner(challenge, answer, tag, policy, now)
        } else {
            self.judge_stranger(&live, answer, policy, now)
        };
        match judgement {
            // The code is spent, and its owner has shown who they are: earlier failures are
            // forgiven (NIST SP 800-63B §5.2.2 counts consecutive ones).
            Judgement::Right => *self = Self::default(),
            Judgement::Wrong { .. } => self.live = Some(live),
        }
        judgement
    }

    /// All challenges on the live code.
    pub fn challenges(&self) -> Vec<ChallengeId> {
        let challenges = self.live.iter().flat_map(|live| &live.challenges);
        challenges.map(|challenge| challenge.id).collect()
    }

    /// When nothing in this record means anything any more, so that it may be dropped.
    pub fn dead_at(&self, policy: &Policy) -> Timestamp {
        let code = self
            .live
            .as_ref()
            .map(|live| policy.expires_at(live.started_at, live.sent_at));
        // The latest one need not stand last: the clock may have been set back.
        let failures = self
            .failures
            .iter()
            .chain(&self.strange_failures)
            .map(|at| *at + FAILURE_WINDOW);
        code.into_iter().chain(failures).max().unwrap_or_default()
    }

    /// An answer from whoever holds `challenge` on the live code, whose tag is `tag`.
    fn judge_owner(
        &mut self,
        challenge: &mut Challenge,
        answer: &Answer,
        tag: Tag,
        policy: &Policy,
        now: Timestamp,
    ) -> Judgement {
        let of_phone = self.failures_left(policy);
        if of_phone == 0 || challenge.wrong >= policy.max_attempts {
            return Judgement::Wrong {
                attempts_left: Some(0),
            };
        }
        if answer.tags.contains(&tag) {
            return Judgement::Right;
        }
        challenge.wrong += 1;
        self.failures.push(now);
        let of_challenge = policy.max_attempts - challenge.wrong;
        Judgement::Wrong {
            attempts_left: Some(of_challenge.min(of_phone - 1)),
        }
    }

    /// An answer from a client that holds no challenge on this code, or names none.
    fn judge_stranger(
        &mut self,
        live: &Live,
        answer: &Answer,
        policy: &Policy,
        now: Timestamp,
    ) -> Judgement {
        if policy.require_challenge
            || !policy.is_answerable(live)
            || self.failures_left(policy) == 0
            || self.strange_failures.len() >= policy.max_failures as usize / 2
        {
            return NOTHING;
        }
        let mut strangers = self.strangers.iter_mut();
        let known = strangers.find(|stranger| stranger.client == answer.client);
        if known
            .as_ref()
            .is_some_and(|stranger| stranger.wrong >= policy.max_attempts)
        {
            return NOTHING;
        }
        if answer.tags.contains(&live.tag) {
            return Judgement::Right;
        }
        match known {
            Some(stranger) => stranger.wrong += 1,
            None => self.strangers.push(Stranger {
                client: answer.client,
                wrong: 1,
            }),
        }
        self.strange_failures.push(now);
        NOTHING
    }

    /// Wrong answers that may yet be judged within [`FAILURE_WINDOW`].
    fn failures_left(&self, policy: &Policy) -> u32 {
        let failed = self.failures.len() + self.strange_failures.len();
        let failed = u32::try_from(failed).unwrap_or(u32::MAX);
        policy.max_failures.saturating_sub(failed)
    }

    fn forget_old_failures(&mut self, now: Timestamp) {
        let oldest = now.minus(FAILURE_WINDOW);
        self.failures.retain(|at| *at > oldest);
        self.strange_failures.retain(|at| *at > oldest);
    }
}

#[cfg(test)]
mod tests;
