//! The exact words about routes and upstreams that lead nowhere.

use super::*;

#[test]
fn a_route_that_no_request_could_match_is_refused() {
    for (line, expected) in [
        (
            "path = '/a/../b'",
            "path: no request could match: the path holds a dot segment",
        ),
        (
            "path = '/a//b'",
            "path: no request could match: the path holds an empty segment",
        ),
        (
            "path = '/%61'",
            "path: no request could match: paths are compared in their canonical form\n  help: write \"/a\"",
        ),
        ("path = '/a?b'", "path: a path has no query and no fragment"),
        (
            "path = '/a/'",
            "path: a prefix has no slash at its end\n  help: \"/a\" holds itself and everything below it",
        ),
        (
            "path = '/a%2Fb'",
            "path: no request could match: the path holds an encoded slash",
        ),
        (
            "path = '/a%5Cb'",
            "path: no request could match: the path holds a backslash",
        ),
        (
            "allow_encoded = 'slash'",
            "allow_encoded: expected true, false or a list such as [\"slash\", \"backslash\"], found a string",
        ),
        (
            "allow_encoded = ['dot']",
            "allow_encoded[0]: expected \"slash\", \"backslash\" or \"percent\", found \"dot\"",
        ),
        (
            "host = 'Example.com:80'",
            "host: no request could match: hosts are compared in lower case, without a port\n  help: write \"example.com\"",
        ),
        (
            "host = '*.Example.com'",
            "host: no request could match: hosts are compared in lower case, without a port\n  help: write \"*.example.com\"",
        ),
        (
            "host = '*'",
            "host: is no host such as \"example.com\" or \"*.example.com\"",
        ),
        (
            "host = 'a.*.com'",
            "host: is no host such as \"example.com\" or \"*.example.com\"",
        ),
        (
            "methods = ['get']",
            "methods[0]: expected a method in capital letters such as \"GET\", found \"get\"",
        ),
        (
            "match = 'regex'",
            "match: expected \"prefix\" or \"exact\", found \"regex\"",
        ),
    ] {
        let column = line.find("= ").expect("a value") + 3 + usize::from(line.contains('['));
        check_route(
            line,
            &format!("gateway.toml:3:{column}: routes[0].{expected}"),
        );
    }
}

#[test]
fn a_policy_that_means_nothing_is_refused() {
    for (line, expected) in [
        (
            "auth = 'yes'",
            "auth: expected \"none\", \"optional\" or \"required\", found \"yes\"",
        ),
        (
            "scopes = ['a b']",
            "scopes[0]: expected one scope such as \"orders:read\", found \"a b\"",
        ),
        ("claims = { role = [] }", "claims.role: must not be empty"),
        (
            "max_auth_age = '0s'",
            "max_auth_age: no login is that recent",
        ),
    ] {
        let column = line.rfind("= ").expect("a value") + 3 + usize::from(line.contains("['"));
        check_route(
            line,
            &format!("gateway.toml:3:{column}: routes[0].{expected}"),
        );
    }
    check_route(
        "auth = 'none'\nscopes = ['a']\n",
        "gateway.toml:3:8: routes[0].auth: looks at no token, so `scopes`, `claims` and `max_auth_age` mean nothing",
    );
}

#[test]
fn a_time_that_no_request_could_keep_to_is_refused() {
    let expected = "request_timeout: expected a span of time of a second or more such as \"1h\", or \
                    \"off\", found \"10ms\"";
    check_route(
        "request_timeout = '10ms'",
        &format!("gateway.toml:3:19: routes[0].{expected}"),
    );
    check(
        "server.limits.request_timeout = '10ms'",
        &format!("gateway.toml:1:33: server.limits.{expected}"),
    );
}

#[test]
fn routes_must_lead_somewhere_and_be_told_apart() {
    check(
        "[[routes]]\n",
        "gateway.toml:1:1: routes[0].upstream: there is no `[upstreams.NAME]`",
    );
    check_route(
        "upstream = 'ap'\n",
        "gateway.toml:3:12: routes[0].upstream: there is no `[upstreams.ap]`\n  help: did you mean \"app\"?",
    );
    check_route(
        "[upstreams.b]\nservers = 'demo:'\n",
        "gateway.toml:2:1: routes[0].upstream: must say which upstream is meant\n  help: there are app, b",
    );
    check_route(
        "path = '/a'\nname = 'x'\n[[routes]]\npath = '/b'\nname = 'x'\n",
        "gateway.toml:7:8: routes[1].name: another route is called \"x\" already\n  \
         help: a route without a name is called by its host and path",
    );
    let twice = "[[routes]]\nmethods = ['GET', 'PUT']\nname = ";
    check(
        &format!("{APP}{twice}'x'\n{twice}'y'\n{twice}'z'\n"),
        "gateway.toml:5:1: routes[1].path: matches the same requests as the route \"x\"\n\
         gateway.toml:8:1: routes[2].path: matches the same requests as the route \"x\"",
    );
}

#[test]
fn the_gateways_own_paths_cannot_be_routed() {
    let help = "belongs to the gateway itself\n  help: `auth.base` and `auth.aliases` can be moved";
    for path in ["/api/auth", "/api/auth/login", "/api/v1/auth/x"] {
        let base = if path.contains("v1") {
            "/api/v1/auth"
        } else {
            "/api/auth"
        };
        check_route(
            &format!("path = '{path}'\n"),
            &format!("gateway.toml:3:8: routes[0].path: {base} {help}"),
        );
    }
    for path in ["/api", "/api/authors", "/"] {
        load(&format!("{APP}[[routes]]\npath = '{path}'\n")).expect(path);
    }
    check_route(
        "path = '/me'\n[auth]\nbase = '/me'\n",
        &format!("gateway.toml:3:8: routes[0].path: /me {help}"),
    );
}

#[test]
fn upstreams_must_be_reachable() {
    check(
        "[upstreams.app]\n",
        "gateway.toml:1:1: upstreams.app.servers: is missing\n  help: for instance `servers = [\"http://127.0.0.1:3000\"]`",
    );
    check(
        "upstreams.app.servers = ['ftp://a:1', 'http://a/b']\n",
        "gateway.toml:1:26: upstreams.app.servers[0]: has the scheme \"ftp\", supported are \"http\", \"https\" and \"demo:\"\n\
         gateway.toml:1:39: upstreams.app.servers[1]: must end after host and port, without user name, path and query",
    );
    let flags = Flags {
        listen: None,
        upstream: server_url("http://a").ok(),
    };
    let two = "upstreams.a.servers = 'demo:'\nupstreams.b.servers = 'demo:'\n";
    assert_eq!(
        load_with(two, flags).expect_err("which one?").to_string(),
        "gateway.toml:1:1: upstreams: --upstream stands for the only upstream, but there are 2\n1 problem"
    );
}
