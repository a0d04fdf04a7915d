//! What a route asks of a token beyond being good.

use std::time::Duration;

use super::*;

fn ask_for(
    gate: &Gate,
    token: &str,
    demands: &Demands,
    access: fn(Demands) -> RouteAccess,
) -> Result<(), Code> {
    let asked = request(&http::Method::GET, &[bearer(token)]);
    let admitted = gate.admit(&asked, &access(demands.clone()));
    admitted.map(|_| ()).map_err(|reject| reject.code())
}

fn demands(scopes: &[&str], claims: &[(&str, &[Value])]) -> Demands {
    Demands {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        claims: claims
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.to_vec()))
            .collect(),
        max_auth_age: None,
    }
}

fn claims(json: Value) -> Map<String, Value> {
    serde_json::from_value(json).expect("an object")
}

#[test]
fn every_scope_must_be_there_as_a_whole_word() {
    let stage = Stage::new();
    let gate = stage.gate();
    for (scope, wanted, passes) in [
        (json!("read write"), &["read"][..], true),
        (json!("read write"), &["write", "read"], true),
        (json!("read write"), &["read", "admin"], false),
        (json!("readwrite"), &["read"], false),
        (json!("read:all"), &["read"], false),
        (json!("READ"), &["read"], false),
        (json!("read,write"), &["read"], false),
        (json!(""), &["read"], false),
        (json!(["read"]), &["read"], false),
        (json!(null), &["read"], false),
    ] {
        let token = stage.token_of(&stage.grant(1), claims(json!({ "scope": scope })));
        let expected = if passes {
            Ok(())
        } else {
            Err(Code::InsufficientScope)
        };
        for access in [RouteAccess::Required, RouteAccess::Optional] {
            let met = ask_for(&gate, &token, &demands(wanted, &[]), access);
            assert_eq!(met, expected, "{scope} {wanted:?}");
        }
    }
    let without = ask_for(
        &gate,
        &stage.token(1),
        &demands(&["read"], &[]),
        RouteAccess::Required,
    );
    assert_eq!(without, Err(Code::InsufficientScope));
}

#[test]
fn a_claim_must_equal_or_hold_one_of_the_values() {
    let stage = Stage::new();
    let gate = stage.gate();
    let roles = &[json!("admin"), json!("owner")][..];
    for (role, passes) in [
        (json!("admin"), true),
        (json!("owner"), true),
        (json!(["guest", "owner"]), true),
        (json!([]), false),
        (json!("guest"), false),
        (json!("admin owner"), false),
        (json!("Admin"), false),
        (json!({ "admin": true }), false),
        (json!(true), false),
        (json!(null), false),
    ] {
        let token = stage.token_of(&stage.grant(1), claims(json!({ "role": role })));
        let met = ask_for(
            &gate,
            &token,
            &demands(&[], &[("role", roles)]),
            RouteAccess::Required,
        );
        assert_eq!(met.is_ok(), passes, "{role}");
    }
    let token = stage.token_of(
        &stage.grant(1),
        claims(json!({ "role": "admin", "level": 3 })),
    );
    let ask = |level: &[Value]| {
        let both = demands(&[], &[("role", roles), ("level", level)]);
        ask_for(&gate, &token, &both, RouteAccess::Required)
    };
    assert_eq!(ask(&[json!(3)]), Ok(()));
    assert_eq!(ask(&[json!(4)]), Err(Code::InsufficientScope));
    assert_eq!(ask(&[json!("3")]), Err(Code::InsufficientScope));
    assert_eq!(ask(&[]), Err(Code::InsufficientScope));
}

#[test]
fn a_login_may_be_as_old_as_the_route_says_and_no_older() {
    let stage = Stage::new();
    let gate = stage.gate();
    let recent = Demands {
        max_auth_age: Some(Duration::from_mins(5)),
        ..Demands::default()
    };
    let token = stage.token(1);
    let ask = || ask_for(&gate, &token, &recent, RouteAccess::Required);
    stage.clock.advance(Duration::from_mins(5));
    assert_eq!(ask(), Ok(()));
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(), Err(Code::InsufficientUserAuthentication));
    // Elsewhere the same token is as good as before.
    assert!(super::ask(&gate, &token).is_ok());
}

#[test]
fn a_token_that_does_not_tell_when_its_owner_logged_in_is_not_recent() {
    let access = Access {
        subject: "subject".to_owned(),
        session: session(1),
        phone: None,
        auth_time: None,
        expires_at: Timestamp::from_secs(9),
        claims: Map::new(),
    };
    let recent = Demands {
        max_auth_age: Some(Duration::MAX),
        ..Demands::default()
    };
    let refused = meets(&access, &recent, Timestamp::from_secs(1)).expect_err("not recent");
    assert_eq!(refused.code(), Code::InsufficientUserAuthentication);
}

#[test]
fn a_token_that_one_route_let_through_is_judged_again_by_the_next() {
    let stage = Stage::new();
    let gate = stage.gate();
    let token = stage.token(1);
    let strict = demands(&["admin"], &[]);
    for _ in 0..2 {
        assert!(ask(&gate, &token).is_ok());
        let met = ask_for(&gate, &token, &strict, RouteAccess::Required);
        assert_eq!(met, Err(Code::InsufficientScope));
    }
}
