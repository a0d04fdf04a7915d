//! Which route wins, one rule after the other; `linear` compares the look-up with a plain search.

mod linear;

use super::*;

/// A route as it would be written: `"GET,POST *.example.com/api/*"`. `*` at the end of a path makes
/// it a prefix, without a host it is for all, without methods too.
fn route(index: usize, text: &str) -> Route {
    let (methods, place) = text.split_once(' ').unwrap_or(("", text));
    let (host, path) = place.split_at(place.find('/').expect("a path"));
    let host = match host.strip_prefix("*.") {
        Some(parent) => Some(HostPattern::Below(parent.to_owned())),
        None => (!host.is_empty()).then(|| HostPattern::Exact(host.to_owned())),
    };
    let path = match path.strip_suffix("/*") {
        Some(prefix) => PathPattern::Prefix(prefix.to_owned()),
        None => PathPattern::Exact(path.to_owned()),
    };
    let methods = methods.split(',').filter(|method| !method.is_empty());
    let methods: Vec<Method> = methods.map(|m| m.parse().expect("a method")).collect();
    Route {
        index,
        name: text.into(),
        host,
        path,
        methods: (!methods.is_empty()).then_some(methods),
        access: Access::default(),
        limits: Vec::new(),
        cors: None,
        headers: Vec::new(),
        upstream: 0,
        allow_encoded: Escapes::default(),
        forward_token: false,
        max_body: 0,
        response_timeout: Duration::ZERO,
        request_timeout: None,
    }
}

fn directory(routes: &[&str]) -> Directory {
    let routes = routes.iter().enumerate().map(|(at, text)| route(at, text));
    Directory::new(routes).expect("no conflicts")
}

/// What a request like `"GET a.example.com/api"` meets: the route's text, `405` or nothing. The
/// order of the routes must not matter, so both directions are tried.
fn find(routes: &[&str], request: &str) -> String {
    let (method, place) = request.split_once(' ').expect("a method");
    let (host, path) = place.split_at(place.find('/').expect("a path"));
    let host = (!host.is_empty()).then_some(host);
    let method = method.parse().expect("a method");
    let mut backwards = routes.to_vec();
    backwards.reverse();
    let [one, other] = [routes, &backwards].map(|routes| {
        let directory = directory(routes);
        match directory.find(host, path, &method) {
            Found::Route(route) => route.name.to_string(),
            Found::WrongMethod(_) => "405".to_owned(),
            Found::Nothing => "404".to_owned(),
        }
    });
    assert_eq!(one, other, "the order of routes matters");
    one
}

/// Every line: a request, and what it meets.
fn check(routes: &[&str], expected: &[(&str, &str)]) {
    for (request, meets) in expected {
        assert_eq!(find(routes, request), *meets, "{request}");
    }
}

#[test]
fn a_prefix_ends_on_a_segment_border() {
    check(
        &["/api/*"],
        &[
            ("GET /api", "/api/*"),
            ("GET /api/", "/api/*"),
            ("GET /api/x", "/api/*"),
            ("GET /api/x/y/z/", "/api/*"),
            ("GET /apix", "404"),
            ("GET /ap", "404"),
            ("GET /x/api", "404"),
            ("GET /", "404"),
            // A path is text here: an encoded slash is no border.
            ("GET /api%2Fx", "404"),
        ],
    );
}

#[test]
fn an_exact_path_matches_itself_only() {
    check(
        &["/health", "/"],
        &[
            ("GET /health", "/health"),
            ("GET /health/", "404"),
            ("GET /health/x", "404"),
            ("GET /", "/"),
            ("GET /x", "404"),
            ("GET /Health", "404"),
        ],
    );
}

#[test]
fn the_root_prefix_matches_everything_that_nothing_else_does() {
    check(
        &["/*", "/api/*"],
        &[
            ("GET /", "/*"),
            ("GET /x", "/*"),
            ("GET /apix", "/*"),
            ("GET /x/y/z", "/*"),
            ("GET /api", "/api/*"),
        ],
    );
}

#[test]
fn the_longer_prefix_goes_before_the_shorter_and_an_exact_path_before_both() {
    check(
        &["/*", "/a/*", "/a/b/*", "/a/b/c", "/a/b/c/d/e/*"],
        &[
            ("GET /a/x", "/a/*"),
            ("GET /a/b", "/a/b/*"),
            ("GET /a/bb", "/a/*"),
            ("GET /a/b/x/y", "/a/b/*"),
            ("GET /a/b/c", "/a/b/c"),
            ("GET /a/b/c/d", "/a/b/*"),
            ("GET /a/b/c/d/e", "/a/b/c/d/e/*"),
            ("GET /a/b/c/d/e/f/g", "/a/b/c/d/e/*"),
            ("GET /b", "/*"),
        ],
    );
}

#[test]
fn a_route_with_a_host_goes_before_every_route_without() {
    check(
        &["/a/b/c", "/a/b/*", "app.example/*", "app.example/a/*"],
        &[
            ("GET app.example/a/b/c", "app.example/a/*"),
            ("GET app.example/x", "app.example/*"),
            ("GET other.example/a/b/c", "/a/b/c"),
            ("GET /a/b/c", "/a/b/c"),
            ("GET /x", "404"),
        ],
    );
}

