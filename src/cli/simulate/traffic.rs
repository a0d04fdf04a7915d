//! Who asks for codes, when and from where: honest people and attacks, as stated mixes; knows nothing of what is done about them.

use std::{f64::consts::TAU, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::clock::Timestamp;

/// One request for a code. Places and people are numbers: what they are called does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub who: Who,
    /// To a number of this country,
    pub country: u32,
    /// of this operator in it,
    pub block: u32,
    /// of this range of the operator's.
    pub range: u32,
    /// Which number of that range.
    pub number: u32,
    /// From which network.
    pub network: u32,
    /// How long it takes until the code is answered, if it is.
    pub answered_after: Option<Duration>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Somebody who wants to log in.
    Honest,
    /// Somebody who wants messages to be sent.
    Attacker,
}

/// A week of ordinary traffic, and what happens on the eighth day.
#[derive(Debug)]
pub struct Mix {
    /// In the table.
    pub name: &'static str,
    event: fn(&mut Draw),
}

/// What is known to happen.
pub const MIXES: &[Mix] = &[
    Mix {
        name: "a normal day",
        event: |_| {},
    },
    Mix {
        name: "viral launch in a new country",
        event: launch,
    },
    Mix {
        name: "10,000 IPs pump one range",
        event: |draw| draw.pump(20_000, 2.0 * HOUR, |draw| (SMALL, 5, 77, draw.fresh())),
    },
    Mix {
        name: "10,000 IPs pump one operator",
        event: |draw| {
            draw.pump(20_000, 2.0 * HOUR, |draw| {
                (MIDDLE, 5, draw.below(1000), draw.fresh())
            });
        },
    },
    Mix {
        name: "slow pumping over 2,000 ranges",
        event: |draw| {
            draw.pump(10_000, DAY, |draw| {
                let country = MIDDLE + draw.below(4);
                (country, 20 + draw.below(10), draw.below(50), draw.fresh())
            });
        },
    },
    Mix {
        name: "the same among home traffic",
        event: |draw| {
            draw.pump(10_000, DAY, |draw| {
                (HOME, 20 + draw.below(40), draw.below(50), draw.fresh())
            });
        },
    },
    Mix {
        name: "a walk through numbers",
        event: walks,
    },
    Mix {
        name: "pumping with 30% verified",
        event: |draw| {
            draw.pump(20_000, 2.0 * HOUR, |draw| {
                (SMALL, 5, draw.below(30), draw.fresh())
            });
            draw.answer_some_attacks(0.3);
        },
    },
    Mix {
        name: "50 bots that guess codes",
        event: |draw| {
            // Each has codes sent to two hundred people, all over the country, to guess at them.
            draw.pump(10_000, 2.0 * HOUR, |draw| {
                let bot = 9_050_000 + draw.below(50);
                (HOME, draw.below(BLOCKS), draw.below(RANGES), bot)
            });
        },
    },
];

const SECOND: f64 = 1.0;
const HOUR: f64 = 3600.0 * SECOND;
const DAY: f64 = 24.0 * HOUR;

/// The simulation begins here; its eighth day a week later.
const START: u64 = 1_800_000_000;
const EIGHTH_DAY: f64 = 7.0 * DAY;

/// Where an attack on the eighth day begins: in the morning, at low tide.
const MORNING: f64 = EIGHTH_DAY + 8.0 * HOUR;

const HOME: u32 = 1;
const MIDDLE: u32 = 2;
const SMALL: u32 = 3;
const TINY: u32 = 4;
const NEW: u32 = 9;

/// Operators of a country, and ranges of each, that honest people have numbers of.
const BLOCKS: u32 = 12;
const RANGES: u32 = 300;

/// Draws requests at random.
struct Draw {
    random: StdRng,
    asks: Vec<Ask>,
}

impl Mix {
    /// All its requests, in the order in which they come.
    pub fn asks(&self, seed: u64) -> Vec<Ask> {
        let mut draw = Draw {
            random: StdRng::seed_from_u64(seed),
            asks: Vec::new(),
        };
        draw.week(HOME, 10_000, 0.88);
        draw.week(MIDDLE, 1500, 0.80);
        draw.week(SMALL, 100, 0.75);
        draw.week(TINY, 8, 0.60);
        draw.offices();
        (self.event)(&mut draw);
        draw.asks.sort_by_key(|ask| ask.at);
        draw.asks
    }
}

/// A country where nobody has logged in before: the wave doubles every ten minutes, up to ten a
/// second.
fn launch(draw: &mut Draw) {
    let mut at = MORNING;
    while at < MORNING + 4.0 * HOUR {
        let minutes = (at - MORNING) / 60.0;
        let per_second = (2.0_f64.powf(minutes / 10.0) / 60.0).min(10.0);
        at += draw.exponential() / per_second;
        let network = if draw.chance(0.6) {
            2_000_000 + draw.below(300)
        } else {
            2_100_000 + draw.below(40_000)
        };
        let answered_after = draw.answer(0.8);
        let number = draw.below(10_000);
        let (block, range) = (draw.below(20), draw.below(900));
        draw.asks.push(Ask {
            at: moment(at),
            who: Who::Honest,
            country: NEW,
            block,
            range,
            number,
            network,
            answered_after,
        });
    }
}

