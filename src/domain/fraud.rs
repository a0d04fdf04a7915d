//! The conversion guard: what is sent on credit, and what becomes of those who do not pay it back; knows neither phones nor clients.
//!
//! Whoever has codes sent and answers none of them is paid by the message, or does somebody harm.
//! So every message is sent on credit: it is a debt of the number's range, of the block that range
//! lies in, of its country and of the network of whoever asked. A verified code pays more than one message
//! back, how much more follows from the share of codes that used to be verified there. Debt within
//! an allowance is nobody's concern; beyond it a proof of work is demanded, the more the deeper the
//! debt, and far beyond it nothing is sent for a time. Networks and blocks with a good name do not pay for strangers
//! in their country; and people who come in numbers verify as they come, and so pay as they go.
//!
//! Whoever counts through numbers, however slowly and from wherever, is found by the row that the
//! numbers make which nobody verifies: a number near such a row owes more than an allowance at once.
//!
//! The formulas are judged by `otp-gateway simulate fraud`; the idea of judging what was not verified
//! against the own history of a place is Authgear's, that of proving work is Hashcash's.

mod credit;
mod meter;
mod trail;

pub use self::{
    credit::{Admission, Credit, Debtor, MeterKey},
    meter::Meter,
    trail::{Tail, Trail},
};

use crate::clock::Timestamp;

/// A place whose debt is counted, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Ten thousand numbers that differ in their last four digits.
    Range,
    /// The numbers that agree in the first digits behind the calling code: an operator, or an area.
    Block,
    /// All numbers of one calling code.
    Country,
    /// Where those who ask come from: an IPv4 /24, an IPv6 /48.
    Network,
}

/// How much credit a place of some level has.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// Messages that any place may owe.
    floor: f64,
    /// What it may owe beyond that, as a share of what is verified there on a day.
    of_daily: f64,
    /// How many times the allowance is too much altogether.
    blocked_beyond: f64,
    /// What must have been verified there lately for it to have a good name.
    trusted_after: f64,
}

/// How hard a proof of work is: leading zero bits of a hash, each of which doubles the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bits(pub u8);

/// What a place deserves where something is wrong, from bad to worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// Whoever asks has to prove that it is worth some work to them.
    Proof(Bits),
    /// Nothing is sent before this moment.
    Blocked(Timestamp),
}

/// What speaks against a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Too much is owed there.
    Debt,
    /// The number continues a row of numbers that nobody has verified; else not enough were owed.
    Sequence,
}

/// What whoever asks has done to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A proof of so much work; of none, usually.
    Proof(Bits),
    /// Whatever could be asked for: suspicions are only to be noted.
    Everything,
}

/// One place that a message concerns, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Of what kind it is.
    pub level: Level,
    /// Which number is sent to there, where its neighbours are watched.
    pub tail: Option<Tail>,
    /// What is owed there.
    pub meter: Meter,
}

/// The worst suspicion that a request for a message raises, and the place that raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// Of what kind the place is.
    pub level: Level,
    /// What speaks against it.
    pub rule: Rule,
    /// What it deserves.
    pub suspicion: Suspicion,
}

/// Below this a proof costs nobody anything: a tenth of a second in a browser.
const EASIEST: Bits = Bits(16);

/// Beyond this it would shut out people with old phones: some ten seconds there.
const HARDEST: Bits = Bits(22);

/// Every further allowance that is owed makes the proof sixteen times as hard.
const BITS_PER_ALLOWANCE: f64 = 4.0;

impl Bits {
    /// The hardest proof that is ever demanded.
    pub const HARDEST: Self = HARDEST;
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Range, Self::Block, Self::Country, Self::Network];

    /// As it is called in metrics and audit lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Block => "block",
            Self::Country => "country",
            Self::Network => "network",
        }
    }

    const fn terms(self) -> Terms {
        match self {
            Self::Range => Terms {
                floor: 5.0,
                of_daily: 0.2,
                blocked_beyond: 2.5,
                trusted_after: f64::INFINITY,
            },
            Self::Block => Terms {
                floor: 6.0,
                of_daily: 0.03,
                blocked_beyond: 4.0,
                trusted_after: 10.0,
            },
            Self::Country => Terms {
                floor: 20.0,
                of_daily: 0.02,
                blocked_beyond: 8.0,
                trusted_after: f64::INFINITY,
            },
            // One verified code of the last days speaks for a network: it costs an attacker a number.
            Self::Network => Terms {
                floor: 5.0,
                of_daily: 0.2,
                blocked_beyond: 4.0,
                trusted_after: 0.4,
            },
        }
    }

    /// Whose good name makes up for what is owed here: people who log in every day, and operators
    /// whose customers do, do not pay for strangers in the same country.
    const fn forgives(self, trusted: Self) -> bool {
        match self {
            Self::Country => matches!(trusted, Self::Network | Self::Block),
            Self::Block => matches!(trusted, Self::Network),
            Self::Range | Self::Network => false,
        }
    }
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Debt, Self::Sequence];

    /// As it is called in metrics and audit lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debt => "debt",
            Self::Sequence => "sequence",
        }
    }
}

impl Shown {
    /// Whether it answers `suspicion`.
    fn answers(self, suspicion: Suspicion) -> bool {
        match (self, suspicion) {
            (Self::Everything, _) => true,
            (Self::Proof(shown), Suspicion::Proof(wanted)) => shown >= wanted,
            (Self::Proof(_), Suspicion::Blocked(_)) => false,
        }
    }
}

/// Sends a message on the credit of all `places`, or of none.
pub fn admit(places: &mut [Place], shown: Shown, now: Timestamp) -> Admission {
    pass_time(places, now);
    let admission = match alarm(places, now) {
        None => Admission::Granted,
        Some(alarm) if shown.answers(alarm.suspicion) => Admission::Despite(alarm),
        Some(alarm) => Admission::Refused(alarm),
    };
    if admission.is_admitted() {
        for place in places {
            place.meter.send(place.level, place.tail, now);
        }
    }
    admission
}

/// A message sent on the credit of `places` was answered with its code.
pub fn verify(places: &mut [Place], now: Timestamp) {
    pass_time(places, now);
    for place in places {
        place.meter.verify(place.tail);
    }
}

/// Fades what lies behind the places.
pub fn pass_time(places: &mut [Place], now: Timestamp) {
    for place in places {
        place.meter.pass_time(place.level, now);
    }
}

/// Whether one of the places has a good name that makes up for what is owed at `level`.
pub fn is_forgiven(places: &[Place], level: Level) -> bool {
    let mut trusted = places
        .iter()
        .filter(|place| place.meter.is_trusted(place.level));
    trusted.any(|place| level.forgives(place.level))
}

fn alarm(places: &[Place], now: Timestamp) -> Option<Alarm> {
    let suspected = |place: &Place| {
        let level = place.level;
        let (rule, suspicion) = place.meter.suspicion(level, place.tail, now)?;
        let alarm = Alarm {
            level,
            rule,
            suspicion,
        };
        (!is_forgiven(places, level)).then_some(alarm)
    };
    let raised = places.iter().filter_map(suspected);
    raised.max_by_key(|alarm| alarm.suspicion)
}

#[cfg(test)]
mod tests;
