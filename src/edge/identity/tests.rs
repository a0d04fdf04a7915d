//! What an app is told about the caller, and what nobody else can tell it.

use http::{HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    domain::route::{Access, Route},
    edge::tests::{Stage, bearer, request, route, session},
};

/// The headers an app receives, of a request with these lines from a caller with this token.
fn told(
    layer: &IdentityLayer,
    stage: &Stage,
    token: Option<&str>,
    lines: &[(&'static str, String)],
) -> HeaderMap {
    let mut asked = request(&Method::GET, lines);
    if let Some(token) = token {
        identify(&mut asked, stage, token);
    }
    layer.rewrite(&mut asked);
    asked.headers().clone()
}

/// Adds the token, and the principal that the gate makes of it.
fn identify(asked: &mut Request<()>, stage: &Stage, token: &str) {
    let value = HeaderValue::from_str(&bearer(token).1).expect("a token");
    asked.headers_mut().insert(AUTHORIZATION, value);
    admit(asked, stage);
}

fn admit(asked: &mut Request<()>, stage: &Stage) {
    let principal = stage.gate().admit(asked, &Access::default());
    let principal = principal.expect("good").expect("identified");
    asked.extensions_mut().insert(principal);
}

fn layer() -> IdentityLayer {
    IdentityLayer::new(Names::default())
}

fn forwarding_token() -> Destination {
    Destination::Route(Arc::new(Route {
        forward_token: true,
        ..route(Access::default())
    }))
}

fn lines(names: &[&'static str]) -> Vec<(&'static str, String)> {
    let forged = |name: &&'static str| (*name, "forged".to_owned());
    names.iter().map(forged).collect()
}

#[test]
fn an_app_is_told_subject_phone_and_session() {
    let stage = Stage::new();
    let headers = told(&layer(), &stage, Some(&stage.token(1)), &[]);
    assert_eq!(headers["x-auth-subject"], "subject-1");
    assert_eq!(headers["x-auth-phone"], "+15550001111");
    assert_eq!(headers["x-auth-session"], *session(1).to_string());
    assert_eq!(headers.len(), 3);
}

#[test]
fn what_a_client_says_of_itself_is_taken_away_with_and_without_a_token() {
    let stage = Stage::new();
    let forged = lines(&[
        "x-auth-subject",
        "x-auth-subject",
        "X_Auth_Subject",
        "x.auth.subject",
        "X-AUTH_SUBJECT",
        "x-auth-phone",
        "x_auth_phone",
        "x-auth-session",
        "x-auth.session",
        "x-kept",
    ]);
    let headers = told(&layer(), &stage, None, &forged);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-kept"], "forged");
    let headers = told(&layer(), &stage, Some(&stage.token(1)), &forged);
    assert_eq!(headers.len(), 4);
    assert_eq!(headers["x-auth-subject"], "subject-1");
    assert_eq!(headers["x-auth-phone"], "+15550001111");
    assert_eq!(headers["x-auth-session"], *session(1).to_string());
}

#[test]
fn naming_an_identity_header_in_connection_takes_nothing_away() {
    let stage = Stage::new();
    let hostile = [
        ("connection", "close, X-Auth-Subject".to_owned()),
        (
            "connection",
            "x-auth-phone, x-auth-session, x-named".to_owned(),
        ),
        ("x-named", "1".to_owned()),
        ("keep-alive", "1".to_owned()),
    ];
    let headers = told(&layer(), &stage, Some(&stage.token(1)), &hostile);
    assert_eq!(headers.len(), 3);
    assert_eq!(headers["x-auth-subject"], "subject-1");
}

#[test]
fn naming_what_the_gateway_says_of_the_client_in_connection_takes_nothing_away() {
    let stage = Stage::new();
    let names = [
        "host",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-real-ip",
        "x-request-id",
    ];
    let mut said = lines(&names);
    said.push(("connection", names.join(", ").to_ascii_uppercase()));
    let headers = told(&layer(), &stage, None, &said);
    assert_eq!(headers.len(), names.len());
}

#[test]
fn forwarding_headers_in_another_spelling_are_taken_away() {
    let stage = Stage::new();
    let said = lines(&[
        "x_forwarded_for",
        "x.forwarded.proto",
        "x-real_ip",
        "x-forwarded-for",
    ]);
    let headers = told(&layer(), &stage, None, &said);
    assert_eq!(headers.len(), 1);
    assert!(headers.contains_key("x-forwarded-for"));
}

#[test]
fn the_token_stays_here_unless_the_route_forwards_it() {
    let stage = Stage::new();
    let token = stage.token(1);
    let mut asked = request::<&str>(&Method::GET, &[]);
    identify(&mut asked, &stage, &token);
    let mut forwarded = asked.clone();
    forwarded.extensions_mut().insert(forwarding_token());
    layer().rewrite(&mut asked);
    layer().rewrite(&mut forwarded);
    assert!(!asked.headers().contains_key(AUTHORIZATION));
    assert_eq!(forwarded.headers()[AUTHORIZATION], bearer(&token).1);
    assert_eq!(forwarded.headers()["x-auth-subject"], "subject-1");
}

#[test]
fn our_cookies_stay_here_unless_the_route_forwards_them() {
    let stage = Stage::new();
    let cookie = format!("a=1; otp_access={}; otp_refresh=x; b=2", stage.token(1));
    let basic = "Basic YTpi".to_owned();
    let sent = [("cookie", cookie.clone()), ("authorization", basic)];
    let mut asked = request(&Method::GET, &sent);
    admit(&mut asked, &stage);
    let mut forwarded = asked.clone();
    forwarded.extensions_mut().insert(forwarding_token());
    layer().rewrite(&mut asked);
    layer().rewrite(&mut forwarded);
    assert_eq!(asked.headers()["cookie"], "a=1; b=2");
    assert_eq!(forwarded.headers()["cookie"], cookie);
    // The caller is known by the cookie, so this header is the app's own.
    assert_eq!(asked.headers()[AUTHORIZATION], "Basic YTpi");
}

#[test]
fn on_a_public_route_the_apps_own_authorization_passes_and_our_cookies_do_not() {
    let stage = Stage::new();
    let sent = [
        ("authorization", "Bearer of-the-app".to_owned()),
        (
            "cookie",
            "__Host-otp_access=t; __Secure-otp_refresh=t".to_owned(),
        ),
    ];
    let headers = told(&layer(), &stage, None, &sent);
    assert_eq!(headers[AUTHORIZATION], "Bearer of-the-app");
    assert!(!headers.contains_key("cookie"));
}

fn claims_layer(claims: &[&'static str]) -> IdentityLayer {
    let name = |claim: &str| HeaderName::try_from(format!("x-claim-{claim}")).expect("a name");
    IdentityLayer::new(Names {
        claims: claims
            .iter()
            .map(|claim| ((*claim).to_owned(), name(claim)))
            .collect(),
        ..Names::default()
    })
}

fn token_saying(stage: &Stage, claims: Value) -> String {
    let claims: Map<_, _> = serde_json::from_value(claims).expect("an object");
    stage.token_of(&stage.grant(1), claims)
}

#[test]
fn a_claim_becomes_a_header_as_text_or_as_json() {
    let stage = Stage::new();
    let token = token_saying(
        &stage,
        json!({ "a": "text, as it is", "b": 3, "c": ["x", { "y": null }], "d": "" }),
    );
    let forged = lines(&["x-claim-a", "x-claim-missing", "x_claim_missing"]);
    let layer = claims_layer(&["a", "b", "c", "d", "missing"]);
    let headers = told(&layer, &stage, Some(&token), &forged);
    assert_eq!(headers["x-claim-a"], "text, as it is");
    assert_eq!(headers["x-claim-b"], "3");
    assert_eq!(headers["x-claim-c"], r#"["x",{"y":null}]"#);
    assert_eq!(headers["x-claim-d"], "");
    assert!(!headers.contains_key("x-claim-missing"));
    assert!(!headers.contains_key("x_claim_missing"));
}

#[test]
fn a_claim_that_no_header_can_carry_unchanged_becomes_none() {
    let stage = Stage::new();
    for value in [
        json!("a\r\nX-Auth-Subject: admin"),
        json!("a\nb"),
        json!("a\0b"),
        json!("a\tb"),
        json!("jörg"),
        json!("admin "),
        json!(" admin"),
        json!(["jörg"]),
    ] {
        let token = token_saying(&stage, json!({ "a": value }));
        let forged = lines(&["x-claim-a"]);
        let headers = told(&claims_layer(&["a"]), &stage, Some(&token), &forged);
        assert!(!headers.contains_key("x-claim-a"), "{value}");
        assert_eq!(headers["x-auth-subject"], "subject-1");
    }
    // In JSON a control character is escaped, and arrives as what it was.
    let token = token_saying(&stage, json!({ "a": ["b\r\nc"] }));
    let headers = told(&claims_layer(&["a"]), &stage, Some(&token), &[]);
    assert_eq!(headers["x-claim-a"], r#"["b\r\nc"]"#);
}

proptest! {
    /// Whatever separators a client writes between the words, no app server can take its header
    /// for one of ours.
    #[test]
    fn no_spelling_of_an_identity_header_gets_through(
        name in prop_oneof!["x-auth-subject", "x-auth-phone", "x-auth-session"],
        separators in "[-_.!#$%&'*+^`|~]{2}",
        upper in any::<u16>(),
    ) {
        let mut separators = separators.bytes();
        let spelled: Vec<u8> = name
            .bytes()
            .enumerate()
            .map(|(at, byte)| match byte {
                b'-' => separators.next().expect("two of them"),
                letter if upper >> at & 1 == 1 => letter.to_ascii_uppercase(),
                letter => letter,
            })
            .collect();
        let mut asked = request::<&str>(&Method::GET, &[]);
        let spelled = HeaderName::from_bytes(&spelled).expect("a name");
        asked.headers_mut().insert(spelled, HeaderValue::from_static("forged"));
        layer().rewrite(&mut asked);
        prop_assert!(asked.headers().is_empty());
    }

    #[test]
    fn other_headers_pass_as_they_came(
        name in "x-[a-z]{1,9}(-[a-z]{1,9})?",
        value in "[!-~]([ -~]{0,20}[!-~])?",
    ) {
        prop_assume!(!name.starts_with("x-auth-") && name != "x-real-ip");
        let mut asked = request::<&str>(&Method::GET, &[]);
        let name = HeaderName::try_from(name).expect("a name");
        let value = HeaderValue::from_str(&value).expect("a value");
        asked.headers_mut().insert(name.clone(), value.clone());
        layer().rewrite(&mut asked);
        prop_assert_eq!(asked.headers().get(&name), Some(&value));
    }
}
