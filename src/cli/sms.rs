//! `sms test`: one message by the providers of the configuration, with every step of it; knows nothing of how they are asked.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use clap::Args;

use crate::{
    app::Trial,
    cli::{Error, Exit, Streams},
    config::{Config, Span},
    domain::phone::Phone,
    sms::{
        Attempt, Channel, Message,
        error::Class,
        wording::{Length, Locale},
    },
};

/// What is to be sent, and to whom.
#[derive(Debug, Args)]
pub struct Test {
    /// The number, such as +15550001111
    number: Number,
    /// By which way: sms, whatsapp or voice; that of otp requests if it is left out
    #[arg(long)]
    channel: Option<Channel>,
    /// In which language, such as de; that of the number's country if it is left out
    #[arg(long)]
    locale: Option<Locale>,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// What stands below the help.
pub const ADVICE: &str = "\
The message is a real one: it is paid for. Limits and countries of [otp] do not keep it, and no \
gateway has to run.

Exit codes: 0 a provider took it, 75 it may go better later (throttled, or not reached), 78 the \
settings of a provider are wrong, 1 anything else, such as a number that cannot be reached, or an \
outcome that is not known.";

/// A number as it is typed.
#[derive(Clone)]
struct Number(String);

/// Sends a message, and says what becomes of it.
pub fn test(test: &Test, config: &Config, streams: &mut Streams<'_>) -> Result<Exit, Error> {
    let Number(number) = &test.number;
    let auth = &config.live.auth;
    let phone = match Phone::parse(number, auth.default_country) {
        Ok(phone) => phone,
        Err(why) => {
            writeln!(streams.err, "the number {why}")?;
            return Ok(Exit::Usage);
        }
    };
    let channels = &auth.channels;
    let Some(channel) = test.channel.or_else(|| channels.first().copied()) else {
        return Ok(Exit::Config);
    };
    let is_served = auth.countries.include(phone.calling_code());
    let Some(trial) = Trial::new(config, phone, channel, test.locale.as_ref())? else {
        writeln!(streams.err, "there is no text to send a code in")?;
        return Ok(Exit::Config);
    };
    let out = &mut *streams.out;
    let line = &config.live.sms.line;
    let (connect, whole) = (Span(line.connect_timeout), Span(line.timeout));
    writeln!(
        out,
        "providers  {}; {connect} to connect, {whole} in all",
        asked(&trial)
    )?;
    show(&trial.message, out)?;
    if !is_served {
        let note = "otp.countries has not that of this number: send-otp would refuse it";
        writeln!(out, "note       {note}")?;
    }
    if test.dry_run {
        return dry(&trial, out);
    }
    let mut steps = Vec::new();
    let sent = trial.send(&mut |attempt| steps.push(step(attempt)))?;
    for step in steps {
        write!(out, "{step}")?;
    }
    Ok(match sent {
        Ok(accepted) => {
            writeln!(out, "sent       by {}", accepted.provider)?;
            Exit::Done
        }
        Err(error) => {
            writeln!(out, "not sent   {error}")?;
            exit(error.class)
        }
    })
}

/// Who is asked, and why they.
fn asked(trial: &Trial) -> String {
    let to = &trial.message.to;
    let names = trial.sms.providers(to).map(|it| it.name().to_string());
    let names = names.collect::<Vec<_>>().join(", then ");
    match trial.sms.routing().route(to) {
        Some(route) => format!("{names} (the route {})", route.prefix),
        None => names,
    }
}

/// What would be asked of whom.
fn dry(trial: &Trial, out: &mut dyn Write) -> Result<Exit, Error> {
    let Message { to, channel, .. } = &trial.message;
    let ways = trial.sms.ways(to, *channel);
    for provider in trial.sms.providers(to) {
        let mut targets = ways.iter().filter(|way| way.provider == provider.name());
        let targets: Vec<_> = targets
            .by_ref()
            .map(|way| provider.target(way.channel))
            .collect();
        let targets = match targets.as_slice() {
            [] => "does not carry this".to_owned(),
            targets => targets.join(", then "),
        };
        writeln!(out, "{:<10} {targets}", provider.name())?;
    }
    writeln!(out, "not sent   this was a dry run")?;
    Ok(Exit::Done)
}

/// The message, and what a network makes of it.
fn show(message: &Message, out: &mut dyn Write) -> io::Result<()> {
    let Message {
        to,
        channel,
        locale,
        text,
        ..
    } = message;
    let (to, channel) = (to.masked(), channel.as_str());
    writeln!(out, "message    {channel} to {to} in {locale}")?;
    for line in text.lines() {
        writeln!(out, "           | {line}")?;
    }
    if message.channel == Channel::Sms {
        let length = Length::of(text);
        let (alphabet, room) = (length.alphabet.as_str(), length.alphabet.alone());
        let pieces = match length.segments {
            1 => "1 message".to_owned(),
            many => format!("paid for as {many} messages"),
        };
        let units = length.units;
        writeln!(
            out,
            "length     {units} of {room} characters ({alphabet}), {pieces}"
        )?;
    }
    Ok(())
}

/// Whom was asked for what, what came of it, and how long that took.
fn step(attempt: &Attempt<'_>) -> String {
    let provider = attempt.provider;
    let took = attempt.took.as_millis();
    let mut text = format!(
        "{:<10} {}\n",
        provider.name(),
        provider.target(attempt.channel)
    );
    // Writing to a string cannot fail.
    let _written = match attempt.result {
        Ok(accepted) => {
            let status = accepted
                .status
                .map(|status| format!("status {}", status.as_u16()));
            let reference = accepted
                .reference
                .as_ref()
                .map(|it| format!("its name for it is {it}"));
            let said: Vec<_> = [Some(format!("taken after {took} ms")), status, reference]
                .into_iter()
                .flatten()
                .collect();
            writeln!(text, "           {}", said.join(", "))
        }
        Err(error) => {
            let class = error.class.as_str();
            writeln!(text, "           {class} after {took} ms: {}", error.cause)
        }
    };
    text
}

const fn exit(class: Class) -> Exit {
    match class {
        Class::Throttled { .. } | Class::Down => Exit::Later,
        Class::Misconfigured => Exit::Config,
        Class::InvalidNumber | Class::Blocked | Class::Unknown => Exit::Failed,
    }
}

impl From<String> for Number {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(…)")
    }
}
