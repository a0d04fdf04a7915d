//! `[[routes]]`: the ways to the apps and whom they let through.

use std::{sync::Arc, time::Duration};

use http::Method;

use crate::{
    config::{
        cors::route_cors,
        document::Section,
        headers::{self, Careful},
        item::Item,
        path::{BasePath, RequestPath},
        problem::Reported,
        server::Lifetime,
        units::Size,
        value::{Entries, OneOrMany, Text, Value},
    },
    domain::{
        rate::{Rate, Whose},
        route::{Access, Conflict, Demands, Directory, Headers, HostPattern, PathPattern, Route},
        target::{Escape, Escapes, canonical_host},
    },
};

const DAY: Duration = Duration::from_hours(24);

/// What holds where a route says nothing else.
#[derive(Debug, Clone, Default)]
pub struct General {
    /// What browsers are told.
    pub headers: Careful,
    /// How long a request may take.
    pub request_timeout: Option<Duration>,
}

/// Every route. `upstreams` are the names there are; nothing at or below `own` may be routed.
pub fn routes(
    root: &Section<'_>,
    upstreams: &[&str],
    own: &[&BasePath],
    general: &General,
) -> Result<Directory, Reported> {
    let sections = root.sections("routes");
    let read: Vec<_> = sections
        .iter()
        .enumerate()
        .map(|(index, section)| {
            let route = route(index, section, upstreams, general)?;
            keep_off(section, &route, own)?;
            Ok((section, route))
        })
        .collect();
    let routes: Vec<_> = read.into_iter().collect::<Result<_, _>>()?;
    distinct(&routes)?;
    arrange(routes)
}

