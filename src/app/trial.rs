//! One message sent outside of a running gateway, to see whether and how it is carried; knows not who watches.

use std::{io, time::Duration};

use tokio::runtime;

use crate::{
    app::{Error, random},
    clock::Clock,
    config::Config,
    domain::{
        otp::{ChallengeId, Code},
        phone::Phone,
    },
    sms::{
        Accepted, Channel, Draft, Message, MessageId, Sms, Watch,
        error::Error as NotSent,
        wording::{Hints, Locale, Wording},
    },
};

/// A message that logs nobody in: its code is nobody's.
#[derive(Debug)]
pub struct Trial {
    /// Who carries it.
    pub sms: Sms,
    /// What is sent first of all; on another channel it says the same.
    pub message: Message,
    draft: Draft,
    wording: Wording,
}

impl Trial {
    /// A message for `phone` by everything that `config` says.
    pub fn new(
        config: &Config,
        phone: Phone,
        channel: Channel,
        locale: Option<&Locale>,
    ) -> Result<Option<Self>, Error> {
        let auth = &config.live.auth;
        let hints = Hints {
            locale,
            accept_language: None,
            country: phone.calling_code(),
        };
        let words = std::iter::repeat_with(|| random().map(u64::from_be_bytes));
        let words: Vec<u64> = words.take(16).collect::<Result<_, _>>()?;
        let code = Code::draw(auth.otp.length, words.into_iter());
        let Some((chosen, code)) = auth.wording.choose(hints).zip(code) else {
            return Ok(None);
        };
        let draft = Draft {
            id: MessageId::new(random()?),
            challenge: ChallengeId::new(random()?),
            to: phone,
            locale: chosen.locale.clone(),
            code,
        };
        let Some(message) = draft.write(&auth.wording, channel, auth.otp.ttl) else {
            return Ok(None);
        };
        let sms = Sms::open(&config.live.sms, Box::new(io::stdout()), &Clock::System)?;
        Ok(Some(Self {
            sms,
            message,
            draft,
            wording: auth.wording.clone(),
        }))
    }

    /// Sends it. `told` hears of each attempt when it has ended.
    pub fn send(&self, told: Watch<'_>) -> Result<Result<Accepted, NotSent>, Error> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let Message {
            to,
            channel,
            valid_for,
            ..
        } = &self.message;
        let ways = self.sms.ways(to, *channel);
        let write = |channel| self.draft.write(&self.wording, channel, *valid_for);
        let fate = runtime.block_on(self.sms.carry(&ways, write, told));
        // Whoever looks a name up is not waited for.
        runtime.shutdown_timeout(Duration::ZERO);
        Ok(fate.result())
    }
}
