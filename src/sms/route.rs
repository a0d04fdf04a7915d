//! Who is asked to carry a message, in which order, by the number it goes to and the way that was wished for; knows providers by name alone.

use std::{fmt, str::FromStr};

use super::{Channel, Name};
use crate::domain::phone::Phone;

/// The orders in which providers are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// For numbers without a route of their own; never empty.
    pub providers: Vec<Name>,
    /// For the others. No two have the same prefix.
    pub routes: Vec<Route>,
    /// The channels that are tried when nobody takes a message for the one that was wished for.
    pub fallback: Vec<Channel>,
}

/// The order for numbers that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// How they begin.
    pub prefix: Prefix,
    /// Who is asked; never empty.
    pub providers: Vec<Name>,
}

/// How numbers begin in E.164: `+33`, or `+1415` for a part of a country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// The text is not how numbers begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be + and 1 to 15 digits, not beginning with 0")]
pub struct InvalidPrefix;

/// One way on which a message can be sent: by whom, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Who is asked.
    pub provider: Name,
    /// What is asked for.
    pub channel: Channel,
}

impl Routing {
    /// One order for all numbers, and no other channel than the one that was wished for.
    pub const fn to(providers: Vec<Name>) -> Self {
        Self {
            providers,
            routes: Vec::new(),
            fallback: Vec::new(),
        }
    }

    /// The route for `phone`: of those that match, the one with the longest prefix.
    pub fn route(&self, phone: &Phone) -> Option<&Route> {
        let matching = self.routes.iter().filter(|it| it.prefix.matches(phone));
        matching.max_by_key(|it| it.prefix.as_str().len())
    }

    /// Who is asked for `phone`, in that order.
    pub fn providers(&self, phone: &Phone) -> &[Name] {
        let route = self.route(phone);
        route.map_or(&self.providers, |route| &route.providers)
    }

    /// Every way to `phone`, in the order of trying: all who carry `channel`, then all who carry
    /// the first of the other channels, and so on.
    pub fn ways(
        &self,
        phone: &Phone,
        channel: Channel,
        carries: impl Fn(Name, Channel) -> bool,
    ) -> Vec<Way> {
        ways(self.providers(phone), channel, &self.fallback, carries)
    }

    /// The orders, each with the route it is for; `None` is all other numbers.
    pub fn orders(&self) -> impl Iterator<Item = (Option<&Route>, &[Name])> {
        let routes = self.routes.iter();
        let routes = routes.map(|route| (Some(route), &*route.providers));
        std::iter::once((None, &*self.providers)).chain(routes)
    }
}

/// Every way by which `providers` can be asked, in the order of trying.
pub fn ways(
    providers: &[Name],
    channel: Channel,
    fallback: &[Channel],
    carries: impl Fn(Name, Channel) -> bool,
) -> Vec<Way> {
    let others = fallback.iter().copied().filter(|other| *other != channel);
    let mut ways = Vec::new();
    for channel in std::iter::once(channel).chain(others) {
        let able = providers.iter().filter(|it| carries(**it, channel));
        ways.extend(able.map(|&provider| Way { provider, channel }));
    }
    ways
}

impl Prefix {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, phone: &Phone) -> bool {
        phone.as_e164().starts_with(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let digits = text.strip_prefix('+').ok_or(InvalidPrefix)?;
        let formed = (1..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
        formed.then(|| Self(text.to_owned())).ok_or(InvalidPrefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::subsequence};

    const ALL: [Name; 4] = [Name::Twilio, Name::Sns, Name::Webhook, Name::Console];
    const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::WhatsApp, Channel::Voice];

    fn phone(text: &str) -> Phone {
        Phone::parse(text, "+1".parse().unwrap()).unwrap()
    }

    fn route(prefix: &str, provider: Name) -> Route {
        Route {
            prefix: prefix.parse().unwrap(),
            providers: vec![provider],
        }
    }

    #[test]
    fn the_longest_prefix_wins_wherever_it_stands() {
        let mut routing = Routing::to(vec![Name::Console]);
        routing.routes = vec![
            route("+1", Name::Sns),
            route("+1415", Name::Twilio),
            route("+14", Name::Webhook),
        ];
        for _ in 0..3 {
            routing.routes.rotate_left(1);
            for (number, provider) in [
                ("+14155550100", Name::Twilio),
                ("+14085550100", Name::Webhook),
                ("+16502530000", Name::Sns),
                ("+442070313000", Name::Console),
            ] {
                assert_eq!(routing.providers(&phone(number)), [provider], "{number}");
            }
        }
    }

    #[test]
    fn the_channel_that_was_wished_for_comes_first_with_everybody_who_carries_it() {
        let mut routing = Routing::to(vec![Name::Sns, Name::Twilio]);
        routing.fallback = vec![Channel::Voice, Channel::Sms];
        let ways = routing.ways(&phone("+16502530000"), Channel::Sms, |name, channel| {
            name == Name::Twilio || channel == Channel::Sms
        });
        let ways: Vec<_> = ways.iter().map(|way| (way.provider, way.channel)).collect();
        assert_eq!(
            ways,
            [
                (Name::Sns, Channel::Sms),
                (Name::Twilio, Channel::Sms),
                (Name::Twilio, Channel::Voice)
            ]
        );
    }

    #[test]
    fn a_prefix_is_how_a_number_begins() {
        for text in ["+1", "+33", "+14155550100"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "+",
            "33",
            "+0",
            "+3 3",
            "+3a",
            "+1234567890123456",
            "++1",
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(InvalidPrefix), "{text}");
        }
    }

    proptest! {
        /// Nobody is asked twice for the same, nobody for what they do not carry, and nobody who
        /// could be asked is left out.
        #[test]
        fn every_way_stands_there_once_and_can_be_gone(
            providers in subsequence(ALL.to_vec(), 0..=4),
            fallback in subsequence(CHANNELS.to_vec(), 0..=3),
            wished in 0_usize..3,
            able in prop::collection::vec(any::<bool>(), 12),
        ) {
            let at = |name: Name, channel: Channel| {
                let name = ALL.iter().position(|it| *it == name).unwrap();
                let channel = CHANNELS.iter().position(|it| *it == channel).unwrap();
                3 * name + channel
            };
            let carries = |name, channel| able[at(name, channel)];
            let ways = ways(&providers, CHANNELS[wished], &fallback, carries);
            for (index, way) in ways.iter().enumerate() {
                prop_assert!(carries(way.provider, way.channel));
                prop_assert!(!ways[..index].contains(way));
            }
            for channel in CHANNELS {
                let is_tried = channel == CHANNELS[wished] || fallback.contains(&channel);
                for provider in providers.iter().copied() {
                    let expected = is_tried && carries(provider, channel);
                    prop_assert_eq!(ways.contains(&Way { provider, channel }), expected);
                }
            }
            let first_other = ways.iter().position(|way| way.channel != CHANNELS[wished]);
            let last_own = ways.iter().rposition(|way| way.channel == CHANNELS[wished]);
            if let (Some(other), Some(own)) = (first_other, last_own) {
                prop_assert!(own < other);
            }
        }
    }
}
