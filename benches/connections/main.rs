//! What connections cost that give nothing: ten thousand that rest, two thousand that are slow, and single ones that flood.
//!
//!     cargo bench --bench connections -- --only floods
//!
//! Each figure stands beside the one it has to be better than, and a missed one is a failure. All
//! of it is compared within one run: with a quiet time between two attacks, or with nginx where it is
//! installed.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot start has nothing to measure"
)]
#![expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]

mod app;
mod floods;
mod frames;
mod honest;
mod resting;
mod slow;
#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod stage;

use std::{
    fmt::Display,
    process::{Command, ExitCode, id},
    time::Duration,
};

use clap::{Parser, ValueEnum};

/// What connections cost that give nothing.
#[derive(Debug, Parser)]
struct Options {
    /// One part of it
    #[arg(long)]
    only: Option<Part>,
    /// Connections that rest
    #[arg(long, default_value_t = 10_000)]
    resting: u32,
    /// Clients that are slow, one half with heads and one with bodies
    #[arg(long, default_value_t = 2_000)]
    slow: u32,
    /// How often quiet and slow times alternate
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Resting,
    Slow,
    Floods,
}

/// The figures as they come, and how many of them are worse than they may be.
#[derive(Debug, Default)]
pub struct Report {
    missed: u32,
}

fn main() -> ExitCode {
    let options = Options::parse();
    raise_the_limit_of_files();
    let wants = |part| options.only.is_none_or(|only| only == part);
    let mut report = Report::default();
    if wants(Part::Resting) {
        resting::measure(options.resting, &mut report);
    }
    if wants(Part::Slow) {
        slow::measure(options.slow, options.rounds, &mut report);
    }
    if wants(Part::Floods) {
        floods::measure(&mut report);
    }
    match report.missed {
        0 => ExitCode::SUCCESS,
        missed => {
            println!("\n{missed} missed");
            ExitCode::FAILURE
        }
    }
}

impl Report {
    /// A headline.
    pub fn part(&mut self, title: impl Display) {
        println!("\n{title}");
    }

    /// A line of figures for which nothing is promised.
    pub fn line(&mut self, figures: impl Display) {
        println!("  {figures}");
    }

    /// A line of figures, and whether they are as good as they have to be.
    pub fn judged(&mut self, figures: impl Display, target: impl Display, good: Goal) {
        let verdict = match good {
            Goal::Met => "ok  ",
            Goal::Missed => "FAIL",
        };
        self.missed += u32::from(good == Goal::Missed);
        println!("  {figures}   {verdict} ({target})");
    }
}

/// Whether a figure is as good as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// It is.
    Met,
    /// It is not.
    Missed,
}

impl Goal {
    /// Met when this holds.
    pub const fn of(holds: bool) -> Self {
        if holds { Self::Met } else { Self::Missed }
    }
}

/// For people.
fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Each connection is a file, here and in the processes that are started from here.
fn raise_the_limit_of_files() {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &id().to_string(), "--nofile=65536:65536"]);
    // Who may not has to do with what there is.
    drop(prlimit.output());
}
