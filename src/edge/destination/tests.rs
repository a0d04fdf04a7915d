//! Where requests go: hosts, canonical targets, and who may not go anywhere.

use http::header::ALLOW;
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        route::{Access, HostPattern, PathPattern},
        target::Escape,
    },
    edge::tests::route,
};

/// The auth service at `/api/auth` and `/api/v1/auth`; a route for each of these names.
fn map() -> Map {
    let prefix = |path: &str| PathPattern::Prefix(path.to_owned());
    let named = |name: &str, host: Option<&str>, path: PathPattern| Route {
        name: name.into(),
        host: host.map(|host| HostPattern::Exact(host.to_owned())),
        path,
        ..route(Access::default())
    };
    let routes = [
        named("everything", None, prefix("")),
        named("own", Some("app.example"), prefix("")),
        Route {
            allow_encoded: Escape::ALL.into_iter().collect(),
            ..named("files", None, prefix("/files"))
        },
        Route {
            methods: Some(vec![Method::GET, Method::HEAD]),
            ..named("read", None, prefix("/read"))
        },
        Route {
            methods: Some(vec![Method::POST]),
            ..named("write", None, prefix("/read"))
        },
    ];
    Map {
        auth_bases: vec!["/api/auth".to_owned(), "/api/v1/auth".to_owned()],
        routes: Directory::new(routes).expect("no conflicts"),
    }
}

fn parts(version: Version, method: &Method, target: &str, hosts: &[&str]) -> Parts {
    let mut request = Request::builder()
        .version(version)
        .method(method)
        .uri(target);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    request.body(()).expect("a request").into_parts().0
}

/// A GET in HTTP/1.1 with one host.
fn get(target: &str) -> Parts {
    parts(Version::HTTP_11, &Method::GET, target, &["other.example"])
}

/// The route's name, `auth`, or the refusal's code and sentence.
fn find(parts: Parts) -> String {
    find_on(&map(), parts)
}

fn find_on(map: &Map, mut parts: Parts) -> String {
    match map.find(&mut parts) {
        Destination::Auth => "auth".to_owned(),
        Destination::Route(route) => route.name.to_string(),
        Destination::Gateway => "gateway".to_owned(),
        Destination::Refused(reject) => format!("{}: {}", reject.code().as_str(), reject.detail()),
    }
}

#[test]
fn the_auth_service_has_its_bases_and_all_below_them_for_itself() {
    for (target, goes) in [
        ("/api/auth", "auth"),
        ("/api/auth/", "auth"),
        ("/api/auth/no/such/endpoint", "auth"),
        ("/api/v1/auth/me?x=1", "auth"),
        ("/api/%61uth/me", "auth"),
        ("/api/authx", "everything"),
        ("/api/auth.html", "everything"),
        ("/api", "everything"),
        ("/API/AUTH", "everything"),
        ("/x/api/auth", "everything"),
    ] {
        assert_eq!(find(get(target)), goes, "{target}");
    }
    // No route with a host goes before it, and every method is its own to judge.
    for method in [Method::GET, Method::PATCH, Method::OPTIONS] {
        let asked = parts(Version::HTTP_11, &method, "/api/auth/me", &["app.example"]);
        assert_eq!(find(asked), "auth");
    }
}

#[test]
fn http_1_1_names_exactly_one_host() {
    let find = |hosts: &[&str]| find(parts(Version::HTTP_11, &Method::GET, "/x", hosts));
    assert_eq!(find(&["app.example"]), "own");
    assert_eq!(find(&["APP.example.:8080"]), "own");
    assert_eq!(find(&["other.example"]), "everything");
    let refused = "invalid_request_target: The request names no host.";
    assert_eq!(find(&[]), refused);
    let refused = "invalid_request_target: The request has several Host headers.";
    assert_eq!(find(&["app.example", "app.example"]), refused);
    assert_eq!(find(&["app.example", "other.example"]), refused);
    let refused = "invalid_request_target: Host is not the name of a host.";
    for host in [
        "",
        "a b",
        "a,b",
        "user@app.example",
        "app.example/x",
        "a:b",
        "[::1",
    ] {
        assert_eq!(find(&[host]), refused, "{host}");
    }
}

#[test]
fn http_1_0_may_name_no_host_and_then_meets_routes_for_all_hosts() {
    let find = |hosts: &[&str]| find(parts(Version::HTTP_10, &Method::GET, "/x", hosts));
    assert_eq!(find(&[]), "everything");
    assert_eq!(find(&["app.example"]), "own");
    assert!(find(&["app.example", "app.example"]).starts_with("invalid_request_target"));
}