#[test]
fn a_host_that_leads_nowhere_leaves_the_path_to_routes_for_all_hosts() {
    check(
        &["app.example/a/*", "/*"],
        &[
            ("GET app.example/a", "app.example/a/*"),
            ("GET app.example/b", "/*"),
        ],
    );
}

#[test]
fn a_wildcard_stands_for_everything_below_a_host_but_not_for_the_host() {
    check(
        &["*.example.com/*"],
        &[
            ("GET a.example.com/", "*.example.com/*"),
            ("GET a.b.example.com/", "*.example.com/*"),
            ("GET example.com/", "404"),
            ("GET aexample.com/", "404"),
            ("GET example.com.evil.org/", "404"),
            ("GET com/", "404"),
            ("GET /", "404"),
        ],
    );
}

#[test]
fn the_nearest_parent_wins_and_the_host_itself_before_it() {
    check(
        &[
            "*.com/*",
            "*.example.com/*",
            "*.b.example.com/deep",
            "a.b.example.com/own",
        ],
        &[
            ("GET a.b.example.com/own", "a.b.example.com/own"),
            ("GET a.b.example.com/deep", "*.b.example.com/deep"),
            ("GET a.b.example.com/else", "*.example.com/*"),
            ("GET b.example.com/deep", "*.example.com/*"),
            ("GET other.com/", "*.com/*"),
        ],
    );
}

#[test]
fn a_named_method_goes_before_any_method() {
    check(
        &["/a/*", "POST,PUT /a/*", "DELETE /a/*"],
        &[
            ("GET /a", "/a/*"),
            ("POST /a", "POST,PUT /a/*"),
            ("PUT /a/x", "POST,PUT /a/*"),
            ("DELETE /a", "DELETE /a/*"),
            ("PURGE /a", "/a/*"),
            ("post /a", "/a/*"),
        ],
    );
}

#[test]
fn a_method_that_a_path_does_not_know_never_falls_to_a_weaker_route() {
    check(
        &[
            "GET /admin/*",
            "POST /admin/users",
            "GET app.example/x",
            "/*",
        ],
        &[
            ("DELETE /admin/x", "405"),
            ("GET /admin/users", "405"),
            ("POST /admin/users", "POST /admin/users"),
            ("DELETE app.example/x", "405"),
            ("DELETE other.example/x", "/*"),
        ],
    );
}

#[test]
fn a_refused_method_is_answered_with_the_routes_that_know_others() {
    let directory = directory(&["GET /a/*", "POST,PUT /a/*", "DELETE /a"]);
    let names = |path| match directory.find(None, path, &Method::PATCH) {
        Found::WrongMethod(routes) => routes.iter().map(|r| r.name.to_string()).collect(),
        Found::Route(_) | Found::Nothing => Vec::new(),
    };
    assert_eq!(names("/a/x"), ["GET /a/*", "POST,PUT /a/*"]);
    assert_eq!(names("/a"), ["DELETE /a"]);
}

#[test]
fn two_routes_for_the_same_requests_are_a_conflict() {
    for (first, second) in [
        ("/a", "/a"),
        ("/a/*", "/a/*"),
        ("/*", "/*"),
        ("GET /a", "GET /a"),
        ("GET,POST /a", "POST,PUT /a"),
        ("h.example/a", "h.example/a"),
        ("*.h.example/a", "*.h.example/a"),
    ] {
        let routes = [route(0, "/else"), route(1, first), route(2, second)];
        let conflict = Directory::new(routes).expect_err("a conflict");
        assert_eq!(
            (&*conflict.first, &*conflict.second),
            (first, second),
            "{conflict}"
        );
    }
}

#[test]
fn routes_that_differ_in_anything_that_is_matched_do_not_conflict() {
    let all = [
        "/a",
        "/a/*",
        "GET /a",
        "POST /a",
        "GET /a/*",
        "/A",
        "/a/",
        "h.example/a",
        "*.h.example/a",
        "g.h.example/a",
    ];
    let directory = directory(&all);
    let mut listed: Vec<usize> = directory.iter().map(|route| route.index).collect();
    listed.sort_unstable();
    assert_eq!(listed, (0..all.len()).collect::<Vec<_>>());
}

#[test]
fn without_routes_nothing_is_found() {
    let found = Directory::default();
    assert_eq!(found.find(Some("a"), "/", &Method::GET), Found::Nothing);
}

#[test]
fn a_route_that_says_nothing_asks_for_a_token() {
    assert_eq!(Access::default(), Access::Required(Demands::default()));
}

#[test]
fn a_pattern_is_shown_as_it_was_written() {
    for (pattern, text) in [
        (PathPattern::Prefix(String::new()), "/"),
        (PathPattern::Prefix("/a".to_owned()), "/a"),
        (PathPattern::Exact("/a/".to_owned()), "/a/"),
    ] {
        assert_eq!(pattern.as_str(), text);
    }
}
