//! The providers as one: what each must be able to do; knows nothing of their order.

use http::StatusCode;

use super::{
    Channel, Message,
    console::Console,
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
    /// Its name in the configuration, in metrics and in logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Console(_) => "console",
            Self::Twilio(_) => "twilio",
            Self::Sns(_) => "sns",
            Self::Webhook(_) => "webhook",
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

    /// Where `message` is sent, for people to read: without secrets and numbers.
    pub fn target(&self, message: &Message) -> String {
        match self {
            Self::Console(_) => "standard output".to_owned(),
            Self::Twilio(twilio) => twilio.target(message.channel),
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