#[test]
fn http_2_names_its_host_in_the_authority() {
    let find = |target, hosts: &[&str]| find(parts(Version::HTTP_2, &Method::GET, target, hosts));
    assert_eq!(find("http://app.example/x", &[]), "own");
    assert_eq!(
        find("http://APP.example:8080/x", &["app.example:8080"]),
        "own"
    );
    assert_eq!(find("/x", &["app.example"]), "own");
    let refused = "invalid_request_target: Target and Host name different hosts.";
    assert_eq!(find("http://app.example/x", &["other.example"]), refused);
    let refused = "invalid_request_target: The request names no host.";
    assert_eq!(find("/x", &[]), refused);
}

#[test]
fn an_absolute_target_must_agree_with_the_host_header() {
    let find = |target, hosts: &[&str]| find(parts(Version::HTTP_11, &Method::GET, target, hosts));
    assert_eq!(find("http://app.example/x", &["app.example"]), "own");
    assert_eq!(find("http://app.example", &["app.example"]), "own");
    let refused = "invalid_request_target: Target and Host name different hosts.";
    assert_eq!(find("http://app.example/x", &["other.example"]), refused);
    assert_eq!(find("http://other.example/x", &["app.example"]), refused);
    assert_eq!(find("http://apq.example/x", &["app.example"]), refused);
    // RFC 9112 §3.2 wants the header in that form, too.
    let refused = "invalid_request_target: The request has no Host header.";
    assert_eq!(find("http://app.example/x", &[]), refused);
    let refused = "invalid_request_target: The target does not name a host.";
    assert_eq!(find("http://user@app.example/x", &["app.example"]), refused);
}

#[test]
fn an_encoded_slash_passes_only_where_the_route_allows_it() {
    let refused = "invalid_request_target: The path holds an encoded slash.";
    for (target, goes) in [
        ("/files/a%2Fb", "files"),
        ("/files/a%2fb", "files"),
        ("/other/a%2Fb", refused),
        ("/files%2Fa", refused),
        ("/api/auth%2Fme", refused),
        ("/api/auth/a%2Fb", refused),
        ("/read/a?b=%2F", "read"),
        ("/files/a%5Cb%252fc", "files"),
    ] {
        assert_eq!(find(get(target)), goes, "{target}");
    }
}

#[test]
fn an_escape_that_is_allowed_hides_no_other_place_from_readers_who_undo_it() {
    let loose = |name: &str, path: &str| Route {
        name: name.into(),
        path: PathPattern::Prefix(path.to_owned()),
        allow_encoded: Escape::ALL.into_iter().collect(),
        ..route(Access::default())
    };
    let routes = [loose("everything", ""), loose("admin", "/admin")];
    let map = Map {
        auth_bases: vec!["/api/auth".to_owned()],
        routes: Directory::new(routes).expect("no conflicts"),
    };
    let refused = "invalid_request_target: The path holds an escape that decides where it leads.";
    for (target, goes) in [
        ("/a%2Fadmin", "everything"),
        ("/admin/a%2Fb", "admin"),
        ("/admin%2Fusers", refused),
        ("/admin%5Cusers", refused),
        ("/%2Fadmin/users", refused),
        ("/admin%252Fusers", refused),
        ("/admin%25252fusers", refused),
        ("/%2561dmin%2Fx", refused),
        ("/api/auth%2Fme", refused),
        ("/api%2Fauth/me", refused),
    ] {
        assert_eq!(find_on(&map, get(target)), goes, "{target}");
    }
}

#[test]
fn an_ambiguous_target_is_refused_with_the_reason() {
    for (target, reason) in [
        ("/a/../b", "The path holds a dot segment."),
        ("/files/%2e%2e/x", "The path holds a dot segment."),
        ("/files/..%2fx", "The path holds a dot segment."),
        ("//a", "The path holds an empty segment."),
        ("/a%5Cb", "The path holds a backslash."),
        ("/a%00", "The path holds a control character."),
        ("/a%zz", "The path holds a broken percent escape."),
        ("/%252e%252e/a", "The path holds a dot segment."),
        ("/a%252Fb", "The path is percent-encoded twice."),
    ] {
        let refused = format!("invalid_request_target: {reason}");
        assert_eq!(find(get(target)), refused, "{target}");
    }
    let everything = parts(Version::HTTP_11, &Method::GET, "*", &["a"]);
    let refused = "invalid_request_target: The path must begin with a slash.";
    assert_eq!(find(everything), refused);
    let asked = parts(Version::HTTP_11, &Method::OPTIONS, "*", &["a"]);
    assert_eq!(find(asked), "gateway");
    let nobody = parts(Version::HTTP_11, &Method::OPTIONS, "*", &[]);
    let refused = "invalid_request_target: The request names no host.";
    assert_eq!(find(nobody), refused);
}

