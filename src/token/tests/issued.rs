//! What is issued: its content, its life, and that its reader gets back what was put in.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use proptest::prelude::*;

use super::*;
use crate::token::key::tests::{EC_PRIVATE, EC_PUBLIC, EC_SEC1};

#[test]
fn what_is_issued_is_verified_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let room = Room::new(algorithm);
        let access = room.tokens.verify_access(&room.access(), at(1));
        let access = access.expect("good");
        assert_eq!(access.subject, "subject");
        assert_eq!(access.session, grant().session);
        assert_eq!(access.phone.as_deref(), Some("+15550001111"));
        assert_eq!(access.auth_time, Some(at(0)));
        assert_eq!(access.expires_at, at(900));
        let refresh = room.tokens.verify_refresh(&room.refresh(), at(1));
        let expected = Refresh {
            grant: grant(),
            generation: 4,
            issued_at: at(0),
            expires_at: at(1000),
        };
        assert_eq!(refresh, Ok(expected));
    }
}

/// Made by another library, as an app's own tools would, with the key of RFC 7515 §A.3.
#[test]
fn a_token_that_others_made_with_our_key_is_good_whatever_the_key_file_looks_like() {
    const TOKEN: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImVzMjU2In0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJhcHAiLCJzdWIiOiJ1c2VyLTEwMDAwMCIsImlhdCI6MTAwMDAwMCwiZXhwIjoxMDAwOTAwLCJqdGkiOiIwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMTAxMDEwMSIsInNpZCI6IjAzMDMwMzAzMDMwMzAzMDMwMzAzMDMwMzAzMDMwMzAzIiwiYXV0aF90aW1lIjoxMDAwMDAwLCJhbXIiOlsib3RwIiwic21zIl19.YcR-h6utby_MqnSmxKZfN9JYPcF3048Lg4AUk5-akS49oWksvEHsUAYL1mqGrlkNiEOk7vnYC25kHZRiARDGkg";
    for (pem, can_sign) in [(EC_PRIVATE, true), (EC_SEC1, true), (EC_PUBLIC, false)] {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("es256.active.pem");
        fs::write(&path, pem).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode set");
        let ring = Keyring::load(dir.path(), Algorithm::Es256, at(0), Duration::ZERO);
        let tokens = Room::with(ring.expect(pem)).tokens;
        let access = tokens.verify_access(TOKEN, at(1)).expect("good");
        assert_eq!(access.subject, "user-100000");
        assert_eq!(access.phone, None);
        assert_eq!(access.claims["amr"], json!(["otp", "sms"]));
        let issued = tokens.issue_access(&grant(), [1; 16], at(0));
        assert_eq!(issued.err(), (!can_sign).then_some(SignError::NoKey));
    }
}

#[test]
fn an_access_token_says_all_that_it_should_and_nothing_else() {
    let room = Room::new(Algorithm::Es256);
    let token = room.access();
    let key = room.key();
    assert_eq!(
        part(&token, 0),
        json!({ "alg": "ES256", "kid": key.kid(), "typ": "at+jwt" })
    );
    let claims = json!({
        "iss": "https://login.example",
        "sub": "subject",
        "aud": "app",
        "iat": 1_000_000,
        "nbf": 1_000_000,
        "exp": 1_000_900,
        "jti": "01010101010101010101010101010101",
        "sid": "03030303030303030303030303030303",
        "phone_number": "+15550001111",
        "auth_time": 1_000_000,
        "amr": ["otp", "sms"],
    });
    assert_eq!(part(&token, 1), claims);
    let access = room.tokens.verify_access(&token, at(1)).expect("good");
    assert_eq!(Value::Object(access.claims), claims);
}

#[test]
fn extra_claims_are_added_and_never_overrule_ours() {
    let plain = part(&Room::new(Algorithm::Hs256).access(), 1);
    let mut spec = spec();
    for name in plain.as_object().expect("claims").keys() {
        spec.extra_claims.insert(name.clone(), json!("forged"));
    }
    spec.extra_claims
        .insert("tenant".to_owned(), json!({ "id": 7 }));
    let room = Room::new(Algorithm::Hs256);
    let masters = masters(&[7]);
    let tokens = Tokens::new(spec, &masters, Arc::clone(&room.keys));
    let token = tokens
        .issue_access(&grant(), [1; 16], at(0))
        .expect("signed");
    let mut expected = plain;
    expected["tenant"] = json!({ "id": 7 });
    assert_eq!(part(&token, 1), expected);
    let access = tokens.verify_access(&token, at(1)).expect("good");
    assert_eq!(access.claims["tenant"]["id"], 7);
}

