//! Which tokens open the gate, for how long, and from where they are taken.

use serde_json::{Map, json};

use super::*;
use crate::{
    edge::tests::{LEEWAY, Stage, TTL, bearer, request, ring, session},
    token::Grant,
};

mod browsers;
mod demanded;
mod outage;

const MILLISECOND: std::time::Duration = std::time::Duration::from_millis(1);

fn required() -> RouteAccess {
    RouteAccess::default()
}

fn optional() -> RouteAccess {
    RouteAccess::Optional(Demands::default())
}

/// Asks with a token in the header: the subject, or the code of the refusal.
fn ask(gate: &Gate, token: &str) -> Result<String, Code> {
    ask_as(gate, &request(&http::Method::GET, &[bearer(token)])).map(Option::unwrap_or_default)
}

fn ask_as(gate: &Gate, request: &Request<()>) -> Result<Option<String>, Code> {
    let principal = gate.admit(request, &required());
    let principal = principal.map_err(|reject| reject.code())?;
    Ok(principal.map(|principal| principal.subject().to_owned()))
}

#[test]
fn a_good_token_tells_who_is_calling() {
    let stage = Stage::new();
    let asked = request(&http::Method::GET, &[bearer(&stage.token(1))]);
    let principal = stage.gate().admit(&asked, &required()).expect("good");
    let principal = principal.expect("identified");
    assert_eq!(principal.subject(), "subject-1");
    assert_eq!(principal.session(), session(1));
    assert_eq!(principal.credential(), Credential::Header);
    assert_eq!(principal.subject_value(), "subject-1");
    assert_eq!(principal.phone_value().expect("a phone"), "+15550001111");
    assert_eq!(*principal.session_value(), *session(1).to_string());
}

#[test]
fn a_principal_and_a_gate_show_neither_phone_nor_token() {
    let stage = Stage::new();
    let gate = stage.gate();
    let token = stage.token(1);
    let asked = request(&http::Method::GET, &[bearer(&token)]);
    let shown = format!("{:?} {gate:?}", gate.admit(&asked, &required()));
    assert!(shown.contains("subject-1"), "{shown}");
    assert!(
        !shown.contains("1555") && !shown.contains(&token),
        "{shown}"
    );
}

#[test]
fn nobody_passes_without_a_token_where_one_is_required() {
    let gate = Stage::new().gate();
    let asked = request::<&str>(&http::Method::GET, &[]);
    assert_eq!(ask_as(&gate, &asked), Err(Code::MissingToken));
}