fn route(
    index: usize,
    section: &Section<'_>,
    upstreams: &[&str],
    general: &General,
) -> Result<Route, Reported> {
    let name: Result<Option<String>, _> = section.read("name", r#""""#);
    let host: Result<Option<HostPattern>, _> = section.read("host", r#""""#);
    let path = pattern(section);
    let methods: Result<Vec<Method>, _> = section.read("methods", "[]");
    let access = access(section);
    let upstream = upstream(section, upstreams);
    let limits = limits(section, &access);
    let cors = route_cors(section);
    let headers = headers::of_route(section, &general.headers);
    let allow_encoded = section.read("allow_encoded", "false");
    let forward_token = section.read("forward_token", "false");
    let max_body = section.read_within("max_body", r#""10mb""#, Size(0)..=Size(1 << 50));
    let response_timeout = section.read_within(
        "response_timeout",
        r#""30s""#,
        Duration::from_millis(10)..=DAY,
    );
    let request_timeout: Result<Option<Lifetime>, _> = section.read("request_timeout", r#""""#);

    let (host, path, methods) = (host?, path?, methods?);
    let own_name = || {
        let host = host.as_ref().map(ToString::to_string);
        host.unwrap_or_default() + path.as_str()
    };
    Ok(Route {
        index,
        name: Arc::from(name?.unwrap_or_else(own_name)),
        host,
        path,
        methods: (!methods.is_empty()).then_some(methods),
        access: access?,
        limits: limits?,
        cors: cors?,
        headers: Headers::from(&headers?),
        upstream: upstream?,
        allow_encoded: allow_encoded?,
        forward_token: forward_token?,
        max_body: max_body?.0,
        response_timeout: response_timeout?,
        request_timeout: request_timeout?.map_or(general.request_timeout, |Lifetime(own)| own),
    })
}

fn pattern(section: &Section<'_>) -> Result<PathPattern, Reported> {
    let path: Result<RequestPath, _> = section.read("path", r#""/""#);
    let matches = section.read("match", r#""prefix""#);
    let RequestPath(path) = path?;
    match (matches?, path.strip_suffix('/')) {
        (Match::Exact, _) => Ok(PathPattern::Exact(path)),
        (Match::Prefix, None) => Ok(PathPattern::Prefix(path)),
        (Match::Prefix, Some("")) => Ok(PathPattern::Prefix(String::new())),
        (Match::Prefix, Some(bare)) => {
            let what = "a prefix has no slash at its end";
            let help = format!("\"{bare}\" holds itself and everything below it");
            Err(section.refuse("path", what, Some(help)))
        }
    }
}

fn access(section: &Section<'_>) -> Result<Access, Reported> {
    let auth = section.read("auth", r#""required""#);
    let scopes: Result<Vec<Scope>, _> = section.read("scopes", "[]");
    let claims: Result<Entries<OneOrMany<_>>, _> = section.read("claims", "{}");
    let max_auth_age: Result<Option<Duration>, _> = section.read("max_auth_age", r#""""#);
    let claims = claims?
        .0
        .into_iter()
        .map(|(name, OneOrMany(any))| (name, any));
    let demands = Demands {
        scopes: scopes?.into_iter().map(|Scope(scope)| scope).collect(),
        claims: claims.collect(),
        max_auth_age: max_auth_age?,
    };
    if demands.max_auth_age == Some(Duration::ZERO) {
        let what = "no login is that recent";
        return Err(section.refuse("max_auth_age", what, None));
    }
    match auth? {
        Auth::Required => Ok(Access::Required(demands)),
        Auth::Optional => Ok(Access::Optional(demands)),
        Auth::None if demands == Demands::default() => Ok(Access::None),
        Auth::None => {
            let what = "looks at no token, so `scopes`, `claims` and `max_auth_age` mean nothing";
            Err(section.refuse("auth", what, None))
        }
    }
}

/// `limits`. Of those that nobody identifies, nobody can be counted by who they are.
fn limits(section: &Section<'_>, access: &Result<Access, Reported>) -> Result<Vec<Rate>, Reported> {
    let limits: Vec<Rate> = section.read("limits", "[]")?;
    let by_caller = |rate: &Rate| matches!(rate.whose, Whose::Subject | Whose::Session);
    match access {
        Ok(Access::None) if limits.iter().any(by_caller) => {
            let what = "`auth = \"none\"` identifies nobody whom a limit could count";
            let help = "limit requests per ip, or per all".to_owned();
            Err(section.refuse("limits", what, Some(help)))
        }
        Ok(Access::None | Access::Optional(_) | Access::Required(_)) | Err(Reported) => Ok(limits),
    }
}

/// The upstream's place in the list. A route that names none means the only one there is.
fn upstream(section: &Section<'_>, upstreams: &[&str]) -> Result<usize, Reported> {
    let name: Option<String> = section.read("upstream", r#""""#)?;
    let known = upstreams.join(", ");
    match (name, upstreams) {
        (None, [_]) => Ok(0),
        (None, []) => Err(section.refuse("upstream", "there is no `[upstreams.NAME]`", None)),
        (None, _) => {
            let help = format!("there are {known}");
            Err(section.refuse("upstream", "must say which upstream is meant", Some(help)))
        }
        (Some(name), _) => upstreams
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| {
                let nearest = upstreams
                    .iter()
                    .min_by_key(|known| strsim::damerau_levenshtein(known, &name));
                let help = nearest.map(|nearest| format!("did you mean \"{nearest}\"?"));
                section.refuse(
                    "upstream",
                    format!("there is no `[upstreams.{name}]`"),
                    help,
                )
            }),
    }
}

/// The gateway's own endpoints cannot be routed away.
fn keep_off(section: &Section<'_>, route: &Route, own: &[&BasePath]) -> Result<(), Reported> {
    match own.iter().find(|base| base.holds(route.path.as_str())) {
        Some(BasePath(base)) => {
            let what = format!("{base} belongs to the gateway itself");
            let help = "`auth.base` and `auth.aliases` can be moved".to_owned();
            Err(section.refuse("path", what, Some(help)))
        }
        None => Ok(()),
    }
}

/// Logs and metrics tell routes by their names.
fn distinct(routes: &[(&Section<'_>, Route)]) -> Result<(), Reported> {
    let mut verdict = Ok(());
    for (at, (section, route)) in routes.iter().enumerate() {
        if routes
            .iter()
            .take(at)
            .any(|(_, earlier)| earlier.name == route.name)
        {
            let what = format!("another route is called \"{}\" already", route.name);
            let help = "a route without a name is called by its host and path".to_owned();
            verdict = Err(section.refuse("name", what, Some(help)));
        }
    }
    verdict
}

/// Arranges the routes for look-up. A route that could never be met is reported and left out, so
/// that every one of them is found.
fn arrange(mut routes: Vec<(&Section<'_>, Route)>) -> Result<Directory, Reported> {
    let mut verdict = Ok(());
    loop {
        match Directory::new(routes.iter().map(|(_, route)| route.clone())) {
            Ok(directory) => return verdict.map(|()| directory),
            Err(Conflict { first, second }) => {
                routes.retain(|(section, route)| {
                    let never_met = route.name == second;
                    if never_met {
                        let what = format!("matches the same requests as the route \"{first}\"");
                        verdict = Err(section.refuse("path", what, None));
                    }
                    !never_met
                });
            }
        }
    }
}

enum Match {
    Prefix,
    Exact,
}

enum Auth {
    None,
    Optional,
    Required,
}

/// One scope (RFC 6749 §3.3).
struct Scope(String);

/// `true` is short for the one that apps usually want.
impl Value for Escapes {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        match (item.value().as_bool(), item.elements()) {
            (Some(true), _) => Ok(Self::default().with(Escape::Slash)),
            (Some(false), _) => Ok(Self::default()),
            (None, Some(_)) => Vec::<Escape>::read(item).map(Self::from_iter),
            (None, None) => {
                Err(item.expected("true, false or a list such as [\"slash\", \"backslash\"]"))
            }
        }
    }
}

impl Text for Escape {
    const EXPECTED: &'static str = "\"slash\", \"backslash\" or \"percent\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "slash" => Some(Self::Slash),
            "backslash" => Some(Self::Backslash),
            "percent" => Some(Self::Percent),
            _ => None,
        }
    }
}

impl Text for Match {
    const EXPECTED: &'static str = "\"prefix\" or \"exact\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "prefix" => Some(Self::Prefix),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }
}

impl Text for Auth {
    const EXPECTED: &'static str = "\"none\", \"optional\" or \"required\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

impl Text for Scope {
    const EXPECTED: &'static str = "one scope such as \"orders:read\"";

    fn parse(text: &str) -> Option<Self> {
        let token = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        let whole = !text.is_empty() && text.bytes().all(token);
        whole.then(|| Self(text.to_owned()))
    }
}

impl Value for HostPattern {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a host such as \"example.com\" or \"*.example.com\"")?;
        let (below, host) = match text.strip_prefix("*.") {
            Some(parent) => (Self::Below as fn(String) -> Self, parent),
            None => (Self::Exact as fn(String) -> Self, text),
        };
        match canonical_host(host) {
            Some(canonical) if canonical == host => Ok(below(host.to_owned())),
            Some(canonical) => {
                let what =
                    "no request could match: hosts are compared in lower case, without a port";
                let help = format!(
                    "write \"{}{canonical}\"",
                    text.strip_suffix(host).unwrap_or_default()
                );
                Err(item.refuse(what, Some(help)))
            }
            None => Err(item.refuse(
                "is no host such as \"example.com\" or \"*.example.com\"",
                None,
            )),
        }
    }
}
