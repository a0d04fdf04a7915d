//! Tokens that were signed with the right key and are refused for what they say.

use super::*;
use crate::reject::{Code, Reject};

#[test]
fn the_bare_minimum_is_accepted() {
    let room = Room::new(Algorithm::Hs256);
    let access = room.judge(&header(&room.key()), &claims(), at(0));
    let access = access.expect("good");
    assert_eq!((access.phone, access.auth_time), (None, None));
}

#[test]
fn a_token_dies_when_it_says_so_and_not_before() {
    let room = Room::new(Algorithm::Hs256);
    let header = header(&room.key());
    let judge = |now| room.judge(&header, &claims(), now).err();
    let last = Timestamp::from_millis(at(930).as_millis() - 1);
    assert_eq!(judge(at(900)), None);
    assert_eq!(judge(last), None);
    assert_eq!(judge(at(930)), Some(Refusal::Expired));
    let refresh = |now| room.tokens.verify_refresh(&room.refresh(), now).err();
    assert_eq!(refresh(at(1029)), None);
    assert_eq!(refresh(at(1030)), Some(Refusal::Expired));
}

#[test]
fn a_token_from_the_future_is_refused() {
    let room = Room::new(Algorithm::Hs256);
    for name in ["nbf", "iat"] {
        let mut claims = claims();
        claims[name] = json!(1_000_100);
        let judge = |now| room.judge(&header(&room.key()), &claims, now).err();
        let last = Timestamp::from_millis(at(70).as_millis() - 1);
        assert_eq!(judge(last), Some(Refusal::NotYetValid));
        assert_eq!(judge(at(70)), None);
    }
    let tokens = &room.tokens;
    let early = tokens.issue_refresh(&grant(), 0, at(100), at(1000));
    assert_eq!(
        tokens.verify_refresh(&early.expect("signed"), at(69)),
        Err(Refusal::NotYetValid)
    );
}

#[test]
fn an_expired_token_can_still_be_read_but_only_if_all_else_is_right() {
    let room = Room::new(Algorithm::Hs256);
    let read = |token: &str| {
        let access = room.tokens.read_access_ignoring_expiry(token, at(5000));
        access.map(|access| access.session)
    };
    let header = header(&room.key()).to_string();
    let expired = signed(&room.key(), &header, &claims().to_string());
    assert_eq!(read(&expired), Ok(grant().session));
    let cut = expired.len() - 8;
    assert_eq!(read(&expired[..cut]), Err(Refusal::BadSignature));
    let mut elsewhere = claims();
    elsewhere["aud"] = json!("elsewhere");
    let elsewhere = signed(&room.key(), &header, &elsewhere.to_string());
    assert_eq!(read(&elsewhere), Err(Refusal::WrongAudience));
    assert_eq!(
        room.tokens.verify_access(&elsewhere, at(5000)),
        Err(Refusal::WrongAudience),
        "expired means: good otherwise"
    );
    assert_eq!(read(&room.refresh()), Err(Refusal::WrongType));
}

