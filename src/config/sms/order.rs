//! `providers`, `fallback` and `[[sms.routes]]`: who is asked for which number, in which order; knows nothing of how they are set up.

use crate::{
    config::{
        document::Section,
        item::Item,
        problem::Reported,
        value::{OneOrMany, Value},
    },
    sms::{
        Channel, Name, ProviderSpec,
        route::{Prefix, Route, Routing, ways},
    },
};

/// The names of providers, each at most once, never empty.
struct Names(Vec<Name>);

/// Channels, each at most once.
struct Channels(Vec<Channel>);

/// Every order.
pub fn routing(section: &Section<'_>) -> Result<Routing, Reported> {
    let providers: Result<Names, _> = section.read("providers", r#"["console"]"#);
    let fallback: Result<Channels, _> = section.read("fallback", "[]");
    let tables = section.sections("routes");
    let read: Vec<_> = tables.iter().map(order).collect();
    let read: Vec<_> = read.into_iter().collect::<Result<_, _>>()?;
    let mut routes: Vec<Route> = Vec::new();
    let mut verdict = Ok(());
    for (table, (prefixes, providers)) in tables.iter().zip(read) {
        for prefix in prefixes {
            // Of two orders for the same numbers one would never be used.
            if routes.iter().any(|earlier| earlier.prefix == prefix) {
                let what = format!("{prefix} has an order already");
                let help = "a longer prefix is for a part of its numbers".to_owned();
                verdict = Err(table.refuse("prefix", what, Some(help)));
            }
            routes.push(Route {
                prefix,
                providers: providers.clone(),
            });
        }
    }
    let (Names(providers), Channels(fallback)) = (providers?, fallback?);
    verdict.map(|()| Routing {
        providers,
        routes,
        fallback,
    })
}

/// One table: an order, and the numbers it is for.
fn order(table: &Section<'_>) -> Result<(Vec<Prefix>, Vec<Name>), Reported> {
    let prefixes = table.require("prefix", r#"["+33", "+1415"]"#);
    let providers = table.require("providers", r#"["console"]"#);
    let (OneOrMany(prefixes), Names(providers)) = (prefixes?, providers?);
    Ok((prefixes, providers))
}

/// A channel that nobody carries would be a promise that is broken at every request.
pub fn all_carried(
    section: &Section<'_>,
    providers: &[ProviderSpec],
    routing: &Routing,
    channels: &[Channel],
) -> Result<(), Reported> {
    let carries = |name: Name, channel: Channel| {
        let mut named = providers.iter().filter(|it| it.name() == name);
        named.any(|it| it.carries(channel))
    };
    let mut verdict = Ok(());
    for (route, names) in routing.orders() {
        let whose = route.map_or_else(String::new, |route| format!(" to {}", route.prefix));
        for channel in channels {
            if !ways(names, *channel, &routing.fallback, carries).is_empty() {
                continue;
            }
            let what = format!("no provider carries {:?}{whose}", channel.as_str());
            verdict = Err(section.refuse("channels", what, Some(help(*channel))));
        }
    }
    for channel in &routing.fallback {
        let mut orders = routing.orders();
        if !orders.any(|(_, names)| names.iter().any(|it| carries(*it, *channel))) {
            let what = format!("no provider carries {:?}", channel.as_str());
            verdict = Err(section.refuse("fallback", what, Some(help(*channel))));
        }
    }
    verdict
}

fn help(channel: Channel) -> String {
    let key = match channel {
        Channel::Sms => "`from` in `[sms.twilio]`",
        Channel::WhatsApp => "`whatsapp_from` in `[sms.twilio]`",
        Channel::Voice => "`voice_from` in `[sms.twilio]`",
    };
    format!("{key} says from where, or `providers` names one that does")
}

impl Value for Names {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let OneOrMany(names) = OneOrMany::<Name>::read(item)?;
        if has_twice(&names) {
            return Err(item.refuse("names the same provider twice", None));
        }
        Ok(Self(names))
    }
}

impl Value for Channels {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let channels = Vec::read(item)?;
        if has_twice(&channels) {
            return Err(item.refuse("names the same channel twice", None));
        }
        Ok(Self(channels))
    }
}

impl Value for Prefix {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("how numbers begin, such as \"+33\"")?;
        text.parse().map_err(|why| item.refuse(why, None))
    }
}

fn has_twice<T: PartialEq>(list: &[T]) -> bool {
    let again = |(at, it): (usize, &T)| list.iter().take(at).any(|earlier| earlier == it);
    list.iter().enumerate().any(again)
}