#[test]
fn who_need_not_say_who_they_are_must_not_lie_about_it() {
    let stage = Stage::new();
    let gate = stage.gate();
    let admit = |lines: &[(&'static str, String)]| {
        let principal = gate.admit(&request(&http::Method::GET, lines), &optional());
        principal
            .map(|principal| principal.map(|p| p.subject().to_owned()))
            .map_err(|reject| reject.code())
    };
    assert_eq!(admit(&[]), Ok(None));
    let known = Ok(Some("subject-1".to_owned()));
    assert_eq!(admit(&[bearer(&stage.token(1))]), known);
    assert_eq!(admit(&[bearer("nonsense")]), Err(Code::InvalidToken));
    stage.revoke(1);
    let revoked = admit(&[bearer(&stage.token(1))]);
    assert_eq!(revoked, Err(Code::SessionRevoked));
}

#[test]
fn where_no_token_is_looked_at_nothing_about_it_matters() {
    let stage = Stage::new();
    stage.revoke(1);
    let token = bearer(&stage.token(1));
    for lines in [
        vec![],
        vec![token.clone()],
        vec![token.clone(), token],
        vec![("cookie", "otp_access=a; otp_access=b".to_owned())],
    ] {
        let asked = request(&http::Method::POST, &lines);
        let admitted = stage.gate().admit(&asked, &RouteAccess::None);
        assert!(matches!(admitted, Ok(None)), "{lines:?}");
    }
}

#[test]
fn two_authorization_headers_are_refused_even_when_they_agree() {
    let stage = Stage::new();
    let gate = stage.gate();
    let good = bearer(&stage.token(1));
    let basic = ("authorization", "Basic YTpi".to_owned());
    for lines in [
        [good.clone(), good.clone()],
        [good.clone(), basic.clone()],
        [basic, good],
    ] {
        let asked = request(&http::Method::GET, &lines);
        for access in [required(), optional()] {
            let refused = gate.admit(&asked, &access).expect_err("ambiguous");
            assert_eq!(refused.code(), Code::InvalidToken);
        }
    }
}

#[test]
fn a_token_of_another_kind_or_of_other_keys_is_refused() {
    let stage = Stage::new();
    let gate = stage.gate();
    let now = stage.clock.now();
    let refresh = stage
        .tokens(Map::new())
        .issue_refresh(&stage.grant(1), 0, now, now + TTL)
        .expect("there is a key");
    assert_eq!(ask(&gate, &refresh), Err(Code::InvalidToken));
    let elsewhere = Stage::new().token(1);
    assert_eq!(ask(&gate, &elsewhere), Err(Code::InvalidToken));
}

#[test]
fn a_token_that_was_remembered_lends_its_good_name_to_no_other() {
    let stage = Stage::new();
    let gate = stage.gate();
    let good = stage.token(1);
    for at in 0..good.len() {
        assert!(ask(&gate, &good).is_ok());
        let mut forged = good.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        assert_eq!(ask(&gate, &forged), Err(Code::InvalidToken), "{at}");
    }
    assert_eq!(ask(&gate, &good[..good.len() - 1]), Err(Code::InvalidToken));
}

#[test]
fn a_revoked_session_is_refused_from_the_next_request_on_at_every_gate() {
    let stage = Stage::new();
    let (one, other) = (stage.gate(), stage.gate());
    let (ended, going_on) = (stage.token(1), stage.token(2));
    for gate in [&one, &other] {
        assert!(ask(gate, &ended).is_ok() && ask(gate, &going_on).is_ok());
    }
    stage.revoke(1);
    for gate in [&one, &other, &stage.gate()] {
        assert_eq!(ask(gate, &ended), Err(Code::SessionRevoked));
        assert_eq!(ask(gate, &stage.token(1)), Err(Code::SessionRevoked));
        assert_eq!(ask(gate, &going_on), Ok("subject-2".to_owned()));
    }
}

#[test]
fn a_new_set_of_keys_decides_anew_about_remembered_tokens() {
    let stage = Stage::new();
    let gate = stage.gate();
    let old_keys = stage.keys.load_full();
    let token = stage.token(1);
    assert!(ask(&gate, &token).is_ok());
    stage.keys.store(Arc::new(ring()));
    assert_eq!(ask(&gate, &token), Err(Code::InvalidToken));
    assert!(ask(&gate, &stage.token(1)).is_ok());
    stage.keys.store(old_keys);
    assert!(ask(&gate, &token).is_ok());
}

#[test]
fn a_remembered_token_dies_at_the_same_moment_as_one_that_is_not() {
    let stage = Stage::new();
    let gate = stage.gate();
    let token = stage.token(1);
    assert!(ask(&gate, &token).is_ok());
    stage.clock.advance(TTL + LEEWAY);
    for gate in [&gate, &stage.gate()] {
        assert_eq!(ask(gate, &token), Err(Code::TokenExpired));
    }

    let token = stage.token(2);
    assert!(ask(&gate, &token).is_ok());
    stage.clock.advance(TTL);
    stage.clock.advance(LEEWAY.saturating_sub(MILLISECOND));
    for gate in [&gate, &stage.gate()] {
        assert!(ask(gate, &token).is_ok());
    }
}

#[test]
fn a_subject_that_no_header_can_carry_unchanged_is_nobody() {
    let stage = Stage::new();
    let gate = stage.gate();
    for subject in [
        "a\r\nX-Auth-Subject: admin",
        "a\nb",
        "a\0",
        "a\tb",
        "jörg",
        "\u{7f}",
        " admin",
        "admin ",
        " ",
    ] {
        let grant = Grant {
            subject: subject.to_owned(),
            ..stage.grant(1)
        };
        let token = stage.token_of(&grant, Map::new());
        assert_eq!(ask(&gate, &token), Err(Code::InvalidToken), "{subject:?}");
    }
}

#[test]
fn a_phone_that_no_header_can_carry_unchanged_becomes_none() {
    let stage = Stage::new();
    for phone in ["+1\r\nX-Auth-Subject: admin", "+1\u{660}", "+1 ", "\t+1"] {
        let grant = Grant {
            phone: phone.to_owned(),
            ..stage.grant(1)
        };
        let token = stage.token_of(&grant, Map::new());
        let asked = request(&http::Method::GET, &[bearer(&token)]);
        let principal = stage.gate().admit(&asked, &required()).expect("good");
        let principal = principal.expect("identified");
        assert_eq!(principal.phone_value(), None, "{phone:?}");
    }
}
