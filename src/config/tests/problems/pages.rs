//! The exact words about pages of other origins, and about what browsers are told.

use super::*;

#[test]
fn origins_are_written_as_browsers_write_them() {
    for (origin, expected) in [
        (
            "app.example.com",
            "is no origin such as \"https://app.example.com\" or \"https://*.example.com\"",
        ),
        (
            "https://App.example.com:443/",
            "no browser writes it like that\n  help: write \"https://app.example.com\"",
        ),
        (
            "null",
            "\"null\" is the origin of nobody in particular, so anybody could claim it",
        ),
    ] {
        check_route(
            &format!("cors.origins = ['{origin}']"),
            &format!("gateway.toml:3:17: routes[0].cors.origins[0]: {expected}"),
        );
        check(
            &format!("auth.cors.origins = ['{origin}']"),
            &format!("gateway.toml:1:22: auth.cors.origins[0]: {expected}"),
        );
    }
}

#[test]
fn rules_that_would_let_everybody_in_or_nobody_are_refused() {
    for (cors, column, expected) in [
        (
            "origins = ['*'], credentials = true",
            41,
            "credentials: with the origin \"*\" every page could act as whoever looks at it\n  help: name the origins",
        ),
        (
            "origins = ['*', 'https://a.example']",
            20,
            "origins: \"*\" is every origin, so no other one can stand beside it",
        ),
        (
            "methods = ['GET']",
            20,
            "methods: means nothing without `origins`\n  help: for instance `origins = [\"https://app.example.com\"]`",
        ),
        (
            "origins = ['*'], methods = ['get']",
            38,
            "methods[0]: expected a method in capital letters such as \"GET\", found \"get\"",
        ),
        (
            "origins = ['*'], max_age = '2d'",
            37,
            "max_age: must be between \"0s\" and \"1d\", is \"2d\"",
        ),
    ] {
        check_route(
            &format!("cors = {{ {cors} }}"),
            &format!("gateway.toml:3:{column}: routes[0].cors.{expected}"),
        );
    }
}

#[test]
fn the_endpoints_have_no_rule_by_which_cookies_of_other_pages_count() {
    check(
        &format!(
            "auth.cors = {{ origins = ['https://a.example'], credentials = true }}\n{APP}[[routes]]\n"
        ),
        "gateway.toml:1:48: auth.cors.credentials: unknown key\n  help: it belongs to `[routes.cors]`",
    );
}

#[test]
fn what_browsers_are_told_has_few_forms() {
    for (line, column, expected) in [
        (
            "nosniff = 'yes'",
            11,
            "nosniff: expected \"on\" or \"off\", found \"yes\"",
        ),
        (
            "frame = 'sameorigin'",
            9,
            "frame: expected \"deny\", \"same-origin\" or \"off\", found \"sameorigin\"",
        ),
        (
            "referrer = 'unsafe-url'",
            12,
            "referrer: expected \"no-referrer\", \"same-origin\", \"strict-origin-when-cross-origin\" or its like, or \"off\", found \"unsafe-url\"",
        ),
    ] {
        check(
            &format!("[server.headers]\n{line}"),
            &format!("gateway.toml:2:{column}: server.headers.{expected}"),
        );
        check_route(
            &format!("headers.{line}"),
            &format!(
                "gateway.toml:3:{}: routes[0].headers.{expected}",
                column + 8
            ),
        );
    }
}
