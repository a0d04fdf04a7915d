//! The provider for development: prints each message where the developer looks; reaches nobody's phone.

use std::{
    fmt,
    io::{self, Write},
};

use super::{Error, Message};

/// Prints messages, one line each.
pub struct Console {
    out: Box<dyn Write + Send>,
}

impl Console {
    /// Prints to `out`. A write may block until somebody reads it, as writes to terminals do.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out }
    }

    /// Prints the one place where number and code are meant to be seen: the stand-in for the phone.
    pub(super) fn print(&mut self, message: &Message) -> Result<(), Error> {
        let text = message.text.replace(['\r', '\n'], " ");
        self.line(&format!("SMS to {}: {text}\n", message.to.as_e164()))?;
        Ok(())
    }

    /// In one write, so that lines of the log never fall between.
    fn line(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}
