//! The exact words about limits of the throttle that limit nothing, or nobody.

use super::*;

#[test]
fn a_limit_that_says_nothing_is_refused() {
    let example = "expected a limit such as \"100/s per ip\" or \"100/s burst 500 per subject\" \
                   (or per session, per all)";
    for (limit, expected) in [
        ("100/s", format!("{example}, found \"100/s\"")),
        (
            "100/s per phone",
            format!("{example}, found \"100/s per phone\""),
        ),
        ("0/s per ip", format!("{example}, found \"0/s per ip\"")),
        (
            "1/10ms per ip",
            "the span of a limit must be between \"1s\" and \"30d\"".to_owned(),
        ),
        (
            "1/31d per ip",
            "the span of a limit must be between \"1s\" and \"30d\"".to_owned(),
        ),
        (
            "2000000/s per all",
            "more than a million requests per second are no limit".to_owned(),
        ),
        (
            "1/h burst 1000 per ip",
            "it would take more than \"30d\" to gain such a burst".to_owned(),
        ),
        (
            "10/s burst 20 per ip shared",
            "a shared limit is exact, in any window: it has no burst".to_owned(),
        ),
        (
            "100001/s per ip shared",
            "a store keeps every request of a shared limit: not more than 100000".to_owned(),
        ),
    ] {
        check(
            &format!("server.limits.requests = ['{limit}']"),
            &format!("gateway.toml:1:27: server.limits.requests[0]: {expected}"),
        );
        check_route(
            &format!("limits = ['{limit}']"),
            &format!("gateway.toml:3:11: routes[0].limits[0]: {expected}"),
        );
    }
    check(
        "server.limits.requests = [5]",
        &format!("gateway.toml:1:27: server.limits.requests[0]: {example}, found an integer"),
    );
}

#[test]
fn who_is_not_identified_cannot_be_counted_by_who_they_are() {
    for whose in ["subject", "session"] {
        check_route(
            &format!("auth = 'none'\nlimits = ['1/s per ip', '1/s per {whose}']\n"),
            "gateway.toml:4:10: routes[0].limits: `auth = \"none\"` identifies nobody whom a limit could count\n  \
             help: limit requests per ip, or per all",
        );
    }
    let text = format!("{APP}[[routes]]\nauth = 'none'\nlimits = ['1/s per ip', '1/s per all']\n");
    assert_eq!(config(&text).live.routes.in_order()[0].limits.len(), 2);
}
