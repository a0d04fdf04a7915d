//! One message sent outside of a running gateway, to see whether and how it is carried; knows not who watches.

use std::{io, time::Duration};

use tokio::runtime;

use crate::{
    app::{Error, random},
    clock::Clock,
    config::Config,
    domain::{otp::Code, phone::Phone},
    sms::{
        Accepted, Attempt, Channel, Message, MessageId, Sms,
        error::Error as NotSent,
        wording::{Hints, Locale},
    },
};

/// A message that logs nobody in: its code is nobody's.
#[derive(Debug)]
pub struct Trial {
    /// Who carries it.
    pub sms: Sms,
    /// What is sent.
    pub message: Message,
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
        let valid_for = auth.otp.ttl;
        let message = Message {
            id: MessageId::new(random()?),
            to: phone,
            channel,
            locale: chosen.locale.clone(),
            text: auth.wording.write(chosen, channel, &code, valid_for),
            code,
            valid_for,
        };
        let sms = Sms::open(&config.live.sms, Box::new(io::stdout()), &Clock::System)?;
        Ok(Some(Self { sms, message }))
    }

    /// Sends it. `told` hears of each attempt when it has ended.
    pub fn send(
        &self,
        told: &mut (dyn FnMut(&Attempt<'_>) + Send),
    ) -> Result<Result<Accepted, NotSent>, Error> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sent = runtime.block_on(self.sms.send(&self.message, told));
        // Whoever looks a name up is not waited for.
        runtime.shutdown_timeout(Duration::ZERO);
        Ok(sent)
    }
}
