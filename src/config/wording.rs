//! `[sms]`, as far as it is about what messages say: texts, languages, the line for machines; and what a message costs.

use crate::{
    auth,
    config::{
        document::Section,
        item::Item,
        problem::{Advice, Problem, Reported},
        url::Origin,
        value::{Text, Value},
    },
    domain::otp::Code,
    sms::{
        Channel,
        wording::{
            AppHash, Chosen, Host, InvalidTemplate, LastLine, Length, Locale, Own, Template,
            Wording,
        },
    },
};

/// Who browsers may fill the code in for.
enum WebOtp {
    Off,
    /// Whoever we are to browsers.
    On,
    Host(Host),
}

/// Reads what messages say. `public_url` is where browsers find us.
pub fn wording(section: &Section<'_>, public_url: Option<&Origin>) -> Result<Wording, Reported> {
    let own = section.read("templates", "{}");
    let default = section.read("default_locale", r#""en""#);
    let sender: Result<Sender, _> = section.read("sender", r#""otp-gateway""#);
    let web_otp = section.read("webotp", r#""off""#);
    let app: Result<Option<AppHash>, _> = section.read("app_hash", r#""""#);
    let host = match web_otp? {
        WebOtp::Off => None,
        WebOtp::Host(host) => Some(host),
        WebOtp::On => Some(own_host(section, public_url)?),
    };
    let (own, default, Sender(sender)) = (own?, default?, sender?);
    let last_line = LastLine { host, app: app? };
    let wording = Wording::new(own, default, sender, last_line);
    if wording.has_default() {
        return Ok(wording);
    }
    let help = "a text of that language in `templates`, or one for `\"*\"`, is missing".to_owned();
    let what = "there is no text in this language";
    Err(section.refuse("default_locale", what, Some(help)))
}

/// Browsers take the code for HTTPS at its usual port, so we must be there.
fn own_host(section: &Section<'_>, public_url: Option<&Origin>) -> Result<Host, Reported> {
    let help = "`webotp = \"HOST\"` names the site by itself".to_owned();
    let Some(url) = public_url else {
        let what = "there is no `public_url` whose host it could name";
        return Err(section.refuse("webotp", what, Some(help)));
    };
    if url.https_port() != Some(443) {
        let what = "browsers fill codes in at HTTPS and its usual port, where `public_url` is not";
        return Err(section.refuse("webotp", what, Some(help)));
    }
    let host = url.host().parse();
    host.map_err(|why| section.refuse("webotp", why, Some(help)))
}

/// What is to be said of texts that are paid for more than once each time.
pub fn advice(section: &Section<'_>, spec: &auth::Spec) -> Vec<Advice> {
    let dear: Vec<_> = spec
        .wording
        .texts()
        .filter_map(|text| Some((text, longest(spec, text)?)))
        .filter(|(_, length)| length.segments > 1)
        .collect();
    let own = section.section("templates");
    let (written, ours): (Vec<_>, Vec<_>) = dear
        .into_iter()
        .partition(|(text, _)| own.says(text.locale.as_str()) || own.says("*"));
    let mut problems: Vec<Problem> = written
        .iter()
        .map(|(text, length)| {
            let tag = text.locale.as_str();
            let key = if own.says(tag) { tag } else { "*" };
            own.problem(key, dearness(*length), None)
        })
        .collect();
    if !ours.is_empty() {
        let tags: Vec<_> = ours.iter().map(|(text, _)| text.locale.as_str()).collect();
        let what = format!(
            "our texts in {} are sent in several messages each",
            tags.join(", ")
        );
        let help = "a shorter `sender`, or none of `webotp` and `app_hash`, makes them cheaper";
        problems.push(section.problem("sender", what, Some(help.to_owned())));
    }
    problems.into_iter().map(Advice).collect()
}

/// What a text takes with the longest code and its longest life.
fn longest(spec: &auth::Spec, text: Chosen<'_>) -> Option<Length> {
    let digits = "0".repeat(usize::from(spec.otp.length.digits()));
    let code = Code::parse(&digits, spec.otp.length).ok()?;
    let written = spec.wording.write(text, Channel::Sms, &code, spec.otp.ttl);
    Some(Length::of(&written))
}

fn dearness(length: Length) -> String {
    let Length {
        alphabet,
        units,
        segments,
        because_of,
    } = length;
    let why = because_of.map_or_else(String::new, |c| {
        format!(", {} because of {c:?}", alphabet.as_str())
    });
    let room = alphabet.alone();
    format!("is sent, and paid for, as {segments} messages: {units} characters of {room}{why}")
}

/// The name that stands in messages.
struct Sender(String);

impl Text for Sender {
    const EXPECTED: &'static str = "a name of 1 to 50 characters";

    fn parse(text: &str) -> Option<Self> {
        let fits = (1..=50).contains(&text.chars().count()) && !text.contains(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }
}

impl Value for Own {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let mut own = Self::default();
        let mut verdict = Ok(());
        for (tag, text) in item.entries().ok_or_else(|| item.expected("a table"))? {
            match (tag, tag.parse::<Locale>(), Template::read(&text)) {
                ("*", _, Ok(template)) => own.others = Some(template),
                (_, Ok(locale), Ok(template)) if locale.as_str() == tag => {
                    own.by_locale.insert(locale, template);
                }
                (_, Ok(locale), Ok(_)) => {
                    let help = Some(format!("write `{locale}`"));
                    verdict = Err(text.refuse("names a language in an unusual way", help));
                }
                (_, Err(why), Ok(_)) => verdict = Err(text.refuse(why, None)),
                (_, _, Err(reported)) => verdict = Err(reported),
            }
        }
        verdict.map(|()| own)
    }
}

impl Value for Template {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("the text of a message")?;
        Self::parse(text).map_err(|why: InvalidTemplate| item.refuse(why, None))
    }
}

impl Value for Locale {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a language such as \"de\" or \"pt-BR\"")?;
        text.parse().map_err(|why| item.refuse(why, None))
    }
}

impl Value for AppHash {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("the hash of an app")?;
        text.parse().map_err(|why| item.refuse(why, None))
    }
}

impl Value for WebOtp {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        match item.text("\"off\", \"on\", or a host")? {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            host => {
                let host = host.parse().map(Self::Host);
                host.map_err(|why| item.refuse(format!("\"off\", \"on\", or a host: {why}"), None))
            }
        }
    }
}
