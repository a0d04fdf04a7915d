//! The look-up finds, in any table of routes, what a search through all of them finds.

use proptest::prelude::*;

use super::super::*;
use super::route;

/// How specifically a pattern matches; the greater one wins, hosts before paths.
type Rank = (HostRank, PathRank);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank {
    Any,
    /// Names of the parent: more of them are nearer.
    Below(usize),
    Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    Prefix(usize),
    Exact,
}

fn host_rank(pattern: Option<&HostPattern>, host: Option<&str>) -> Option<HostRank> {
    match (pattern, host) {
        (None, _) => Some(HostRank::Any),
        (Some(HostPattern::Exact(name)), Some(host)) => (name == host).then_some(HostRank::Exact),
        (Some(HostPattern::Below(parent)), Some(host)) => {
            let names = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
            let (parent, host) = (names(parent), names(host));
            let is_below = host.len() > parent.len() && host.ends_with(&parent);
            is_below.then_some(HostRank::Below(parent.len()))
        }
        (Some(HostPattern::Exact(_) | HostPattern::Below(_)), None) => None,
    }
}

fn path_rank(pattern: &PathPattern, path: &str) -> Option<PathRank> {
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    match pattern {
        PathPattern::Exact(exact) => (exact == path).then_some(PathRank::Exact),
        PathPattern::Prefix(prefix) => {
            let (prefix, path) = (segments(prefix), segments(path));
            path.starts_with(&prefix)
                .then_some(PathRank::Prefix(prefix.len()))
        }
    }
}

/// What a reader of the documentation would work out with a pencil.
fn by_hand<'a>(routes: &'a [Route], host: Option<&str>, path: &str, method: &Method) -> Met<'a> {
    let rank = |route: &Route| -> Option<Rank> {
        Some((
            host_rank(route.host.as_ref(), host)?,
            path_rank(&route.path, path)?,
        ))
    };
    let Some(best) = routes.iter().filter_map(rank).max() else {
        return Met::Nothing;
    };
    let here = || routes.iter().filter(|route| rank(route) == Some(best));
    let knows = |route: &&Route| route.methods.as_ref().is_some_and(|m| m.contains(method));
    here()
        .find(knows)
        .or_else(|| here().find(|route| route.methods.is_none()))
        .map_or(Met::WrongMethod, |route| Met::Route(&route.name))
}

#[derive(Debug, PartialEq)]
enum Met<'a> {
    Route(&'a str),
    WrongMethod,
    Nothing,
}

/// Few names, so that patterns and requests meet, in each other's way: `a`, `aa` and `b`.
fn places() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["a", "aa", "b", ""], 1..5).prop_map(|s| s.join("/"))
}

fn hosts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["a", "aa", "b"], 1..4).prop_map(|names| names.join("."))
}

fn routes() -> impl Strategy<Value = Vec<String>> {
    let methods = prop_oneof![Just(""), Just("GET "), Just("POST,PUT "), Just("DELETE ")];
    let host = prop_oneof![
        2 => Just(String::new()),
        1 => hosts(),
        2 => hosts().prop_map(|host| format!("*.{host}")),
    ];
    let path = prop_oneof![
        1 => places().prop_map(|path| format!("/{path}")),
        2 => places().prop_map(|path| format!("/{}/*", path.trim_matches('/'))),
        1 => Just("/*".to_owned()),
    ];
    let text = (methods, host, path).prop_map(|(methods, host, path)| {
        let path = if path == "//*" { "/*".to_owned() } else { path };
        format!("{methods}{host}{path}")
    });
    prop::collection::vec(text, 0..30)
}

proptest! {
    #[test]
    fn the_look_up_finds_what_a_plain_search_finds(
        texts in routes(),
        requests in prop::collection::vec(
            (prop::option::weighted(0.8, hosts()), places(), 0usize..4),
            1..30,
        ),
    ) {
        let mut routes: Vec<Route> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let mut more = routes.clone();
            more.push(route(at, text));
            // Those in conflict with an earlier one are left out.
            if Directory::new(more.clone()).is_ok() {
                routes = more;
            }
        }
        let directory = Directory::new(routes.clone()).expect("no conflicts");
        for (host, path, method) in requests {
            let path = format!("/{path}");
            let method = [Method::GET, Method::POST, Method::DELETE, Method::PATCH][method].clone();
            let met = match directory.find(host.as_deref(), &path, &method) {
                Found::Route(route) => Met::Route(&route.name),
                Found::WrongMethod(_) => Met::WrongMethod,
                Found::Nothing => Met::Nothing,
            };
            prop_assert_eq!(met, by_hand(&routes, host.as_deref(), &path, &method));
        }
    }
}
