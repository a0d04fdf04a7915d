//! A message before it is known by which way it goes: what is the same on all of them; knows nothing of who carries it.

use std::time::Duration;

use super::{
    Channel, Message, MessageId,
    wording::{Locale, Wording},
};
use crate::domain::{
    otp::{ChallengeId, Code},
    phone::Phone,
};

/// What is to be said, and to whom.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The name of the message, on every way.
    pub id: MessageId,
    /// What its code answers.
    pub challenge: ChallengeId,
    /// Whom to.
    pub to: Phone,
    /// In which language.
    pub locale: Locale,
    /// The code.
    pub code: Code,
}

impl Draft {
    /// The message for `channel`, which is of use for so long; `None` where no text can be had.
    pub fn write(
        &self,
        wording: &Wording,
        channel: Channel,
        valid_for: Duration,
    ) -> Option<Message> {
        let chosen = wording.text(&self.locale)?;
        Some(Message {
            id: self.id,
            challenge: self.challenge,
            to: self.to.clone(),
            channel,
            locale: chosen.locale.clone(),
            text: wording.write(chosen, channel, &self.code, valid_for),
            code: self.code.clone(),
            valid_for,
        })
    }
}
