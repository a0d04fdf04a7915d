//! `[sms]`: who carries messages, in which order, and how they are reached. What messages say is read in `wording`.

mod sns;
mod twilio;
mod webhook;

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    config::{
        document::Section,
        http_url::HttpUrl,
        item::Item,
        problem::{Problem, Reported},
        value::{OneOrMany, Text, Value},
    },
    sms::{
        self, Channel, ProviderSpec,
        http::{Authorities, Line},
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// What `[sms]` says of those who carry messages.
#[derive(Debug, Clone)]
pub struct Sms {
    /// Who they are.
    pub spec: sms::Spec,
    /// What clients may ask for; never empty, the first is for those who ask for nothing.
    pub channels: Vec<Channel>,
}

/// The names of providers, each at most once, never empty.
struct Names(Vec<Name>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Console,
    Twilio,
    Sns,
    Webhook,
}

/// Whether a provider is to be used: of one that is not, nothing has to be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// `[sms]`, as far as it is about who carries messages.
pub fn sms(section: &Section<'_>) -> Result<Sms, Reported> {
    let names: Result<Names, _> = section.read("providers", r#"["console"]"#);
    let channels: Result<OneOrMany<Channel>, _> = section.read("channels", r#"["sms"]"#);
    let connect_timeout =
        section.read_within("connect_timeout", r#""3s""#, SECOND / 100..=SECOND * 60);
    let timeout = section.read_within("timeout", r#""10s""#, SECOND / 100..=SECOND * 60);
    let authorities: Result<Option<Authorities>, _> = section.read("ca", r#""""#);
    let max_in_flight = section.read_within("max_in_flight", "32", 1..=1000);
    let wanted = |name| match &names {
        Ok(Names(names)) if names.contains(&name) => Wanted::Yes,
        Ok(_) | Err(Reported) => Wanted::No,
    };
    let twilio = twilio::twilio(&section.section("twilio"), wanted(Name::Twilio));
    let sns = sns::sns(&section.section("sns"), wanted(Name::Sns));
    let webhook = webhook::webhook(&section.section("webhook"), wanted(Name::Webhook));

    let (Names(names), OneOrMany(channels)) = (names?, channels?);
    let (twilio, sns, webhook) = (twilio?, sns?, webhook?);
    let providers: Vec<_> = names
        .into_iter()
        .filter_map(|name| match name {
            Name::Console => Some(ProviderSpec::Console),
            Name::Twilio => twilio.clone().map(ProviderSpec::Twilio),
            Name::Sns => sns.clone().map(ProviderSpec::Sns),
            Name::Webhook => webhook.clone().map(ProviderSpec::Webhook),
        })
        .collect();
    all_carried(section, &providers, &channels)?;
    Ok(Sms {
        spec: sms::Spec {
            providers,
            line: Line {
                connect_timeout: connect_timeout?,
                timeout: timeout?,
                authorities: authorities?,
            },
            max_in_flight: max_in_flight?,
        },
        channels,
    })
}

/// What is to be thought of before such providers are used in earnest.
pub fn findings(section: &Section<'_>, spec: &sms::Spec) -> Vec<Problem> {
    let in_the_clear = "codes travel in the clear, and so does what proves who we are";
    let mut found = Vec::new();
    for provider in &spec.providers {
        let (table, key, url) = match provider {
            ProviderSpec::Console => {
                let what = "codes are printed on the console, nobody receives them";
                let help = "\"twilio\", \"sns\" or \"webhook\" sends them".to_owned();
                found.push(section.problem("providers", what, Some(help)));
                continue;
            }
            ProviderSpec::Twilio(spec) => ("twilio", "base_url", &spec.base_url),
            ProviderSpec::Sns(spec) => ("sns", "base_url", &spec.base_url),
            ProviderSpec::Webhook(spec) => ("webhook", "url", &spec.origin),
        };
        if HttpUrl::parse(url).is_ok_and(|url| url.leaves_the_machine_in_the_clear()) {
            found.push(section.section(table).problem(key, in_the_clear, None));
        }
    }
    found
}

/// A channel that nobody carries would be a promise that is broken at every request.
fn all_carried(
    section: &Section<'_>,
    providers: &[ProviderSpec],
    channels: &[Channel],
) -> Result<(), Reported> {
    for channel in channels {
        if providers.iter().any(|provider| provider.carries(*channel)) {
            continue;
        }
        let name = channel.as_str();
        let help = match channel {
            Channel::Sms => "`from` in `[sms.twilio]`",
            Channel::WhatsApp => "`whatsapp_from` in `[sms.twilio]`",
            Channel::Voice => "`voice_from` in `[sms.twilio]`",
        };
        let what = format!("no provider carries {name:?}");
        let help = format!("{help} says from where, or `providers` names one that does");
        return Err(section.refuse("channels", what, Some(help)));
    }
    Ok(())
}

impl Value for Names {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let OneOrMany(names) = OneOrMany::<Name>::read(item)?;
        let is_new = |(at, name): (usize, &Name)| !names.iter().take(at).any(|n| n == name);
        if !names.iter().enumerate().all(is_new) {
            return Err(item.refuse("names the same provider twice", None));
        }
        Ok(Self(names))
    }
}

impl Text for Name {
    const EXPECTED: &'static str = "\"twilio\", \"sns\", \"webhook\" or \"console\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "console" => Some(Self::Console),
            "twilio" => Some(Self::Twilio),
            "sns" => Some(Self::Sns),
            "webhook" => Some(Self::Webhook),
            _ => None,
        }
    }
}

impl Text for Channel {
    const EXPECTED: &'static str = "\"sms\", \"whatsapp\" or \"voice\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for Authorities {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let path = PathBuf::read(item)?;
        let pem = fs::read(&path).map_err(|error| {
            item.refuse(format!("cannot read {}: {error}", path.display()), None)
        })?;
        let read = Self::from_pem(&pem);
        read.map_err(|error| item.refuse(format!("{} {error}", path.display()), None))
    }
}
