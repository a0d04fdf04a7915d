//! `check`: a configuration that got this far has no problems; what is left is advice.

use std::io::{self, Write};

use crate::{cli::Exit, config::Advice};

/// Says that all is well, and what to think of.
pub fn check(advice: &[Advice], out: &mut dyn Write) -> io::Result<Exit> {
    for advice in advice {
        writeln!(out, "warning: {advice}")?;
    }
    writeln!(out, "ok")?;
    Ok(Exit::Done)
}
