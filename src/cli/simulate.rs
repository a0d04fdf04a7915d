//! `simulate fraud`: days of made-up traffic against the real rules, in no time; what the guard stops, and whom it hinders.
//!
//! Everything is drawn from one seed, so that two runs of one version print the same table. The
//! budgets of `otp.limits` per country and in all are left out: they bound the bill however an
//! attack is made, and would hide what the guard does about it.

mod traffic;
mod world;

use std::io::{self, Write};

use crate::cli::{
    Exit,
    simulate::{
        traffic::{MIXES, Mix},
        world::{Attacker, Guard, Outcome, World},
    },
};

/// The seed of the table in the README.
pub const SEED: u64 = 1;

/// What is printed first.
const HEAD: &str = "\
Messages that an attack has had sent, of those it asked for, and honest requests that had to prove
some work or were refused. Without the guard only the limits per phone and per address hold; a
determined attacker proves whatever work a phone can.
";

/// Prints one row per mix of traffic.
pub fn fraud(seed: u64, out: &mut dyn Write) -> io::Result<Exit> {
    writeln!(out, "{HEAD}")?;
    writeln!(
        out,
        "{:32} {:>8} {:>9} {:>15} {:>15} {:>8} {:>8} {:>8}",
        "", "wanted", "no guard", "guard", "determined", "honest", "proof", "refused",
    )?;
    for mix in MIXES {
        writeln!(out, "{}", row(mix, seed))?;
    }
    writeln!(out, "\nseed {seed}")?;
    Ok(Exit::Done)
}

fn row(mix: &Mix, seed: u64) -> String {
    let asks = mix.asks(seed);
    let run = |guard, attacker| World::new(guard, attacker).run(&asks);
    let open = run(Guard::Watches, Attacker::Lazy);
    let guarded = run(Guard::Works, Attacker::Lazy);
    let determined = run(Guard::Works, Attacker::Determined);
    let honest = &guarded.honest;
    format!(
        "{:32} {:>8} {:>9} {:>15} {:>15} {:>8} {:>7.2}% {:>7.3}%",
        mix.name,
        open.attack.asked,
        open.attack.sent,
        share(&guarded),
        share(&determined),
        honest.asked,
        percent(honest.proved, honest.asked),
        percent(honest.refused, honest.asked),
    )
}

/// What an attack has had sent, and how much of what it wanted that is.
fn share(outcome: &Outcome) -> String {
    let attack = &outcome.attack;
    if attack.asked == 0 {
        return "-".to_owned();
    }
    let percent = percent(attack.sent, attack.asked);
    format!("{} ({percent:.2}%)", attack.sent)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a table for people")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    100.0 * part as f64 / whole as f64
}

#[cfg(test)]
mod tests;
