//! Text messages: what one is, who carries it, and the queue in front; knows nothing of why it is sent.

pub mod console;
pub mod outbox;

use std::fmt;

use crate::{
    domain::{otp::Code, phone::Phone},
    sms::console::Console,
};

/// One message to be sent.
#[derive(Clone)]
pub struct Message {
    /// Whom to.
    pub to: Phone,
    /// All of the text.
    pub text: String,
    /// The code inside it, for providers that are given the code alone.
    pub code: Code,
}

/// Who is to carry the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The console.
    Console,
}

/// Who carries the messages.
#[derive(Debug)]
pub enum Sms {
    /// Nobody: they are printed for the developer to read.
    Console(Console),
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The console could not be written to.
    #[error("the console cannot be written to")]
    Console(#[from] std::io::Error),
}

impl Sms {
    /// The provider's name in metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Console(_) => "console",
        }
    }

    /// Hands `message` over; `Ok` means that the provider took it, not that it arrived.
    pub fn send(&mut self, message: &Message) -> Result<(), Error> {
        match self {
            Self::Console(console) => console.print(message),
        }
    }
}

impl fmt::Debug for Message {
    /// Without text and code: a message in a log is a login for whoever reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::otp::Length;

    #[test]
    fn a_message_does_not_show_its_code_or_its_number() {
        let message = Message {
            to: Phone::parse("+16502530000", "+1".parse().unwrap()).unwrap(),
            text: "Your code is 421337".to_owned(),
            code: Code::parse("421337", Length::new(6).unwrap()).unwrap(),
        };
        let shown = format!("{message:?}");
        assert!(!shown.contains("421337"), "{shown}");
        assert!(!shown.contains("6502530000"), "{shown}");
    }
}
