//! What one place owes, and what used to be verified there; constant in size and in work.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    clock::Timestamp,
    domain::fraud::{
        BITS_PER_ALLOWANCE, Bits, EASIEST, HARDEST, Level, Rule, Suspicion, Tail, Trail,
    },
};

/// What one place owes. All counts are of messages, and fade. A store keeps the fields as they are
/// and computes with 64-bit floats as it is done here, so that all stores agree to the last bit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// Sent and not paid back.
    pub debt: f64,
    /// Sent in good times, fading over [`MEMORY`].
    pub sent: f64,
    /// Verified, fading over [`MEMORY`].
    pub verified: f64,
    /// Verified, fading over [`PRESENT`].
    pub recent: f64,
    /// How often it was blocked of late; one fades in a day.
    pub strikes: f64,
    /// Until when nothing is sent.
    pub blocked_until: Timestamp,
    /// When it was last brought up to date.
    pub touched_at: Timestamp,
    /// Whom was sent to in vain, where it is a range. Gateways of earlier versions kept none.
    #[serde(deserialize_with = "trail_or_none")]
    pub trail: Trail,
}

/// The own history that a place is judged by.
const MEMORY: Duration = Duration::from_hours(7 * 24);

/// What counts as the present.
const PRESENT: Duration = Duration::from_hours(1);

/// In which an allowance of debt is forgiven, so that the few who always give up do no harm.
const FORGIVING: Duration = Duration::from_hours(24);

/// The share of what was verified of late that may be under way. People take half a minute to answer,
/// which is a hundredth of an hour; but a wave that doubles each ten minutes has most of its hour
/// still before it.
const UNDER_WAY: f64 = 0.1;

/// Conversion of a place that nothing is known of, and how many messages that opinion weighs.
const PRIOR: f64 = 0.6;
const PRIOR_WEIGHT: f64 = 10.0;

/// No history is believed to be worse or better than this.
const CONVERSION: (f64, f64) = (0.4, 0.9);

/// How far conversion may stay behind its history.
const TOLERANCE: f64 = 0.8;

/// The first block; every further strike doubles it.
const FIRST_BLOCK: Duration = Duration::from_mins(15);
const LONGEST_BLOCK: Duration = Duration::from_hours(12);

/// The share of the debt that is left when a block begins.
const LEFT_AFTER_BLOCK: f64 = 0.75;

/// So many numbers that nobody has verified are a row, and no chance.
const ROW: u16 = 3;

/// What is owed for each number of a row beyond the message itself, as a share of the allowance:
/// together more than all of it.
const FOR_A_STEP: f64 = 0.4;

/// The share of that which is still owed when somebody has shown enough for the message.
const STAYS: f64 = 0.25;

/// The share of its messages that a place with a good name has verified.
const TRUSTED_SHARE: f64 = 0.5;

impl Meter {
    /// When nothing of it means anything any more, so that it may be dropped.
    pub fn dead_at(&self) -> Timestamp {
        (self.touched_at + MEMORY).max(self.blocked_until)
    }

    /// Its fields as a store that counts in floats alone keeps them, in their order; the trail comes
    /// last, each number of it with its moment.
    pub fn to_numbers(&self) -> Vec<f64> {
        let counts = [
            self.debt,
            self.sent,
            self.verified,
            self.recent,
            self.strikes,
            millis(self.blocked_until),
            millis(self.touched_at),
        ];
        let trail = self.trail.to_numbers();
        let trail = trail.flat_map(|(digits, at)| [f64::from(digits), millis(at)]);
        counts.into_iter().chain(trail).collect()
    }

