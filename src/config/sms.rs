//! `[sms]`: who carries messages, in which order, and how they are reached. What messages say is read in `wording`.

mod order;
mod receipts;
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
        self, Channel, Name, ProviderSpec,
        breaker::Policy,
        http::{Authorities, Line},
        route::Routing,
    },
};

pub use self::receipts::{advice, home};

const SECOND: Duration = Duration::from_secs(1);

/// No receipt can be waited for less: each second less makes messages that arrive twice more likely.
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// What `[sms]` says of those who carry messages.
#[derive(Debug, Clone)]
pub struct Sms {
    /// Who they are.
    pub spec: sms::Spec,
    /// What clients may ask for; never empty, the first is for those who ask for nothing.
    pub channels: Vec<Channel>,
}

/// How long it is waited for a word of what became of a message, if it is.
struct Silence(Option<Duration>);

/// Whether a provider is to be used: of one that is not, nothing has to be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// `[sms]`, as far as it is about who carries messages. `home` is where Twilio finds us, if it does.
pub fn sms(section: &Section<'_>, home: Option<&str>) -> Result<Sms, Reported> {
    let routing = order::routing(section);
    let channels: Result<OneOrMany<Channel>, _> = section.read("channels", r#"["sms"]"#);
    let connect_timeout =
        section.read_within("connect_timeout", r#""3s""#, SECOND / 100..=SECOND * 60);
    let timeout = section.read_within("timeout", r#""10s""#, SECOND / 100..=SECOND * 60);
    let authorities: Result<Option<Authorities>, _> = section.read("ca", r#""""#);
    let max_in_flight = section.read_within("max_in_flight", "32", 1..=1000);
    let breaker = breaker(section);
    let silence: Result<Silence, _> = section.read("fallback_after", r#""off""#);
    let wanted = |name| match &routing {
        Ok(routing) if is_asked(routing, name) => Wanted::Yes,
        Ok(_) | Err(Reported) => Wanted::No,
    };
    let twilio = twilio::twilio(&section.section("twilio"), wanted(Name::Twilio), home);
    let sns = sns::sns(&section.section("sns"), wanted(Name::Sns));
    let webhook = webhook::webhook(&section.section("webhook"), wanted(Name::Webhook));

    let (routing, OneOrMany(channels)) = (routing?, channels?);
    let (twilio, sns, webhook) = (twilio?, sns?, webhook?);
    let mut providers: Vec<ProviderSpec> = Vec::new();
    for name in routing.orders().flat_map(|(_, names)| names) {
        let spec = match name {
            Name::Console => Some(ProviderSpec::Console),
            Name::Twilio => twilio.clone().map(ProviderSpec::Twilio),
            Name::Sns => sns.clone().map(ProviderSpec::Sns),
            Name::Webhook => webhook.clone().map(ProviderSpec::Webhook),
        };
        let is_new = |spec: &ProviderSpec| providers.iter().all(|it| it.name() != spec.name());
        providers.extend(spec.filter(is_new));
    }
    let Silence(silence) = silence?;
    order::all_carried(section, &providers, &routing, &channels)?;
    Ok(Sms {
        spec: sms::Spec {
            providers,
            routing,
            breaker: breaker?,
            silence,
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

/// When a provider is left alone for a while.
fn breaker(section: &Section<'_>) -> Result<Policy, Reported> {
    let failures = section.read_within("breaker_failures", "5", 1..=1000);
    let pause = section.read_within("breaker_pause", r#""30s""#, SECOND / 100..=SECOND * 600);
    Ok(Policy {
        failures: failures?,
        pause: pause?,
    })
}

fn is_asked(routing: &Routing, name: Name) -> bool {
    let mut asked = routing.orders().flat_map(|(_, names)| names);
    asked.any(|it| *it == name)
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

impl Value for Silence {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str = "\"off\", or a span of time such as \"45s\"";
        let text = item.text(EXPECTED)?;
        if text == "off" {
            return Ok(Self(None));
        }
        match <Duration as Text>::parse(text) {
            Some(span) if span >= SHORTEST_SILENCE => Ok(Self(Some(span))),
            Some(_) => Err(item.refuse("nobody hears of a message within \"5s\"", None)),
            None => Err(item.refuse(format!("expected {EXPECTED}, found {text:?}"), None)),
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
