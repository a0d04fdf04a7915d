//! Text messages: what one is, who carries it, and the queue in front; knows nothing of why it is sent.
//!
//! | provider | file |
//! |---|---|
//! | the console, for development | [`console`] |
//! | Twilio: messages, `WhatsApp`, calls | [`twilio`] |
//! | AWS SNS | [`sns`] |
//! | a program of yours, by a signed request | [`webhook`] |
//!
//! What a provider answers becomes one of the classes of [`error`], each of which says what can be
//! done. Above all it is told apart whether a message was certainly not sent, so that the next
//! provider may try, or may have been, so that none may.

mod message;
mod provider;

pub mod error;

pub mod console;
pub mod sns;
pub mod twilio;
pub mod webhook;

pub mod http;

pub mod outbox;

pub mod wording;

pub use message::{Channel, Message, MessageId};
pub use provider::{Accepted, Provider};

use std::{io::Write, time::Duration};

use tokio::time::Instant;

use self::{
    console::Console,
    error::{Cause, Class, Error},
    http::{Client, Line, Untrusted},
    sns::Sns,
    twilio::Twilio,
    webhook::Webhook,
};
use crate::clock::Clock;

/// Who is to carry the messages, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// In the order in which they are tried; never empty.
    pub providers: Vec<ProviderSpec>,
    /// How those that are reached by HTTP are reached.
    pub line: Line,
    /// Messages that are handed over at the same time.
    pub max_in_flight: usize,
}

/// One who is to carry messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderSpec {
    /// The console.
    Console,
    /// Twilio.
    Twilio(twilio::Spec),
    /// AWS SNS.
    Sns(sns::Spec),
    /// A program of yours.
    Webhook(webhook::Spec),
}

/// Who carries the messages.
#[derive(Debug)]
pub struct Sms {
    providers: Vec<Provider>,
    max_in_flight: usize,
}

/// One provider's try to send a message.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Who tried.
    pub provider: &'a Provider,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: &'a Result<Accepted, Error>,
}

/// Messages that a console takes at the same time.
const ON_CONSOLE: usize = 8;

impl Sms {
    /// Sets up the providers of `spec`; `console` is where the console prints.
    pub fn open(
        spec: &Spec,
        console: Box<dyn Write + Send>,
        clock: &Clock,
    ) -> Result<Self, Untrusted> {
        let mut console = Some(console);
        let mut providers = Vec::new();
        for provider in &spec.providers {
            let client = || Client::new(&spec.line);
            providers.push(match provider {
                ProviderSpec::Console => match console.take() {
                    Some(console) => Provider::Console(Console::new(console)),
                    None => continue,
                },
                ProviderSpec::Twilio(spec) => {
                    Provider::Twilio(Twilio::new(spec.clone(), client()?))
                }
                ProviderSpec::Sns(spec) => {
                    Provider::Sns(Sns::new(spec.clone(), client()?, clock.clone()))
                }
                ProviderSpec::Webhook(spec) => {
                    Provider::Webhook(Webhook::new(spec.clone(), client()?, clock.clone()))
                }
            });
        }
        Ok(Self {
            providers,
            max_in_flight: spec.max_in_flight.max(1),
        })
    }

    /// Nobody: messages are printed for the developer to read.
    pub fn console(console: Console) -> Self {
        Self {
            providers: vec![Provider::Console(console)],
            max_in_flight: ON_CONSOLE,
        }
    }

    /// Who carries them, in the order in which they are tried.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Messages that may be handed over at the same time.
    pub const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// Hands `message` over; `Ok` means that a provider took it, not that it arrived. The next
    /// provider tries at once when the one before certainly did not send and another one may, and
    /// never when it is not known. Each attempt is told to `watch`.
    pub async fn send(
        &self,
        message: &Message,
        watch: &mut (dyn FnMut(&Attempt<'_>) + Send),
    ) -> Result<Accepted, Error> {
        let mut last = Err(Error::new(Class::Misconfigured, Cause::WrongChannel));
        for provider in &self.providers {
            if !provider.carries(message.channel) {
                continue;
            }
            let began = Instant::now();
            let result = provider.send(message).await;
            watch(&Attempt {
                provider,
                took: began.elapsed(),
                result: &result,
            });
            match &result {
                Err(error) if error.class.lets_next_try() => last = result,
                Ok(_) | Err(_) => return result,
            }
        }
        last
    }
}

impl ProviderSpec {
    /// Its name in the configuration, in metrics and in logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Twilio(_) => "twilio",
            Self::Sns(_) => "sns",
            Self::Webhook(_) => "webhook",
        }
    }

    /// Whether it carries messages of this kind.
    pub const fn carries(&self, channel: Channel) -> bool {
        match self {
            Self::Console | Self::Webhook(_) => true,
            Self::Twilio(spec) => spec.carries(channel),
            Self::Sns(_) => matches!(channel, Channel::Sms),
        }
    }
}
