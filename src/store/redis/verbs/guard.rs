//! The guard's part of a send and of an answer: which meters a script has at hand, and what becomes of the others in a cluster.
//!
//! Where one server has everything, the meters are judged and changed in the step of the send, or of
//! the answer. In a cluster all of them are looked at first, since a good name on one server may
//! make up for debts on another; then each server judges and counts for itself, and takes back what it has
//! counted if the send comes to nothing. What is lost in between makes a debt that fades within
//! days, or a payment that a place does not get.

use super::Run;
use crate::{
    clock::Timestamp,
    domain::fraud::{
        self, Admission, Alarm, Bits, Debtor, Level, Meter, Place, Rule, Shown, Suspicion, Tail,
    },
    store::{
        Error,
        redis::{
            Redis,
            group::Group,
            join::join_all,
            reply::{Nonsense, Reply},
            scripts,
        },
    },
};

/// The meters that one script has at hand.
#[derive(Debug)]
pub struct Debts {
    pub group: Group,
    pub keys: Vec<String>,
    /// Of what kind each is, as scripts read it.
    pub levels: Vec<u8>,
    /// Whose they are, and where each stands among all.
    debtors: Vec<(usize, Debtor)>,
}

/// Bytes of a kind: that of the level, and the number that is sent to. See `meters.lua`.
const LEVEL: usize = 3;

/// In the byte of a level: a place on another server makes up for this one.
const PARDONED: u8 = 128;

/// Stands for no number.
const NO_TAIL: u16 = u16::MAX;

/// Stands for more than any proof shows.
const EVERYTHING: u8 = 255;

impl Redis {
    /// Who judges which of the debtors: the script on `group` all of them where there is one
    /// server, and none otherwise.
    pub fn debts(&self, group: Group, debtors: &[Debtor]) -> (Debts, Vec<Debts>) {
        let mut own = Debts::new(group);
        let mut others: Vec<Debts> = Vec::new();
        for (at, debtor) in debtors.iter().enumerate() {
            let key = self.shared.keys.meter(debtor.meter);
            let [first, ..] = debtor.meter.0;
            let group = Group::new(first);
            if self.link.is_one_server() {
                own.add(at, *debtor, key);
            } else if let Some(debts) = others.iter_mut().find(|debts| debts.group == group) {
                debts.add(at, *debtor, key);
            } else {
                let mut debts = Debts::new(group);
                debts.add(at, *debtor, key);
                others.push(debts);
            }
        }
        (own, others)
    }

    /// What would become of a send. Marks the debts that others make up for.
    pub async fn judge(&self, shown: Shown, debts: &mut [Debts]) -> Result<Admission, Error> {
        let looking = debts.iter().map(|debts| self.look_at(debts));
        let looked = join_all(looking).await;
        let looked = looked.into_iter().collect::<Result<Vec<_>, _>>()?;
        let now = looked.iter().map(|(now, _)| *now).max();
        let now = now.unwrap_or_default();
        let mut places: Vec<_> = looked.into_iter().flat_map(|(_, places)| places).collect();
        places.sort_by_key(|(at, _)| *at);
        let mut places: Vec<_> = places.into_iter().map(|(_, place)| place).collect();
        fraud::pass_time(&mut places, now);
        for debts in debts {
            debts.pardon(&places);
        }
        Ok(fraud::admit(&mut places, shown, now))
    }

    async fn look_at(&self, debts: &Debts) -> Result<(Timestamp, Vec<(usize, Place)>), Error> {
        let run = Run {
            script: &scripts::GET_METERS,
            group: debts.group,
            keys: &debts.keys,
            args: &[],
        };
        self.run(run, |mut reply| {
            reply.word()?;
            let now = reply.moment()?;
            let mut places = Vec::with_capacity(debts.debtors.len());
            for (at, debtor) in &debts.debtors {
                places.push((*at, debtor.owing(read_meter(&mut reply)?)));
            }
            reply.end((now, places))
        })
        .await
    }

    /// Counts a send; `None` if nobody there is suspected of more than `shown` answers.
    pub async fn owe(&self, shown: Shown, debts: &Debts) -> Result<Option<Alarm>, Error> {
        let run = Run {
            script: &scripts::OWE,
            group: debts.group,
            keys: &debts.keys,
            args: &[&debts.levels, &[byte(shown)]],
        };
        self.run(run, |mut reply| match reply.word()?.as_slice() {
            b"owed" => reply.end(None),
            b"suspected" => {
                let alarm = read_alarm(&mut reply)?;
                reply.end(Some(alarm.ok_or(Nonsense)?))
            }
            _ => Err(Nonsense),
        })
        .await
    }

