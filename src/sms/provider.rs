//! The providers as one: what each must be able to do; knows nothing of their order.

use std::{fmt, time::Duration};

use http::StatusCode;

use super::{
    Channel, Message,
    console::{self, Console},
    error::{Cause, Class, Error},
    sns::Sns,
    twilio::Twilio,
    webhook::Webhook,
};

/// One who carries messages.
#[derive(Debug)]
pub enum Provider {
    /// Nobody: they are printed for the developer to read.
    Console(Console),
    /// Twilio.
    Twilio(Twilio),
    /// AWS SNS.
    Sns(Sns),
    /// A program of yours.
    Webhook(Webhook),
}

/// What a provider is called in the configuration, in metrics and in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The console.
    Console,
    /// Twilio.
    Twilio,
    /// AWS SNS.
    Sns,
    /// A program of yours.
    Webhook,
}

/// A provider took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who.
    pub provider: &'static str,
    /// Its name for the message, if it gave one.
    pub reference: Option<String>,
    /// The status of its answer, if it was asked by HTTP.
    pub status: Option<StatusCode>,
}

impl Provider {
    /// What it is called.
    pub const fn name(&self) -> Name {
        match self {
            Self::Console(_) => Name::Console,
            Self::Twilio(_) => Name::Twilio,
            Self::Sns(_) => Name::Sns,
            Self::Webhook(_) => Name::Webhook,
        }
    }

    /// How long it takes at most, if that does not follow from how it is reached.
    pub const fn patience(&self) -> Option<Duration> {
        match self {
            Self::Console(_) => Some(console::LONGEST),
            Self::Twilio(_) | Self::Sns(_) | Self::Webhook(_) => None,
        }
    }

    /// Whether it carries messages of this kind.
    pub const fn carries(&self, channel: Channel) -> bool {
        match self {
            Self::Console(_) | Self::Webhook(_) => true,
            Self::Twilio(twilio) => twilio.spec().carries(channel),
            Self::Sns(_) => matches!(channel, Channel::Sms),
        }
    }

    /// Where messages of this kind are sent, for people to read: without secrets.
    pub fn target(&self, channel: Channel) -> String {
        match self {
            Self::Console(_) => "standard output".to_owned(),
            Self::Twilio(twilio) => twilio.target(channel),
            Self::Sns(sns) => sns.target(),
            Self::Webhook(webhook) => webhook.target(),
        }
    }

    /// Hands `message` over. Every wait has an end, whatever the other side does.
    pub async fn send(&self, message: &Message) -> Result<Accepted, Error> {
        if !self.carries(message.channel) {
            return Err(Error::new(Class::Misconfigured, Cause::WrongChannel));
        }
        match self {
            Self::Console(console) => console.send(message).await,
            Self::Twilio(twilio) => twilio.send(message).await,
            Self::Sns(sns) => sns.send(message).await,
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }
}

impl Name {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Twilio => "twilio",
            Self::Sns => "sns",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