    /// The meter that such a store keeps, if it is one.
    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let is_sane = |number: &f64| number.is_finite() && *number >= 0.0;
        if !numbers.iter().all(is_sane) {
            return None;
        }
        let (counts, trail) = numbers.split_first_chunk()?;
        let [
            debt,
            sent,
            verified,
            recent,
            strikes,
            blocked_until,
            touched_at,
        ] = *counts;
        let (trail, []) = trail.as_chunks() else {
            return None;
        };
        let trail = trail
            .iter()
            .map(|[digits, at]| (whole(*digits), moment(*at)));
        Some(Self {
            debt,
            sent,
            verified,
            recent,
            strikes,
            blocked_until: moment(blocked_until),
            touched_at: moment(touched_at),
            trail: Trail::from_numbers(trail)?,
        })
    }

    /// Fades what lies behind.
    pub(super) fn pass_time(&mut self, level: Level, now: Timestamp) {
        let passed = now.since(self.touched_at).as_secs_f64();
        let left = |span: Duration| (1.0 - passed / span.as_secs_f64()).max(0.0);
        let forgiven = self.allowance(level) * (passed / FORGIVING.as_secs_f64());
        self.debt = (self.debt - forgiven).max(0.0);
        self.sent *= left(MEMORY);
        self.verified *= left(MEMORY);
        self.recent *= left(PRESENT);
        let a_day = FORGIVING.as_secs_f64();
        self.strikes = (self.strikes - passed / a_day).max(0.0);
        self.touched_at = self.touched_at.max(now);
        self.trail.pass_time(MEMORY, now);
    }

    /// What it deserves, once time has passed, and by which rule, if `tail` is to be sent to.
    pub(super) fn suspicion(
        &self,
        level: Level,
        tail: Option<Tail>,
        now: Timestamp,
    ) -> Option<(Rule, Suspicion)> {
        if now < self.blocked_until {
            return Some((Rule::Debt, Suspicion::Blocked(self.blocked_until)));
        }
        let allowance = self.allowance(level);
        let owed = self.debt + self.surcharge(allowance, tail);
        if owed <= allowance {
            return None;
        }
        let rule = if self.debt > allowance {
            Rule::Debt
        } else {
            Rule::Sequence
        };
        let beyond = owed / allowance - 1.0;
        let harder = (beyond * BITS_PER_ALLOWANCE).min(f64::from(HARDEST.0 - EASIEST.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 6"
        )]
        let harder = harder as u8;
        Some((rule, Suspicion::Proof(Bits(EASIEST.0 + harder))))
    }

    /// One more message was sent on its credit, to `tail`.
    pub(super) fn send(&mut self, level: Level, tail: Option<Tail>, now: Timestamp) {
        let allowance = self.allowance(level);
        let surcharge = self.surcharge(allowance, tail);
        let is_blocked = now < self.blocked_until;
        // An attack must not become the history that it is judged by.
        if self.debt < allowance && !is_blocked {
            self.sent += 1.0;
        }
        self.debt += 1.0 + STAYS * surcharge;
        if let Some(tail) = tail {
            self.trail.tread(tail, now);
        }
        // Blocked already, it is sent to only where suspicions are noted and no more.
        let limit = allowance * level.terms().blocked_beyond;
        if self.debt > limit && !is_blocked {
            self.block(limit, now);
        }
    }

    /// One of them was verified, that to `tail`.
    pub(super) fn verify(&mut self, tail: Option<Tail>) {
        self.debt = (self.debt - self.worth_of_a_verification()).max(0.0);
        self.verified += 1.0;
        self.recent += 1.0;
        if let Some(tail) = tail {
            self.trail.clear(tail);
        }
    }

    /// Whether most of what was asked for there was verified, and enough to tell.
    pub(super) fn is_trusted(&self, level: Level) -> bool {
        self.verified >= level.terms().trusted_after
            && self.verified >= TRUSTED_SHARE * self.sent
            && self.debt <= self.allowance(level)
    }

    /// What it may owe without anybody's concern.
    fn allowance(&self, level: Level) -> f64 {
        let terms = level.terms();
        let daily = self.verified * (FORGIVING.as_secs_f64() / MEMORY.as_secs_f64());
        terms
            .floor
            .max(terms.of_daily * daily)
            .max(UNDER_WAY * self.recent)
    }

    /// What a message to `tail` owes beyond itself: whoever counts through numbers owes more with
    /// each step.
    fn surcharge(&self, allowance: f64, tail: Option<Tail>) -> f64 {
        let row = tail.map_or(0, |tail| self.trail.row(tail));
        if row < ROW {
            return 0.0;
        }
        allowance * (FOR_A_STEP * f64::from(row))
    }

    /// How many messages one verified code pays for: as many as it took until now, and some more.
    fn worth_of_a_verification(&self) -> f64 {
        let conversion = (self.verified + PRIOR * PRIOR_WEIGHT) / (self.sent + PRIOR_WEIGHT);
        let (worst, best) = CONVERSION;
        1.0 / (TOLERANCE * conversion.clamp(worst, best))
    }

    /// When the block is over nothing is free, and a few more messages bring the next one.
    fn block(&mut self, limit: f64, now: Timestamp) {
        let doublings = self.strikes.round();
        let secs = FIRST_BLOCK.as_secs_f64() * 2.0_f64.powf(doublings);
        let span = Duration::from_secs_f64(secs.min(LONGEST_BLOCK.as_secs_f64()));
        self.blocked_until = now + span;
        self.strikes += 1.0;
        self.debt = LEFT_AFTER_BLOCK * limit;
    }
}

/// Moments are far below 2^53 milliseconds, which a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "said above")]
fn millis(moment: Timestamp) -> f64 {
    moment.as_millis() as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and what is too large becomes the largest"
)]
fn moment(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and what is too large becomes the largest"
)]
fn whole(number: f64) -> u16 {
    number as u16
}

/// A record that ends before its trail is one of an earlier version.
#[expect(clippy::unnecessary_wraps, reason = "serde wants a result")]
fn trail_or_none<'de, D: Deserializer<'de>>(record: D) -> Result<Trail, D::Error> {
    Ok(Trail::deserialize(record).unwrap_or_default())
}
