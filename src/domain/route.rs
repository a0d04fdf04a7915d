//! Routes: which one a request meets, and what it demands of the caller. One look-up, whatever their number.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::domain::{cors::Cors, rate::Rate, target::Escapes};

/// One way through the gateway: what it matches, whom it lets through, where it leads.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its place in the configuration, where its metrics are kept.
    pub index: usize,
    /// How logs, metrics and `explain` call it.
    pub name: Arc<str>,
    /// `None` matches every host.
    pub host: Option<HostPattern>,
    /// Canonical, as `CanonicalPath` makes it.
    pub path: PathPattern,
    /// `None` matches every method.
    pub methods: Option<Vec<Method>>,
    /// Whom it lets through.
    pub access: Access,
    /// How many requests may come along it.
    pub limits: Vec<Rate>,
    /// Whose pages may ask from another origin; `None` is nobody's.
    pub cors: Option<Arc<Cors>>,
    /// What browsers are told where the app does not say it itself.
    pub headers: Headers,
    /// The upstream's place in the list of upstreams.
    pub upstream: usize,
    /// The escapes that may stand in the path although not all servers read them alike.
    pub allow_encoded: Escapes,
    /// Whether the app gets to see the caller's token.
    pub forward_token: bool,
    /// Bytes that a request body may have.
    pub max_body: u64,
    /// How long the app may take until its answer begins.
    pub response_timeout: Duration,
    /// How long a request may take from the end of its head to the end of its answer, if that has a limit.
    pub request_timeout: Option<Duration>,
}

/// Headers of an answer.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

/// Hosts a route answers for, in the spelling of `canonical_host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// Every host below this one: `*.example.com` is kept as `example.com`.
    Below(String),
}

/// Paths a route answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This path.
    Exact(String),
    /// This path and everything below it; kept without a slash at its end, the root as `""`.
    Prefix(String),
}

/// Whom a route lets through.
#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    /// Everybody, unidentified: no token is looked at.
    None,
    /// Everybody; who sends a token is identified, and must be allowed.
    Optional(Demands),
    /// Only who sends a valid token that meets the demands.
    Required(Demands),
}

/// What a token must show beyond being valid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Demands {
    /// All of these must be in the token's `scope`.
    pub scopes: Vec<String>,
    /// Each claim must equal one of its values, or hold one of them when it is a list.
    pub claims: Vec<(String, Vec<Value>)>,
    /// The login may lie at most so far back (`auth_time`).
    pub max_auth_age: Option<Duration>,
}

