//! Replays requests against the limits and the guard, in virtual time; knows nothing of why they are made.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

use crate::{
    cli::simulate::traffic::{Ask, Who, eighth_day},
    clock::Timestamp,
    domain::{
        fraud::{
            Admission, Alarm, Bits, Level, Meter, Place, Shown, Suspicion, Tail, admit, verify,
        },
        quota::{Quota, Verdict},
    },
};

/// Whether the conversion guard is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It only notes its suspicions.
    Watches,
    /// It is.
    Works,
}

/// How far an attacker goes. Honest people always prove what is asked for: the login page does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attacker {
    /// Proves nothing.
    Lazy,
    /// Proves whatever is asked for.
    Determined,
}

/// What has become of all requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of people who wanted to log in.
    pub honest: Tally,
    /// Of the attack.
    pub attack: Tally,
}

/// What has become of somebody's requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// All of them.
    pub asked: u64,
    /// Messages.
    pub sent: u64,
    /// Where a proof of work was asked for.
    pub proved: u64,
    /// Where the guard would send nothing for a time.
    pub refused: u64,
}

/// What the rules remember.
#[derive(Debug)]
pub struct World {
    guard: Guard,
    attacker: Attacker,
    meters: HashMap<(Level, u64), Meter>,
    sent_to: HashMap<u64, VecDeque<Timestamp>>,
    sent_for: HashMap<u32, VecDeque<Timestamp>>,
    outcome: Outcome,
}

/// `otp.limits`, as far as they are about one phone or one address.
const PER_PHONE: (u32, Duration) = (3, Duration::from_mins(30));
const PER_NETWORK: (u32, Duration) = (20, Duration::from_hours(1));

/// Networks below this number are shared by so many people that an address is one of thousands.
const IS_SHARED: u32 = 1000;

impl World {
    /// In which nothing has happened yet.
    pub fn new(guard: Guard, attacker: Attacker) -> Self {
        Self {
            guard,
            attacker,
            meters: HashMap::new(),
            sent_to: HashMap::new(),
            sent_for: HashMap::new(),
            outcome: Outcome::default(),
        }
    }

    /// What becomes of `asks`, which come in this order.
    pub fn run(mut self, asks: &[Ask]) -> Outcome {
        let mut answers: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
        for (at, ask) in asks.iter().enumerate() {
            while let Some(Reverse((when, which))) = answers.peek().copied()
                && when <= ask.at
            {
                answers.pop();
                if let Some(answered) = asks.get(which) {
                    self.answer(answered, when);
                }
            }
            if self.ask(ask)
                && let Some(after) = ask.answered_after
            {
                answers.push(Reverse((ask.at + after, at)));
            }
        }
        self.outcome
    }

    /// Whether a message is sent.
    fn ask(&mut self, ask: &Ask) -> bool {
        let is_within_limits = self.is_within_limits(ask);
        let is_admitted = is_within_limits && self.is_admitted(ask);
        if ask.at >= eighth_day() {
            let tally = self.tally(ask.who);
            tally.asked += 1;
            tally.sent += u64::from(is_admitted);
        }
        if is_admitted {
            self.count(ask);
        }
        is_admitted
    }

    /// The guard's word, which is asked a second time when a proof can be given.
    fn is_admitted(&mut self, ask: &Ask) -> bool {
        let mut places = self.places(ask);
        if self.guard == Guard::Watches {
            let is_admitted = admit(&mut places, Shown::Everything, ask.at).is_admitted();
            self.remember(ask, &places);
            return is_admitted;
        }
        let is_admitted = match admit(&mut places, Shown::Proof(Bits(0)), ask.at) {
            Admission::Granted | Admission::Despite(_) => true,
            Admission::Refused(Alarm { suspicion, .. }) => {
                self.try_again(ask, suspicion, &mut places)
            }
        };
        self.remember(ask, &places);
        is_admitted
    }

    fn try_again(&mut self, ask: &Ask, suspicion: Suspicion, places: &mut [Place]) -> bool {
        let counts = u64::from(ask.at >= eighth_day());
        match suspicion {
            Suspicion::Proof(bits) => {
                self.tally(ask.who).proved += counts;
                let proves = ask.who == Who::Honest || self.attacker == Attacker::Determined;
                proves && admit(places, Shown::Proof(bits), ask.at).is_admitted()
            }
            Suspicion::Blocked(_) => {
                self.tally(ask.who).refused += counts;
                false
            }
        }
    }

    fn answer(&mut self, ask: &Ask, now: Timestamp) {
        let mut places = self.places(ask);
        verify(&mut places, now);
        self.remember(ask, &places);
    }

    fn places(&self, ask: &Ask) -> Vec<Place> {
        let of = |level| Place {
            level,
            tail: match level {
                Level::Range => u16::try_from(ask.number).ok().and_then(Tail::new),
                Level::Block | Level::Country | Level::Network => None,
            },
            meter: self
                .meters
                .get(&key(level, ask))
                .cloned()
                .unwrap_or_default(),
        };
        Level::ALL.map(of).to_vec()
    }

    fn remember(&mut self, ask: &Ask, places: &[Place]) {
        for place in places {
            self.meters
                .insert(key(place.level, ask), place.meter.clone());
        }
    }

    fn is_within_limits(&self, ask: &Ask) -> bool {
        let phone = self.sent_to.get(&phone(ask));
        let address = self.sent_for.get(&ask.network);
        let is_shared = ask.network % 100_000 < IS_SHARED;
        fits(PER_PHONE, phone, ask.at) && (is_shared || fits(PER_NETWORK, address, ask.at))
    }

    fn count(&mut self, ask: &Ask) {
        let (max_per_phone, _) = PER_PHONE;
        let (max_per_network, _) = PER_NETWORK;
        note(
            self.sent_to.entry(phone(ask)).or_default(),
            max_per_phone,
            ask.at,
        );
        note(
            self.sent_for.entry(ask.network).or_default(),
            max_per_network,
            ask.at,
        );
    }

    const fn tally(&mut self, who: Who) -> &mut Tally {
        match who {
            Who::Honest => &mut self.outcome.honest,
            Who::Attacker => &mut self.outcome.attack,
        }
    }
}

fn phone(ask: &Ask) -> u64 {
    let (_, range) = key(Level::Range, ask);
    range * 10_000 + u64::from(ask.number)
}

/// Which place of this level a request concerns.
fn key(level: Level, ask: &Ask) -> (Level, u64) {
    let country = u64::from(ask.country);
    let block = country * 1000 + u64::from(ask.block);
    let place = match level {
        Level::Range => block * 10_000 + u64::from(ask.range),
        Level::Block => block,
        Level::Country => country,
        Level::Network => u64::from(ask.network),
    };
    (level, place)
}

fn fits(
    (max, window): (u32, Duration),
    sent: Option<&VecDeque<Timestamp>>,
    now: Timestamp,
) -> bool {
    let Some(max) = NonZeroU32::new(max) else {
        return false;
    };
    let earlier = sent.filter(|sent| sent.len() >= max.get() as usize);
    let earlier = earlier.and_then(|sent| sent.front()).copied();
    Quota { max, window }.judge(earlier, now) == Verdict::Admitted
}

/// Keeps the last `max` moments.
fn note(sent: &mut VecDeque<Timestamp>, max: u32, now: Timestamp) {
    if sent.len() >= max as usize {
        sent.pop_front();
    }
    sent.push_back(now);
}