#[test]
fn what_was_matched_is_what_goes_on_and_the_query_stays_as_it_came() {
    for (target, forwarded) in [
        ("/x?a=1", "/x?a=1"),
        (
            "/%72ead/%7e?q=%61&r=%2e%2e/&s=a%2fb",
            "/read/~?q=%61&r=%2e%2e/&s=a%2fb",
        ),
        ("/files/a%2fb?", "/files/a%2Fb?"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a/?b", "/a/?b"),
        ("/", "/"),
    ] {
        let mut parts = get(target);
        let found = map().find(&mut parts);
        assert!(matches!(found, Destination::Route(_)), "{target}");
        assert_eq!(parts.uri, forwarded, "{target}");
    }
    let mut absolute = parts(
        Version::HTTP_2,
        &Method::GET,
        "http://app.example/%78?y",
        &[],
    );
    map().find(&mut absolute);
    assert_eq!(absolute.uri, "http://app.example/x?y");
}

fn allow(mut parts: Parts) -> (Code, String) {
    let Destination::Refused(reject) = map().find(&mut parts) else {
        panic!("not refused");
    };
    let code = reject.code();
    let response: http::Response<bytes::Bytes> = reject.into_response();
    let allow = response.headers().get(ALLOW).expect("Allow");
    (code, allow.to_str().expect("text").to_owned())
}

#[test]
fn a_method_that_a_path_does_not_know_is_told_which_ones_it_knows() {
    let delete = |target| {
        parts(
            Version::HTTP_11,
            &Method::DELETE,
            target,
            &["other.example"],
        )
    };
    let (code, methods) = allow(delete("/read/x"));
    assert_eq!(code, Code::MethodNotAllowed);
    assert_eq!(methods, "GET, HEAD, POST");
    assert_eq!(find(delete("/x")), "everything");
}

#[test]
fn nobody_tunnels_or_echoes_through_the_gateway() {
    let connect = parts(
        Version::HTTP_11,
        &Method::CONNECT,
        "other.example:443",
        &["other.example:443"],
    );
    let trace = |target| parts(Version::HTTP_11, &Method::TRACE, target, &["other.example"]);
    for asked in [connect, trace("/x"), trace("/api/auth/me")] {
        let (code, methods) = allow(asked);
        assert_eq!(code, Code::MethodNotAllowed);
        assert!(!methods.contains("TRACE") && !methods.contains("CONNECT"));
    }
}

#[test]
fn without_a_route_there_is_nothing() {
    let map = Map {
        auth_bases: vec!["/api/auth".to_owned()],
        routes: Directory::default(),
    };
    let Destination::Refused(reject) = map.find(&mut get("/x")) else {
        panic!("not refused");
    };
    assert_eq!(reject.code(), Code::NotFound);
}

proptest! {
    /// An app that finds its way by the forwarded target comes to where the gateway thought.
    #[test]
    fn a_forwarded_target_leads_to_the_same_place_again(
        target in "(/(api|auth|%61uth|files|read|[a-z.;%~]|%[0-9a-fA-F]{2}){0,4}){1,4}(\\?[a-z%/.=]{0,9})?",
    ) {
        let map = map();
        let request = Request::builder().uri(&target).header(HOST, "a").body(());
        let Ok(request) = request else { return Ok(()); };
        let (mut parts, ()) = request.into_parts();
        let name = |destination| match destination {
            Destination::Auth => Some("auth".to_owned()),
            Destination::Route(route) => Some(route.name.to_string()),
            Destination::Gateway | Destination::Refused(_) => None,
        };
        let query = parts.uri.query().map(str::to_owned);
        if let Some(first) = name(map.find(&mut parts)) {
            let forwarded = parts.uri.clone();
            prop_assert_eq!(name(map.find(&mut parts)), Some(first));
            prop_assert_eq!(&parts.uri, &forwarded);
            prop_assert_eq!(forwarded.query().map(str::to_owned), query);
        }
    }
}