#[test]
fn the_same_refresh_is_answered_with_the_same_token_even_after_a_restart() {
    let token = Room::new(Algorithm::Es256).refresh();
    let restarted = Room::new(Algorithm::EdDsa);
    assert_eq!(token, restarted.refresh());
    assert_eq!(
        part(&token, 0),
        json!({ "alg": "HS256", "kid": master(7).id().to_string(), "typ": "rt+jwt" })
    );
    let issue = |generation, issued_at, expires_at| {
        restarted
            .tokens
            .issue_refresh(&grant(), generation, issued_at, expires_at)
            .expect("signed")
    };
    assert_eq!(token, issue(4, at(0), at(1000)));
    assert_ne!(token, issue(5, at(0), at(1000)));
    assert_ne!(token, issue(4, at(1), at(1000)));
    assert_ne!(token, issue(4, at(0), at(1001)));
}

#[test]
fn a_new_master_secret_signs_and_the_old_one_still_verifies_until_it_is_taken_away() {
    let room = Room::new(Algorithm::Es256);
    let with = |masters: Masters| Tokens::new(spec(), &masters, Arc::clone(&room.keys));
    let old = room.refresh();
    let both = with(masters(&[8, 7]));
    assert!(both.verify_refresh(&old, at(1)).is_ok());
    let new = both
        .issue_refresh(&grant(), 4, at(0), at(1000))
        .expect("signed");
    assert_eq!(part(&new, 0)["kid"], json!(master(8).id().to_string()));
    assert!(both.verify_refresh(&new, at(1)).is_ok());
    let only_new = with(masters(&[8]));
    assert_eq!(
        only_new.verify_refresh(&old, at(1)),
        Err(Refusal::UnknownKey)
    );
}

#[test]
fn new_keys_reach_all_clones_at_once() {
    let room = Room::new(Algorithm::Es256);
    let clone = room.tokens.clone();
    let token = room.access();
    let ring = Keyring::ephemeral(Algorithm::EdDsa).expect("a key");
    room.keys.store(Arc::new(ring));
    assert_eq!(clone.verify_access(&token, at(1)), Err(Refusal::UnknownKey));
    let token = clone
        .issue_access(&grant(), [1; 16], at(0))
        .expect("signed");
    assert_eq!(part(&token, 0)["alg"], "EdDSA");
    assert!(room.tokens.verify_access(&token, at(1)).is_ok());
}

#[test]
fn the_key_set_names_public_keys_and_never_a_shared_secret() {
    for algorithm in Algorithm::ALL {
        let room = Room::new(algorithm);
        let set = room.tokens.jwks();
        let keys = set["keys"].as_array().expect("a list");
        if algorithm == Algorithm::Hs256 {
            assert!(keys.is_empty());
            continue;
        }
        let [key] = keys.as_slice() else {
            panic!("{set}")
        };
        assert_eq!(key["kid"], room.key().kid());
        assert_eq!(key["alg"], algorithm.as_str());
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{set}");
        }
    }
}

proptest! {
    #[test]
    fn every_grant_comes_back_as_it_was(
        subject in "\\PC{1,40}",
        phone in "\\PC{0,20}",
        session: [u8; 16],
        generation: u32,
        opened in 0..1_000_000_u64,
        amr in prop::collection::vec("\\PC{0,8}", 0..4),
    ) {
        let room = Room::new(Algorithm::Hs256);
        let grant = Grant {
            subject,
            session: SessionId::new(session),
            phone,
            auth_time: Timestamp::from_secs(opened),
            amr,
        };
        let token = room.tokens.issue_refresh(&grant, generation, at(0), at(9)).expect("signed");
        let refresh = room.tokens.verify_refresh(&token, at(8)).expect("good");
        prop_assert_eq!(&refresh.grant, &grant);
        prop_assert_eq!(refresh.generation, generation);
        let token = room.tokens.issue_access(&grant, [0; 16], at(0)).expect("signed");
        let access = room.tokens.verify_access(&token, at(8)).expect("good");
        prop_assert_eq!(access.subject, grant.subject);
        prop_assert_eq!(access.phone, Some(grant.phone));
        prop_assert_eq!(access.auth_time, Some(grant.auth_time));
    }
}
