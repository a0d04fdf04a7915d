//! Types that can be read from one value of a file; knows no key and no section.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::{HeaderName, Method};
use ipnet::IpNet;
use serde_json::Map;
use toml::de::DeValue;

use crate::{
    config::{
        item::Item,
        problem::Reported,
        units::{self, Size, Span},
    },
    domain::quota::Limit,
    net::proxy_protocol::Preamble,
};

/// A type that can be read from one value.
pub trait Value: Sized {
    /// Reads `item`, or writes down everything that is wrong with it.
    fn read(item: &Item<'_>) -> Result<Self, Reported>;
}

/// A type that is written as one string.
pub trait Text: Sized {
    /// What is expected, with an example.
    const EXPECTED: &'static str;

    /// Reads the string.
    fn parse(text: &str) -> Option<Self>;
}

/// A type that may be limited to a range.
pub trait Bounded: Value + PartialOrd {
    /// As it would be written in a file.
    fn shown(&self) -> String;
}

/// A table whose keys are free, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T>(pub Vec<(String, T)>);

/// Addresses to listen on; the only one may stand alone, and there may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(pub Vec<Address>);

/// One of them, and whether connections there begin with who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr, pub Preamble);

/// A list of which the only element may stand alone; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Text> Value for T {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text(T::EXPECTED)?;
        T::parse(text)
            .ok_or_else(|| item.refuse(format!("expected {}, found {text:?}", T::EXPECTED), None))
    }
}

/// An empty string stands for nothing.
impl<T: Value> Value for Option<T> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        match item.value().as_str() {
            Some("") => Ok(None),
            Some(_) | None => T::read(item).map(Some),
        }
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let elements = item.elements().ok_or_else(|| item.expected("a list"))?;
        // Each is read before the first failure ends it, so that all of them are reported.
        let read: Vec<_> = elements.map(|element| T::read(&element)).collect();
        read.into_iter().collect()
    }
}

impl<T: Value> Value for OneOrMany<T> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let many = match item.value() {
            DeValue::Array(_) => Vec::read(item)?,
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => vec![T::read(item)?],
        };
        if many.is_empty() {
            return Err(item.refuse("must not be empty", None));
        }
        Ok(Self(many))
    }
}

impl Value for Addresses {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let is_empty = item
            .value()
            .as_array()
            .is_some_and(|array| array.is_empty());
        if is_empty {
            return Ok(Self(Vec::new()));
        }
        OneOrMany::read(item).map(|OneOrMany(addresses)| Self(addresses))
    }
}

impl<T: Value> Value for Entries<T> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let entries = item.entries().ok_or_else(|| item.expected("a table"))?;
        let read: Vec<_> = entries
            .map(|(key, value)| T::read(&value).map(|value| (key.to_owned(), value)))
            .collect();
        read.into_iter().collect::<Result<_, _>>().map(Self)
    }
}

impl Value for bool {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let value = item.value().as_bool();
        value.ok_or_else(|| item.expected("true or false"))
    }
}

impl Value for u64 {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        whole(item)
    }
}

impl Value for u32 {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        whole(item)
    }
}

impl Value for u8 {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        whole(item)
    }
}

impl Value for usize {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        whole(item)
    }
}

impl Bounded for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Bounded for u8 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Bounded for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Bounded for Size {
    fn shown(&self) -> String {
        format!("{:?}", self.to_string())
    }
}

impl Bounded for Duration {
    fn shown(&self) -> String {
        format!("{:?}", Span(*self).to_string())
    }
}

impl Text for String {
    const EXPECTED: &'static str = "a string";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Text for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
}

impl Text for Duration {
    const EXPECTED: &'static str = "a span of time such as \"30s\" or \"1h30m\"";

    fn parse(text: &str) -> Option<Self> {
        units::duration(text)
    }
}

impl Text for Size {
    const EXPECTED: &'static str = "a size such as \"16kb\" or \"10mb\"";

    fn parse(text: &str) -> Option<Self> {
        units::size(text)
    }
}

impl Text for Limit {
    const EXPECTED: &'static str =
        "a limit such as \"3/30m per phone\" (or per ip, per country, per all)";

    fn parse(text: &str) -> Option<Self> {
        units::limit(text)
    }
}

/// The address alone, or followed by what connections begin with.
impl Value for Address {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let expected = "an address with a port such as \"127.0.0.1:8080\"";
        let text = item.text(expected)?;
        let (address, preamble) = match text.split_once(' ') {
            None => (text, Preamble::None),
            Some((address, "proxy_protocol")) => (address, Preamble::ProxyProtocol),
            Some((address, _)) => {
                let help =
                    format!("or \"{address} proxy_protocol\", behind a proxy that speaks it");
                let what = format!("expected {expected}, found {text:?}");
                return Err(item.refuse(what, Some(help)));
            }
        };
        let wrong = |_| item.refuse(format!("expected {expected}, found {text:?}"), None);
        Ok(Self(address.parse().map_err(wrong)?, preamble))
    }
}

impl Text for IpNet {
    const EXPECTED: &'static str = "an address or a network such as \"10.0.0.0/8\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse()
            .or_else(|_| text.parse().map(|ip: std::net::IpAddr| Self::from(ip)))
            .ok()
    }
}

/// Methods are case-sensitive (RFC 9110 §9.1): a lower-case one would match no request.
impl Text for Method {
    const EXPECTED: &'static str = "a method in capital letters such as \"GET\"";

    fn parse(text: &str) -> Option<Self> {
        let capital = !text.bytes().any(|b| b.is_ascii_lowercase());
        capital.then(|| text.parse().ok()).flatten()
    }
}

impl Text for HeaderName {
    const EXPECTED: &'static str = "the name of a header such as \"X-Auth-Subject\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for serde_json::Value {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        match item.value() {
            DeValue::String(text) => Ok(Self::from(&**text)),
            DeValue::Boolean(truth) => Ok(Self::from(*truth)),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Self::from)
                .map_err(|_| item.refuse("the integer is too large", None)),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Self::from)
                .ok_or_else(|| item.refuse("JSON has no such number", None)),
            DeValue::Datetime(date) => Ok(Self::from(date.to_string())),
            DeValue::Array(_) => Vec::read(item).map(Self::Array),
            DeValue::Table(_) => Map::read(item).map(Self::Object),
        }
    }
}

impl Value for Map<String, serde_json::Value> {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        Entries::read(item).map(|entries| entries.0.into_iter().collect())
    }
}

/// An integer without a sign, as large as `T` can hold.
fn whole<T: TryFrom<u64>>(item: &Item<'_>) -> Result<T, Reported> {
    let DeValue::Integer(number) = item.value() else {
        return Err(item.expected("a whole number"));
    };
    u64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| item.refuse(format!("{number} is out of range"), None))
}
