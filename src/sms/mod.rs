//! Text messages: what one is, who carries it, and the courier who has it carried; knows nothing of why it is sent.
//!
//! | provider | file |
//! |---|---|
//! | the console, for development | [`console`] |
//! | Twilio: messages, `WhatsApp`, calls | [`twilio`] |
//! | AWS SNS | [`sns`] |
//! | a program of yours, by a signed request | [`webhook`] |
//!
//! Which of them are asked for a number, and in which order, says [`route`]; whom it is no use to ask
//! for a while, [`breaker`]. What a provider answers becomes one of the classes of [`error`], each of
//! which says what can be done. Above all it is told apart whether a message was certainly not sent,
//! so that the next provider may try, or may have been, so that none may.

mod draft;
mod message;
mod provider;

pub mod breaker;
pub mod error;
pub mod receipt;
pub mod route;

pub mod console;
pub mod sns;
pub mod twilio;
pub mod webhook;

pub mod http;

pub mod letter;

mod carry;
mod tell;

pub mod courier;

pub mod wording;

pub use carry::{Attempt, Fate, Watch};
pub use draft::Draft;
pub use message::{Channel, Message, MessageId};
pub use provider::{Accepted, Name, Provider};

use std::{
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{
    breaker::{Breaker, Policy},
    console::Console,
    http::{Client, Line, Untrusted},
    route::{Routing, Way},
    sns::{Sns, status::Status},
    twilio::Twilio,
    webhook::Webhook,
};
use crate::{clock::Clock, domain::phone::Phone};

/// Who is to carry the messages, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// All who are asked for any number, each once; never empty.
    pub providers: Vec<ProviderSpec>,
    /// In which order, for which numbers.
    pub routing: Routing,
    /// When one of them is left alone for a while.
    pub breaker: Policy,
    /// After how long without a word the next way is tried although one of them took a message.
    pub silence: Option<Duration>,
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
    carriers: Vec<Carrier>,
    routing: Routing,
    silence: Option<Duration>,
    max_in_flight: usize,
    clock: Clock,
}

/// A provider, and what stands in front of it.
#[derive(Debug)]
struct Carrier {
    provider: Provider,
    /// How long it takes at most.
    patience: Duration,
    breaker: Mutex<Breaker>,
}

/// Messages that a console takes at the same time.
const ON_CONSOLE: usize = 8;

/// What is borne of a console.
const OF_CONSOLE: Policy = Policy {
    failures: u32::MAX,
    pause: Duration::ZERO,
};

impl Sms {
    /// Sets up the providers of `spec`; `console` is where the console prints.
    pub fn open(
        spec: &Spec,
        console: Box<dyn Write + Send>,
        clock: &Clock,
    ) -> Result<Self, Untrusted> {
        let mut console = Some(console);
        let mut carriers = Vec::new();
        for provider in &spec.providers {
            let client = || Client::new(&spec.line);
            let provider = match provider {
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
            };
            // To send a message may need to fetch what it is signed with.
            let patience = provider.patience().unwrap_or(spec.line.timeout * 2);
            carriers.push(Carrier::new(provider, patience, spec.breaker));
        }
        Ok(Self {
            carriers,
            routing: spec.routing.clone(),
            silence: spec.silence,
            max_in_flight: spec.max_in_flight.max(1),
            clock: clock.clone(),
        })
    }

    /// Nobody: messages are printed for the developer to read.
    pub fn console(console: Console) -> Self {
        Self {
            carriers: vec![Carrier::new(
                Provider::Console(console),
                console::LONGEST,
                OF_CONSOLE,
            )],
            routing: Routing::to(vec![Name::Console]),
            silence: None,
            max_in_flight: ON_CONSOLE,
            clock: Clock::System,
        }
    }

    /// In which order they are asked, for which numbers.
    pub const fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Those who are asked for `phone`, in that order.
    pub fn providers(&self, phone: &Phone) -> impl Iterator<Item = &Provider> {
        let names = self.routing.providers(phone).iter();
        names.filter_map(|name| self.carrier(*name).map(|carrier| &carrier.provider))
    }

    /// Every way to `phone`, in the order of trying.
    pub fn ways(&self, phone: &Phone, channel: Channel) -> Vec<Way> {
        self.routing.ways(phone, channel, |name, channel| {
            let carrier = self.carrier(name);
            carrier.is_some_and(|carrier| carrier.provider.carries(channel))
        })
    }

    /// What looks for what became of messages, where no provider tells.
    pub fn status(&self) -> Option<Status> {
        let mut carriers = self.carriers.iter();
        carriers.find_map(|carrier| match &carrier.provider {
            Provider::Sns(sns) => sns.status(),
            Provider::Console(_) | Provider::Twilio(_) | Provider::Webhook(_) => None,
        })
    }

    /// How long it takes at most until all ways of a message are gone.
    pub fn longest(&self) -> Duration {
        let takes = |name: &Name| self.carrier(*name).map(|carrier| carrier.patience);
        let of_order = |names: &[Name]| names.iter().filter_map(takes).sum::<Duration>();
        let orders = self.routing.orders().map(|(_, names)| of_order(names));
        let channels = self.routing.fallback.len().saturating_add(1);
        let channels = u32::try_from(channels).unwrap_or(u32::MAX);
        orders.max().unwrap_or_default().saturating_mul(channels)
    }

    /// After how long without a word the next way is tried although somebody took a message.
    pub const fn silence(&self) -> Option<Duration> {
        self.silence
    }

    /// Messages that may be handed over at the same time.
    pub const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    fn carrier(&self, name: Name) -> Option<&Carrier> {
        let mut carriers = self.carriers.iter();
        carriers.find(|carrier| carrier.provider.name() == name)
    }
}

impl Carrier {
    const fn new(provider: Provider, patience: Duration, policy: Policy) -> Self {
        Self {
            provider,
            patience,
            breaker: Mutex::new(Breaker::new(policy)),
        }
    }

    /// Held for one look; a breaker cannot be left half changed.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProviderSpec {
    /// What it is called.
    pub const fn name(&self) -> Name {
        match self {
            Self::Console => Name::Console,
            Self::Twilio(_) => Name::Twilio,
            Self::Sns(_) => Name::Sns,
            Self::Webhook(_) => Name::Webhook,
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