    /// Takes back what [`Self::owe`] has counted.
    pub async fn disown<'a>(&self, owed: impl Iterator<Item = &'a Debts>) {
        let disowning = owed.map(|debts| async {
            let run = Run {
                script: &scripts::DISOWN,
                group: debts.group,
                keys: &debts.keys,
                args: &[&debts.levels],
            };
            let disowned = self.run(run, |reply| read_word(reply, b"disowned"));
            self.in_a_round(disowned).await
        });
        warn_of(join_all(disowning).await);
    }

    /// Pays for messages, as one was answered.
    pub async fn pay(&self, debts: &[Debts]) {
        let paying = debts.iter().map(|debts| async {
            let run = Run {
                script: &scripts::PAY,
                group: debts.group,
                keys: &debts.keys,
                args: &[&debts.levels],
            };
            let paid = self.run(run, |reply| read_word(reply, b"paid"));
            self.in_a_round(paid).await
        });
        warn_of(join_all(paying).await);
    }
}

impl Debts {
    fn new(group: Group) -> Self {
        Self {
            group,
            keys: Vec::new(),
            levels: Vec::new(),
            debtors: Vec::new(),
        }
    }

    fn add(&mut self, at: usize, debtor: Debtor, key: String) {
        self.keys.push(key);
        let tail = debtor.tail.map_or(NO_TAIL, Tail::digits);
        self.levels.push(level_byte(debtor.level));
        self.levels.extend(tail.to_be_bytes());
        self.debtors.push((at, debtor));
    }

    fn pardon(&mut self, all: &[Place]) {
        let levels = self.levels.iter_mut().step_by(LEVEL);
        for (level, (_, debtor)) in levels.zip(&self.debtors) {
            if fraud::is_forgiven(all, debtor.level) {
                *level |= PARDONED;
            }
        }
    }
}

/// As scripts are told what was shown.
pub const fn byte(shown: Shown) -> u8 {
    match shown {
        Shown::Proof(Bits(bits)) => bits,
        Shown::Everything => EVERYTHING,
    }
}

/// How bad a suspicion is, what is to be proved or when it ends, where it is, and by which rule.
pub fn read_alarm(reply: &mut Reply) -> Result<Option<Alarm>, Nonsense> {
    let (worst, worth): (u8, u64) = (reply.number()?, reply.number()?);
    let (level, rule): (usize, usize) = (reply.number()?, reply.number()?);
    let suspicion = match worst {
        0 => return Ok(None),
        1 => Suspicion::Proof(Bits(worth.try_into().map_err(|_| Nonsense)?)),
        2 => Suspicion::Blocked(Timestamp::from_millis(worth)),
        _ => return Err(Nonsense),
    };
    let level = *Level::ALL.get(level).ok_or(Nonsense)?;
    let rule = *Rule::ALL.get(rule).ok_or(Nonsense)?;
    Ok(Some(Alarm {
        level,
        rule,
        suspicion,
    }))
}

/// A meter as `get_meters` tells it: its numbers, or nothing.
pub fn read_meter(reply: &mut Reply) -> Result<Option<Meter>, Nonsense> {
    let packed = reply.word()?;
    if packed.is_empty() {
        return Ok(None);
    }
    let (numbers, []) = packed.as_chunks() else {
        return Err(Nonsense);
    };
    let numbers: Vec<_> = numbers.iter().copied().map(f64::from_be_bytes).collect();
    Meter::from_numbers(&numbers).map(Some).ok_or(Nonsense)
}

/// In the order of `Level::ALL`, which is that of `meters.lua`.
const fn level_byte(level: Level) -> u8 {
    match level {
        Level::Range => 0,
        Level::Block => 1,
        Level::Country => 2,
        Level::Network => 3,
    }
}

fn read_word(mut reply: Reply, expected: &[u8]) -> Result<(), Nonsense> {
    if reply.word()? == expected {
        reply.end(())
    } else {
        Err(Nonsense)
    }
}

/// What is lost then is said in the head of this file.
fn warn_of(done: Vec<Result<(), Error>>) {
    for error in done.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "the guard counts what came to nothing, or not what was paid");
    }
}