/// All routes, arranged for look-up.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    exact: HashMap<String, PathTable>,
    below: HashMap<String, PathTable>,
    anywhere: PathTable,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    /// The one route for this request.
    Route(&'a Arc<Route>),
    /// The path is known, the method is not. A less specific route does not step in: it would let
    /// a method slip under another policy.
    WrongMethod(&'a [Arc<Route>]),
    /// No route leads there.
    Nothing,
}

/// Two routes that match exactly the same requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("routes \"{first}\" and \"{second}\" match the same requests")]
pub struct Conflict {
    /// The one that stands first.
    pub first: Arc<str>,
    /// The one that could never be met.
    pub second: Arc<str>,
}

#[derive(Debug, Clone, Default)]
struct PathTable {
    exact: HashMap<String, Vec<Arc<Route>>>,
    prefix: HashMap<String, Vec<Arc<Route>>>,
    /// Slashes in the longest prefix: nothing longer needs to be looked up.
    depth: usize,
}

impl Directory {
    /// Arranges `routes`; their order means nothing, the most specific one wins: host before any
    /// host, exact path before prefix, longer prefix before shorter, named method before any.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Self, Conflict> {
        let mut directory = Self::default();
        for route in routes {
            let table = match &route.host {
                Some(HostPattern::Exact(host)) => directory.exact.entry(host.clone()).or_default(),
                Some(HostPattern::Below(host)) => directory.below.entry(host.clone()).or_default(),
                None => &mut directory.anywhere,
            };
            table.add(Arc::new(route))?;
        }
        Ok(directory)
    }

    /// The route for a canonical host (`None` when the request names none), a canonical path and a method.
    pub fn find<'a>(&'a self, host: Option<&str>, path: &str, method: &Method) -> Found<'a> {
        self.tables(host)
            .find_map(|table| table.find(path))
            .map_or(Found::Nothing, |routes| {
                let named = |route: &&Arc<Route>| {
                    route.methods.as_ref().is_some_and(|m| m.contains(method))
                };
                routes
                    .iter()
                    .find(named)
                    .or_else(|| routes.iter().find(|route| route.methods.is_none()))
                    .map_or(Found::WrongMethod(routes), Found::Route)
            })
    }

    /// Every route, the most specific hosts first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.exact
            .values()
            .chain(self.below.values())
            .chain(std::iter::once(&self.anywhere))
            .flat_map(|table| table.exact.values().chain(table.prefix.values()))
            .flatten()
    }

    /// Every route, in the order of their indices.
    pub fn in_order(&self) -> Vec<&Arc<Route>> {
        let mut routes: Vec<_> = self.iter().collect();
        routes.sort_by_key(|route| route.index);
        routes
    }

    /// The tables to ask, the most specific first.
    fn tables<'a, 'h>(
        &'a self,
        host: Option<&'h str>,
    ) -> impl Iterator<Item = &'a PathTable> + use<'a, 'h> {
        let exact = host.and_then(|host| self.exact.get(host));
        let below = host
            .filter(|_| !self.below.is_empty())
            .into_iter()
            .flat_map(|host| {
                let borders = host.match_indices('.');
                borders.filter_map(move |(at, _)| host.get(at + 1..))
            })
            .filter_map(|parent| self.below.get(parent));
        exact
            .into_iter()
            .chain(below)
            .chain(std::iter::once(&self.anywhere))
    }
}

impl PathTable {
    fn add(&mut self, route: Arc<Route>) -> Result<(), Conflict> {
        let here = match &route.path {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default(),
            PathPattern::Prefix(path) => {
                self.depth = self.depth.max(path.matches('/').count());
                self.prefix.entry(path.clone()).or_default()
            }
        };
        let clash = here
            .iter()
            .find(|other| match (&other.methods, &route.methods) {
                (None, None) => true,
                (Some(a), Some(b)) => a.iter().any(|method| b.contains(method)),
                (None, Some(_)) | (Some(_), None) => false,
            });
        if let Some(other) = clash {
            return Err(Conflict {
                first: Arc::clone(&other.name),
                second: Arc::clone(&route.name),
            });
        }
        here.push(route);
        Ok(())
    }

    /// The routes of the most specific pattern that matches `path`.
    fn find<'a>(&'a self, path: &str) -> Option<&'a [Arc<Route>]> {
        if let Some(routes) = self.exact.get(path) {
            return Some(routes);
        }
        // Cut at segment borders from the longest prefix that any route has down to the root.
        let end = path
            .match_indices('/')
            .nth(self.depth)
            .map_or(path.len(), |(at, _)| at);
        let mut candidate = path.get(..end);
        while let Some(prefix) = candidate {
            if let Some(routes) = self.prefix.get(prefix) {
                return Some(routes);
            }
            candidate = prefix.rfind('/').and_then(|at| prefix.get(..at));
        }
        None
    }
}

impl PathPattern {
    /// The pattern's path as it is written in a configuration.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Prefix(path) if path.is_empty() => "/",
            Self::Exact(path) | Self::Prefix(path) => path,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
        }
    }
}

impl Default for Access {
    /// A route that says nothing lets only valid tokens through.
    fn default() -> Self {
        Self::Required(Demands::default())
    }
}

#[cfg(test)]
mod tests;
