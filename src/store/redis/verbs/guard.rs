//! The guard's and the budgets' part of a send and of an answer: which meters and purses a script has at hand, and what becomes of the others in a cluster.
//!
//! Where one server has everything, the meters are judged and changed in the step of the send, or of
//! the answer. In a cluster all of them are looked at first, since a good name on one server may
//! make up for debts on another; then each server judges and counts for itself, and takes back what it has
//! counted if the send comes to nothing. What is lost in between makes a debt that fades within
//! days, or a payment that a place does not get; money that was spent on nothing stays spent for its
//! window, so that no budget is ever exceeded.

use std::{mem, time::Duration};

use super::Run;
use crate::{
    clock::Timestamp,
    domain::{
        budget::Expense,
        fraud::{
            self, Admission, Alarm, Bits, Debtor, Level, Meter, Place, Rule, Shown, Suspicion, Tail,
        },
    },
    store::{
        Error,
        redis::{
            Redis,
            group::Group,
            join::join_all,
            keys::window_group,
            packed::Packed,
            reply::{Nonsense, Reply},
            scripts,
        },
    },
};

/// The meters and purses that one script has at hand.
#[derive(Debug)]
pub struct Debts {
    pub group: Group,
    /// Where the meters are.
    meters: Vec<String>,
    /// Of what kind each is, as scripts read it.
    pub levels: Vec<u8>,
    /// Whose they are, and where each stands among all.
    debtors: Vec<(usize, Debtor)>,
    /// Where the purses are.
    purses: Vec<String>,
    /// What each holds, and what it is to pay.
    pub prices: Packed,
    /// Where each stands among all expenses.
    expenses: Vec<usize>,
}

/// What became of debts.
#[derive(Debug)]
pub enum Owing {
    /// They are counted.
    Owed {
        /// In which slots the expenses were written down.
        slots: Vec<u64>,
        /// Which expenses have left little of their budgets.
        scarce: Vec<usize>,
    },
    /// A place is suspected of more than was shown.
    Suspected(Alarm),
    /// An expense cannot be paid.
    Unpaid { expense: usize, wait: Duration },
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
    /// Who judges which of the debtors and expenses: the script on `group` all of them where there is
    /// one server, and none otherwise.
    pub fn debts(
        &self,
        group: Group,
        debtors: &[Debtor],
        expenses: &[Expense],
    ) -> (Debts, Vec<Debts>) {
        let mut own = Debts::new(group);
        let mut others: Vec<Debts> = Vec::new();
        let keys = &self.shared.keys;
        for (at, debtor) in debtors.iter().enumerate() {
            let [first, ..] = debtor.meter.0;
            let debts = self.debts_on(Group::new(first), &mut own, &mut others);
            debts.owe(at, *debtor, keys.meter(debtor.meter));
        }
        for (at, expense) in expenses.iter().enumerate() {
            // Two equal budgets share a purse; one message is paid once from it.
            let mut earlier = expenses.iter().take(at);
            if earlier.any(|other| other.purse == expense.purse) {
                continue;
            }
            let group = window_group(expense.purse);
            let debts = self.debts_on(group, &mut own, &mut others);
            debts.pay(at, expense, keys.purse(expense.purse));
        }
        (own, others)
    }

