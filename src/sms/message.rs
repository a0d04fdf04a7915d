//! One message on its way to a phone; knows nothing of who carries it.

use std::{fmt, str::FromStr, time::Duration};

use super::wording::Locale;
pub use crate::domain::delivery::MessageId;
use crate::domain::{
    otp::{ChallengeId, Code},
    phone::Phone,
};

/// One message to be sent.
#[derive(Clone)]
pub struct Message {
    /// Its name: the same in every attempt to send it.
    pub id: MessageId,
    /// What its code answers.
    pub challenge: ChallengeId,
    /// Whom to.
    pub to: Phone,
    /// By which way.
    pub channel: Channel,
    /// In which language.
    pub locale: Locale,
    /// All of the text; for a call, what is said.
    pub text: String,
    /// The code inside it, for providers that are given the code alone.
    pub code: Code,
    /// For how long it is of use.
    pub valid_for: Duration,
}

/// The way on which a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A message by `WhatsApp`.
    WhatsApp,
    /// A call in which the text is said.
    Voice,
}

/// No channel has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be sms, whatsapp or voice")]
pub struct InvalidChannel;

impl Channel {
    /// Its name, in requests and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::WhatsApp => "whatsapp",
            Self::Voice => "voice",
        }
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        [Self::Sms, Self::WhatsApp, Self::Voice]
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or(InvalidChannel)
    }
}

impl fmt::Debug for Message {
    /// Without text and code: a message in a log is a login for whoever reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::otp::Length;

    /// One to a number of California.
    pub fn message(text: &str) -> Message {
        Message {
            id: MessageId::new([7; 16]),
            challenge: ChallengeId::new([8; 16]),
            to: Phone::parse("+16502530000", "+1".parse().unwrap()).unwrap(),
            channel: Channel::Sms,
            locale: "en".parse().unwrap(),
            text: text.to_owned(),
            code: Code::parse("421337", Length::new(6).unwrap()).unwrap(),
            valid_for: Duration::from_mins(5),
        }
    }

    #[test]
    fn a_message_does_not_show_its_code_or_its_number() {
        let shown = format!("{:?}", message("Your code is 421337"));
        assert!(!shown.contains("421337"), "{shown}");
        assert!(!shown.contains("6502530000"), "{shown}");
    }

    #[test]
    fn channels_are_known_by_their_names_alone() {
        for channel in [Channel::Sms, Channel::WhatsApp, Channel::Voice] {
            assert_eq!(channel.as_str().parse(), Ok(channel));
        }
        for text in ["", "SMS", "call", "sms "] {
            assert_eq!(text.parse::<Channel>(), Err(InvalidChannel), "{text}");
        }
    }
}
