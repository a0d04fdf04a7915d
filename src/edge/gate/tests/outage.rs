//! What the gate does while revocations may be missing.

use super::*;
use crate::store::revocations::Freshness;

/// The code of the refusal, if there is one, for each kind of access.
fn ask_each(gate: &Gate, request: &Request<()>) -> [Option<Code>; 3] {
    [required(), optional(), RouteAccess::None].map(|access| {
        let admitted = gate.admit(request, &access);
        admitted.err().map(|reject| reject.code())
    })
}

#[test]
fn a_gate_that_refuses_lets_no_token_through_and_everybody_without_one_where_none_is_needed() {
    let stage = Stage::new();
    let gate = stage.gate().on_store_outage(OnOutage::Refuse);
    let with = request(&http::Method::GET, &[bearer(&stage.token(1))]);
    let without = request::<&str>(&http::Method::GET, &[]);
    let unsure = Some(Code::StoreUnavailable);
    // Once with an empty memory, once with a token that is remembered.
    for _ in 0..2 {
        stage.revocations.set(Freshness::Stale);
        assert_eq!(ask_each(&gate, &with), [unsure, unsure, None]);
        let missing = Some(Code::MissingToken);
        assert_eq!(ask_each(&gate, &without), [missing, None, None]);
        stage.revocations.set(Freshness::Fresh);
        assert_eq!(ask_each(&gate, &with), [None, None, None]);
    }
}

#[test]
fn a_gate_that_serves_goes_by_what_it_knows() {
    let stage = Stage::new();
    let gate = stage.gate();
    stage.revocations.set(Freshness::Stale);
    stage.revoke(2);
    assert_eq!(ask(&gate, &stage.token(1)), Ok("subject-1".to_owned()));
    assert_eq!(ask(&gate, &stage.token(2)), Err(Code::SessionRevoked));
    assert_eq!(stage.revocations.judged_unsure(), 1);
}

#[test]
fn what_is_wrong_with_a_token_itself_is_told_in_an_outage_too() {
    let stage = Stage::new();
    let gate = stage.gate().on_store_outage(OnOutage::Refuse);
    stage.revocations.set(Freshness::Stale);
    stage.revoke(2);
    assert_eq!(ask(&gate, "no.token.this"), Err(Code::InvalidToken));
    assert_eq!(ask(&gate, &stage.token(2)), Err(Code::SessionRevoked));
    let old = stage.token(1);
    stage.clock.advance(TTL + LEEWAY);
    assert_eq!(ask(&gate, &old), Err(Code::TokenExpired));
}