    fn debts_on<'d>(
        &self,
        group: Group,
        own: &'d mut Debts,
        others: &'d mut Vec<Debts>,
    ) -> &'d mut Debts {
        if self.link.is_one_server() {
            return own;
        }
        let at = others.iter().position(|debts| debts.group == group);
        let at = at.unwrap_or_else(|| {
            others.push(Debts::new(group));
            others.len() - 1
        });
        others.get_mut(at).unwrap_or(own)
    }

    /// What would become of a send. Marks the debts that others make up for.
    pub async fn judge(&self, shown: Shown, debts: &mut [Debts]) -> Result<Admission, Error> {
        let guarded = debts.iter().filter(|debts| !debts.meters.is_empty());
        let looking = guarded.map(|debts| self.look_at(debts));
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
            keys: &debts.meters,
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

    /// Counts a send, if nobody there is suspected of more than `shown` answers, and pays for it.
    pub async fn owe(&self, shown: Shown, debts: &Debts) -> Result<Owing, Error> {
        let keys: Vec<_> = debts.keys().collect();
        let run = Run {
            script: &scripts::OWE,
            group: debts.group,
            keys: &keys,
            args: &[&debts.levels, &[byte(shown)], debts.prices.as_ref()],
        };
        self.run(run, |mut reply| {
            let owing = match reply.word()?.as_slice() {
                b"owed" => {
                    let mut slots = reply.list()?;
                    let written = debts.purses.iter().map(|_| slots.number());
                    let written = written.collect::<Result<_, _>>()?;
                    Owing::Owed {
                        slots: slots.end(written)?,
                        scarce: debts.scarce(&mut reply)?,
                    }
                }
                b"suspected" => Owing::Suspected(read_alarm(&mut reply)?.ok_or(Nonsense)?),
                b"unpaid" => {
                    let (expense, wait) = debts.refusal(&mut reply)?;
                    Owing::Unpaid { expense, wait }
                }
                _ => return Err(Nonsense),
            };
            reply.end(owing)
        })
        .await
    }

    /// Takes back what [`Self::owe`] has counted.
    pub async fn disown<'a>(
        &self,
        owed: impl Iterator<Item = (&'a Debts, &'a Result<Owing, Error>)>,
    ) {
        let counted = owed.filter_map(|(debts, owing)| match owing {
            Ok(Owing::Owed { slots, .. }) => Some((debts, slots)),
            Ok(Owing::Suspected(_) | Owing::Unpaid { .. }) | Err(_) => None,
        });
        let disowning = counted.map(|(debts, slots)| async move {
            let keys: Vec<_> = debts.keys().collect();
            let slots: Vec<_> = slots.iter().map(|slot| slot.to_be_bytes()).collect();
            let run = Run {
                script: &scripts::DISOWN,
                group: debts.group,
                keys: &keys,
                args: &[&debts.levels, debts.prices.as_ref(), slots.as_flattened()],
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
                keys: &debts.meters,
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
            meters: Vec::new(),
            levels: Vec::new(),
            debtors: Vec::new(),
            purses: Vec::new(),
            prices: Packed::default(),
            expenses: Vec::new(),
        }
    }

    /// What a script is told to touch: the meters, and then the purses.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.meters.iter().chain(&self.purses).cloned()
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.meters.len() + self.purses.len()
    }

    /// Reads which expense cannot be paid, and for how long.
    pub fn refusal(&self, reply: &mut Reply) -> Result<(usize, Duration), Nonsense> {
        let expense = self.expense(reply)?;
        Ok((expense, reply.span()?))
    }

    /// Reads which expenses have left little of their budgets.
    pub fn scarce(&self, reply: &mut Reply) -> Result<Vec<usize>, Nonsense> {
        let mut list = reply.list()?;
        let mut scarce = Vec::new();
        while !list.is_empty() {
            scarce.push(self.expense(&mut list)?);
        }
        Ok(scarce)
    }

    fn expense(&self, reply: &mut Reply) -> Result<usize, Nonsense> {
        let index: usize = reply.number()?;
        self.expenses.get(index).copied().ok_or(Nonsense)
    }

    fn pay(&mut self, at: usize, expense: &Expense, key: String) {
        let (budget, price) = (expense.budget, expense.price);
        self.purses.push(key);
        self.expenses.push(at);
        self.prices = mem::take(&mut self.prices)
            .amount(budget.max)
            .span(budget.window)
            .amount(price);
    }

    fn owe(&mut self, at: usize, debtor: Debtor, key: String) {
        self.meters.push(key);
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