#[test]
fn every_mandatory_claim_is_missed_and_must_be_of_its_kind() {
    let room = Room::new(Algorithm::Hs256);
    for (name, nonsense) in [
        ("iss", json!(["https://login.example"])),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sid", json!("session")),
        ("sid", json!("0303030303030303030303030303030G")),
        ("sid", json!(3)),
        ("exp", json!("1000900")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("nbf", json!("0")),
        ("iat", json!({})),
    ] {
        let mut claims = claims();
        claims[name] = nonsense;
        let judge = |claims: &Value| room.judge(&header(&room.key()), claims, at(0)).err();
        assert_eq!(
            judge(&claims),
            Some(Refusal::MissingClaim(name)),
            "{claims}"
        );
        let mandatory = !matches!(name, "nbf" | "iat");
        claims.as_object_mut().expect("claims").remove(name);
        assert_eq!(
            judge(&claims),
            mandatory.then_some(Refusal::MissingClaim(name))
        );
    }
}

#[test]
fn every_claim_of_a_refresh_token_is_mandatory() {
    let room = Room::new(Algorithm::Hs256);
    let whole = part(&room.refresh(), 1);
    let key = Key::hmac(master(7).id().to_string(), master(7).refresh_key());
    let header = json!({ "alg": "HS256", "typ": "rt+jwt", "kid": key.kid() }).to_string();
    let judge = |claims: &Value| {
        let token = signed(&key, &header, &claims.to_string());
        room.tokens.verify_refresh(&token, at(1)).err()
    };
    assert_eq!(judge(&whole), None);
    for name in [
        "iss",
        "sub",
        "sid",
        "gen",
        "iat",
        "exp",
        "phone_number",
        "auth_time",
        "amr",
    ] {
        let mut claims = whole.clone();
        claims[name] = json!([1]);
        assert_eq!(judge(&claims), Some(Refusal::MissingClaim(name)));
        claims.as_object_mut().expect("claims").remove(name);
        assert_eq!(judge(&claims), Some(Refusal::MissingClaim(name)));
    }
    let mut claims = whole;
    claims["gen"] = json!(u64::from(u32::MAX) + 1);
    assert_eq!(judge(&claims), Some(Refusal::MissingClaim("gen")));
    claims["iss"] = json!("https://login.example.evil.example");
    assert_eq!(judge(&claims), Some(Refusal::WrongIssuer));
}

#[test]
fn only_our_issuer_and_our_audience_will_do() {
    let room = Room::new(Algorithm::Hs256);
    let judge = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        room.judge(&header(&room.key()), &claims, at(0)).err()
    };
    for issuer in [
        "",
        "https://login.example/",
        "https://LOGIN.example",
        "login.example",
    ] {
        assert_eq!(judge("iss", json!(issuer)), Some(Refusal::WrongIssuer));
    }
    assert_eq!(judge("aud", json!(["elsewhere", "app"])), None);
    for audience in [
        json!(""),
        json!("App"),
        json!("app "),
        json!("app,elsewhere"),
        json!([]),
        json!(["elsewhere"]),
        json!([["app"]]),
        json!({ "app": "app" }),
        json!(null),
        json!(7),
    ] {
        assert_eq!(judge("aud", audience), Some(Refusal::WrongAudience));
    }
    let mut nobody = claims();
    nobody.as_object_mut().expect("claims").remove("aud");
    assert_eq!(
        room.judge(&header(&room.key()), &nobody, at(0)).err(),
        Some(Refusal::MissingClaim("aud"))
    );
}

#[test]
fn no_kind_of_token_passes_as_the_other() {
    let room = Room::new(Algorithm::Hs256);
    assert_eq!(
        room.tokens.verify_access(&room.refresh(), at(1)),
        Err(Refusal::WrongType)
    );
    assert_eq!(
        room.tokens.verify_refresh(&room.access(), at(1)),
        Err(Refusal::WrongType)
    );
}

#[test]
fn the_type_is_mandatory_and_has_few_spellings() {
    let room = Room::new(Algorithm::Hs256);
    let judge = |typ: Value| {
        let mut header = header(&room.key());
        header["typ"] = typ;
        room.judge(&header, &claims(), at(0)).err()
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert_eq!(judge(json!(typ)), None, "{typ}");
    }
    for typ in [
        json!("JWT"),
        json!("rt+jwt"),
        json!(""),
        json!("at+jwt "),
        json!("at"),
        json!("application/"),
        json!("application/JWT"),
        json!("application/application/at+jwt"),
        json!("text/at+jwt"),
        json!("applicatioñ/at+jwt"),
        json!(null),
        json!(["at+jwt"]),
    ] {
        assert_eq!(judge(typ.clone()), Some(Refusal::WrongType), "{typ}");
    }
    let mut untyped = header(&room.key());
    untyped.as_object_mut().expect("header").remove("typ");
    assert_eq!(
        room.judge(&untyped, &claims(), at(0)).err(),
        Some(Refusal::WrongType)
    );
}

#[test]
fn a_client_is_told_to_refresh_only_when_that_can_help() {
    for refusal in [
        Refusal::Malformed,
        Refusal::WrongType,
        Refusal::UnknownKey,
        Refusal::WrongAlgorithm,
        Refusal::BadSignature,
        Refusal::WrongIssuer,
        Refusal::WrongAudience,
        Refusal::MissingClaim("sid"),
        Refusal::NotYetValid,
    ] {
        assert_eq!(Reject::from(refusal).code(), Code::InvalidToken);
    }
    assert_eq!(Reject::from(Refusal::Expired).code(), Code::TokenExpired);
}
