//! `[otp.guard]`: what becomes of those whose codes nobody answers; the rules themselves are `domain::fraud`'s, and no settings.

use crate::{
    auth::{Guard, Mode},
    config::{document::Section, problem::Reported, value::Text},
};

/// Reads how the guard works, and for whom it only watches.
pub fn guard(otp: &Section<'_>) -> Result<Guard, Reported> {
    let section = otp.section("guard");
    let mode = section.read("mode", r#""enforce""#);
    let exempt = section.read("exempt", "[]");
    Ok(Guard {
        mode: mode?,
        exempt: exempt?,
    })
}

impl Text for Mode {
    const EXPECTED: &'static str = "\"enforce\", \"observe\" or \"off\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "enforce" => Some(Self::Enforce),
            "observe" => Some(Self::Observe),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}