/// A hundred lists, each of a hundred numbers one to ten apart, up or down, half of them between those
/// of honest people; gone through all day long, each number from elsewhere.
fn walks(draw: &mut Draw) {
    const NUMBERS: u32 = 100;
    for _ in 0..100 {
        let (block, range) = (draw.below(BLOCKS), draw.below(2 * RANGES));
        let (first, step, is_up) = (draw.below(9000), 1 + draw.below(10), draw.chance(0.5));
        for n in 0..NUMBERS {
            let at = MORNING + DAY * (f64::from(n) + draw.fraction()) / f64::from(NUMBERS);
            let steps = if is_up { n } else { NUMBERS - 1 - n };
            let network = draw.fresh();
            draw.asks.push(Ask {
                at: moment(at),
                who: Who::Attacker,
                country: HOME,
                block,
                range,
                number: first + step * steps,
                network,
                answered_after: None,
            });
        }
    }
}

impl Draw {
    /// Twenty offices, each with a hundred numbers side by side, of which some log in each day, from
    /// wherever they are.
    fn offices(&mut self) {
        for _ in 0..20 {
            let (block, range, first) = (self.below(BLOCKS), self.below(RANGES), self.below(9900));
            for _ in 0..8 * 40 {
                let ask = Ask {
                    at: moment(self.time_of_a_waking_hour()),
                    who: Who::Honest,
                    country: HOME,
                    block,
                    range,
                    number: first + self.below(100),
                    network: HOME * 100_000 + 1000 + self.below(30_000),
                    answered_after: self.answer(0.88),
                };
                self.asks.push(ask);
            }
        }
    }

    /// Eight days of people who log in, fewer at night. Seven of ten come from networks that many
    /// share; six of a hundred ask twice.
    fn week(&mut self, country: u32, per_day: u32, conversion: f64) {
        for _ in 0..8 * per_day {
            let at = self.time_of_a_waking_hour();
            let network = if self.chance(0.7) {
                country * 100_000 + self.below(200)
            } else {
                country * 100_000 + 1000 + self.below((3 * per_day).max(50))
            };
            let ask = Ask {
                at: moment(at),
                who: Who::Honest,
                country,
                block: self.below(BLOCKS),
                range: self.below(RANGES),
                number: self.below(10_000),
                network,
                answered_after: self.answer(conversion),
            };
            if self.chance(0.06) {
                let first = Ask {
                    answered_after: None,
                    ..ask
                };
                self.asks.push(first);
                let again = moment(at + 40.0 * SECOND);
                self.asks.push(Ask { at: again, ..ask });
            } else {
                self.asks.push(ask);
            }
        }
    }

    /// Requests whose codes nobody will answer, each to a number that `target` draws: country,
    /// block, range, and the network it comes from.
    fn pump(&mut self, count: u32, span: f64, target: fn(&mut Self) -> (u32, u32, u32, u32)) {
        for _ in 0..count {
            let at = moment(MORNING + span * self.fraction());
            let (country, block, range, network) = target(self);
            let number = self.below(10_000);
            self.asks.push(Ask {
                at,
                who: Who::Attacker,
                country,
                block,
                range,
                number,
                network,
                answered_after: None,
            });
        }
    }

    /// An attacker who holds some of the numbers verifies those, to look like somebody else.
    fn answer_some_attacks(&mut self, share: f64) {
        let mut asks = std::mem::take(&mut self.asks);
        for ask in asks.iter_mut().filter(|ask| ask.who == Who::Attacker) {
            ask.answered_after = self.answer(share);
        }
        self.asks = asks;
    }

    /// One of the attacker's ten thousand networks, in which nobody has logged in before.
    fn fresh(&mut self) -> u32 {
        9_050_000 + self.below(10_000)
    }

    /// How long it takes to type the code: eight seconds at least, half a minute usually.
    fn answer(&mut self, conversion: f64) -> Option<Duration> {
        let takes = Duration::from_secs_f64(8.0 + 25.0 * self.exponential());
        self.chance(conversion).then_some(takes)
    }

    fn time_of_a_waking_hour(&mut self) -> f64 {
        loop {
            let at = 8.0 * DAY * self.fraction();
            let tide = 0.5 - 0.5 * (at / DAY * TAU).cos();
            if self.chance(0.15 + 0.85 * tide) {
                return at;
            }
        }
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.fraction()).ln()
    }

    fn chance(&mut self, share: f64) -> bool {
        self.fraction() < share
    }

    fn fraction(&mut self) -> f64 {
        self.random.random()
    }

    fn below(&mut self, end: u32) -> u32 {
        self.random.random_range(0..end)
    }
}

/// When what is counted begins.
pub fn eighth_day() -> Timestamp {
    moment(EIGHTH_DAY)
}

fn moment(secs: f64) -> Timestamp {
    Timestamp::from_secs(START) + Duration::from_secs_f64(secs)
}
