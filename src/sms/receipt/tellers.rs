//! Who may tell us what became of messages, and how they are known. It knows nothing of how they reach us.

use crate::sms::{ProviderSpec, Spec, twilio, webhook};

/// Those who tell by asking us. SNS tells nobody: what it writes down is looked for (`sns::status`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tellers {
    /// Twilio.
    pub twilio: Option<twilio::Hook>,
    /// A program of yours.
    pub webhook: Option<webhook::SigningKey>,
}

/// One who may be among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Twilio.
    Twilio,
    /// A program of yours.
    Webhook,
}

impl Tellers {
    /// Those of the providers of `spec` that can.
    pub fn of(spec: &Spec) -> Self {
        let mut tellers = Self::default();
        for provider in &spec.providers {
            match provider {
                ProviderSpec::Twilio(spec) => tellers.twilio = spec.hook(),
                ProviderSpec::Webhook(spec) => tellers.webhook = Some(spec.key.clone()),
                ProviderSpec::Console | ProviderSpec::Sns(_) => {}
            }
        }
        tellers
    }

    /// Whether this one is.
    pub const fn include(&self, teller: Teller) -> bool {
        match teller {
            Teller::Twilio => self.twilio.is_some(),
            Teller::Webhook => self.webhook.is_some(),
        }
    }
}

impl Teller {
    /// The provider's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Webhook => "webhook",
        }
    }
}
