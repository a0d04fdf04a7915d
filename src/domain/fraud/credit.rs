//! What a store is told of the guard: on whose credit a message is to be sent, under which names their meters are kept; knows no store.

use crate::domain::{
    budget::Expense,
    fraud::{Alarm, Bits, Level, Meter, Place, Shown, Tail},
};

/// The name under which a store keeps what one place owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterKey(pub [u8; 16]);

/// A place on whose credit a message is sent, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Debtor {
    /// Where what it owes is kept.
    pub meter: MeterKey,
    /// Of what kind it is.
    pub level: Level,
    /// Which number is sent to there, where its neighbours are watched.
    pub tail: Option<Tail>,
}

/// On whose credit a message is to be sent, what it costs, and what has been shown for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// All places that it concerns, each once.
    pub debtors: Vec<Debtor>,
    /// What it costs each budget that it concerns.
    pub expenses: Vec<Expense>,
    /// What whoever asks has done to be trusted.
    pub shown: Shown,
}

/// Whether a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is, and nobody is suspected.
    Granted,
    /// It is, since what was shown answers the suspicion.
    Despite(Alarm),
    /// It is not, and nothing was changed.
    Refused(Alarm),
}

impl Credit {
    /// That of nobody: the message costs nothing, or nobody guards what it costs.
    pub const fn unguarded() -> Self {
        Self {
            debtors: Vec::new(),
            expenses: Vec::new(),
            shown: Shown::Proof(Bits(0)),
        }
    }
}

impl Debtor {
    /// The place, of which this is known.
    pub fn owing(self, known: Option<Meter>) -> Place {
        Place {
            level: self.level,
            tail: self.tail,
            meter: known.unwrap_or_default(),
        }
    }
}

impl Admission {
    /// Whether the message is sent.
    pub const fn is_admitted(self) -> bool {
        match self {
            Self::Granted | Self::Despite(_) => true,
            Self::Refused(_) => false,
        }
    }
}
