//! Tokens made by people who hold no key of ours, and by people who bend good ones.

use proptest::prelude::*;

use super::*;
use crate::token::jws::MAX_BYTES;

#[test]
fn a_token_without_a_signature_is_refused() {
    for algorithm in Algorithm::ALL {
        let room = Room::new(algorithm);
        for none in [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "PS256", "ES384",
        ] {
            if none == algorithm.as_str() {
                continue;
            }
            let mut header = header(&room.key());
            header["alg"] = json!(none);
            let token = signed(&room.key(), &header.to_string(), &claims().to_string());
            let (message, _) = token.rsplit_once('.').expect("a signature");
            for token in [token.clone(), format!("{message}.")] {
                assert_eq!(
                    room.tokens.verify_access(&token, at(0)),
                    Err(Refusal::WrongAlgorithm)
                );
            }
        }
        let good = room.access();
        let (message, _) = good.rsplit_once('.').expect("a signature");
        assert_eq!(
            room.tokens.verify_access(&format!("{message}."), at(0)),
            Err(Refusal::BadSignature)
        );
    }
}

#[test]
fn a_public_key_never_serves_as_a_shared_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let pem = key::tests::EC_PUBLIC;
    std::fs::write(dir.path().join("main.active.pem"), pem).expect("written");
    let ring = Keyring::load(dir.path(), Algorithm::Es256, at(0), Duration::ZERO);
    let room = Room::with(ring.expect("a public key"));
    let published = room.tokens.jwks()["keys"][0].to_string();
    let der = pem::parse(pem).expect("PEM").into_contents();
    let point = der[der.len() - 65..].to_vec();
    for secret in [
        pem.as_bytes().to_vec(),
        pem.trim().as_bytes().to_vec(),
        published.into_bytes(),
        point,
        der,
        Vec::new(),
    ] {
        let key = Key::hmac("main".to_owned(), &Secret::new(secret));
        let token = signed(&key, &header(&key).to_string(), &claims().to_string());
        assert_eq!(
            room.tokens.verify_access(&token, at(0)),
            Err(Refusal::WrongAlgorithm)
        );
        let mut pretended = header(&key);
        pretended["alg"] = json!("ES256");
        let token = signed(&key, &pretended.to_string(), &claims().to_string());
        assert_eq!(
            room.tokens.verify_access(&token, at(0)),
            Err(Refusal::BadSignature)
        );
    }
}

#[test]
fn a_foreign_key_is_refused_under_any_name_and_even_if_the_token_brings_it_along() {
    for algorithm in Algorithm::ALL {
        let room = Room::new(algorithm);
        let theirs = Room::new(algorithm).key();
        let judge = |header: &Value| {
            let token = signed(&theirs, &header.to_string(), &claims().to_string());
            room.tokens.verify_access(&token, at(0)).err()
        };
        assert_eq!(judge(&header(&theirs)), Some(Refusal::UnknownKey));
        let mut header = header(&theirs);
        header["jwk"] = json!(theirs.public());
        header["jku"] = json!("https://evil.example/jwks.json");
        header["x5u"] = json!("https://evil.example/cert.pem");
        assert_eq!(judge(&header), Some(Refusal::UnknownKey));
        header["kid"] = json!(room.key().kid());
        assert_eq!(judge(&header), Some(Refusal::BadSignature));
    }
}

#[test]
fn the_holder_of_the_access_key_cannot_make_refresh_tokens() {
    let room = Room::new(Algorithm::Hs256);
    let claims = part(&room.refresh(), 1).to_string();
    let judge = |kid: &str| {
        let header = json!({ "alg": "HS256", "typ": "rt+jwt", "kid": kid });
        let token = signed(&room.key(), &header.to_string(), &claims);
        room.tokens.verify_refresh(&token, at(1)).err()
    };
    assert_eq!(judge(room.key().kid()), Some(Refusal::UnknownKey));
    assert_eq!(
        judge(&master(7).id().to_string()),
        Some(Refusal::BadSignature)
    );
}

#[test]
fn a_key_name_is_compared_and_never_looked_up_anywhere() {
    let room = Room::new(Algorithm::Hs256);
    let key = room.key();
    let kid = key.kid();
    for name in [
        json!(""),
        json!("../../../../dev/null"),
        json!("/dev/null"),
        json!(format!("./{kid}")),
        json!(format!("{kid}.active.pem")),
        json!(format!("{kid}\0")),
        json!(format!(" {kid}")),
        json!(kid.to_uppercase() + "A"),
        json!("' OR 1=1 --"),
        json!(0),
        json!(null),
        json!([kid]),
    ] {
        let mut header = header(&key);
        header["kid"] = name;
        let verdict = room.judge(&header, &claims(), at(0));
        assert_eq!(verdict, Err(Refusal::UnknownKey), "{header}");
    }
}

#[test]
fn critical_extensions_are_refused_and_other_unknown_members_ignored() {
    let room = Room::new(Algorithm::Hs256);
    let mut header = header(&room.key());
    header["cty"] = json!("JWT");
    header["unknown"] = json!({ "to": "us" });
    assert!(room.judge(&header, &claims(), at(0)).is_ok());
    for extensions in [json!(["b64"]), json!(["exp"]), json!([]), json!(null)] {
        header["crit"] = extensions;
        header["b64"] = json!(false);
        let verdict = room.judge(&header, &claims(), at(0));
        assert_eq!(verdict, Err(Refusal::Malformed));
    }
}

#[test]
fn an_object_that_says_one_thing_twice_is_refused() {
    let room = Room::new(Algorithm::Hs256);
    let key = room.key();
    let judge = |header: &str, claims: &str| {
        let token = signed(&key, header, claims);
        room.tokens.verify_access(&token, at(0)).err()
    };
    let (header, claims) = (header(&key).to_string(), claims().to_string());
    assert_eq!(judge(&header, &claims), None);
    let twice = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    for member in [
        r#""sub":"subject""#,
        r#""sub":"somebody else""#,
        r#""su\u0062":"somebody else""#,
        r#""exp":9999999999"#,
    ] {
        assert_eq!(
            judge(&header, &twice(&claims, member)),
            Some(Refusal::Malformed)
        );
    }
    let member = r#""typ":"at+jwt""#;
    assert_eq!(
        judge(&twice(&header, member), &claims),
        Some(Refusal::Malformed)
    );
}

#[test]
fn parts_that_are_no_objects_are_refused() {
    let room = Room::new(Algorithm::Hs256);
    let key = room.key();
    let (good_header, good_claims) = (header(&key).to_string(), claims().to_string());
    let deep = "[".repeat(2000) + &"]".repeat(2000);
    let deep = format!(r#"{{"a":{deep}}}"#);
    let trailing = format!("{good_claims}x");
    let cut = &good_claims[..good_claims.len() - 1];
    for odd in [
        "",
        "[]",
        "7",
        "null",
        r#""text""#,
        "{",
        "{}{}",
        cut,
        &trailing,
        &deep,
    ] {
        for token in [
            signed(&key, odd, &good_claims),
            signed(&key, &good_header, odd),
        ] {
            assert_eq!(
                room.tokens.verify_access(&token, at(0)),
                Err(Refusal::Malformed),
                "{odd}"
            );
        }
    }
}

#[test]
fn a_token_may_be_as_long_as_the_bound_and_no_longer() {
    let room = Room::new(Algorithm::Hs256);
    let key = room.key();
    let of_length = |padding: usize| {
        let mut claims = claims();
        claims["padding"] = json!("x".repeat(padding));
        signed(&key, &header(&key).to_string(), &claims.to_string())
    };
    let padding = (0..MAX_BYTES)
        .rev()
        .find(|padding| of_length(*padding).len() <= MAX_BYTES);
    let padding = padding.expect("some length");
    assert!(
        room.tokens
            .verify_access(&of_length(padding), at(0))
            .is_ok()
    );
    assert_eq!(
        room.tokens.verify_access(&of_length(padding + 1), at(0)),
        Err(Refusal::Malformed)
    );
    let huge = "a".repeat(10_000_000);
    assert_eq!(
        room.tokens.verify_access(&huge, at(0)),
        Err(Refusal::Malformed)
    );
}

#[test]
fn what_has_not_exactly_three_parts_is_refused() {
    let room = Room::new(Algorithm::Hs256);
    let good = room.access();
    let (header, rest) = good.split_once('.').expect("a header");
    let (payload, signature) = rest.split_once('.').expect("a payload");
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        "ß.ß.ß".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}{payload}.{signature}"),
        format!(".{good}"),
        format!("{good}."),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{good}.{payload}.{signature}"),
        format!("Bearer {good}"),
        format!(" {good}"),
    ] {
        assert_eq!(
            room.tokens.verify_access(&token, at(0)),
            Err(Refusal::Malformed),
            "{token}"
        );
    }
    for ending in [" ", "\n", "\0", "=", "A"] {
        let token = format!("{good}{ending}");
        assert_eq!(
            room.tokens.verify_access(&token, at(0)),
            Err(Refusal::BadSignature),
            "{token}"
        );
    }
}

/// A signature of 32 bytes ends in a character of which two bits mean nothing. A second spelling
/// of a token would be a second key in a cache, and a way around a list of refused ones.
#[test]
fn a_token_has_one_spelling() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=";
    let room = Room::new(Algorithm::Hs256);
    let good = room.access();
    for position in 0..good.len() {
        let (before, after) = (&good[..position], &good[position + 1..]);
        for other in ALPHABET
            .chars()
            .filter(|c| !good[position..].starts_with(*c))
        {
            let token = format!("{before}{other}{after}");
            assert!(room.tokens.verify_access(&token, at(0)).is_err(), "{token}");
        }
        assert!(room.tokens.verify_access(before, at(0)).is_err());
        let token = format!("{before}{after}");
        assert!(room.tokens.verify_access(&token, at(0)).is_err());
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_is_believed(
        token in prop_oneof![
            "\\PC{0,200}",
            "[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,4}",
        ],
        now: u64,
    ) {
        let room = Room::new(Algorithm::Hs256);
        let now = Timestamp::from_millis(now);
        prop_assert!(room.tokens.verify_access(&token, now).is_err());
        prop_assert!(room.tokens.verify_refresh(&token, now).is_err());
        prop_assert!(room.tokens.read_access_ignoring_expiry(&token, now).is_err());
    }

    /// Whatever a signed token says, it is believed only within its time and for its audience.
    #[test]
    fn signed_nonsense_is_no_token(
        name in prop::sample::select(vec!["iss", "aud", "sub", "sid", "exp", "nbf", "iat", "auth_time"]),
        nonsense in prop_oneof![
            any::<u64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|n| json!(n)),
            "\\PC{0,40}".prop_map(|t| json!(t)),
            prop::collection::vec("[a-z]{0,4}", 0..3).prop_map(|l| json!(l)),
        ],
        now: u64,
    ) {
        let room = Room::new(Algorithm::Hs256);
        let mut claims = claims();
        claims[name] = nonsense;
        let now = Timestamp::from_millis(now);
        if let Ok(access) = room.judge(&header(&room.key()), &claims, now) {
            prop_assert!(now < access.expires_at + Duration::from_secs(30));
            prop_assert_eq!(&access.claims["iss"], "https://login.example");
            prop_assert!(!access.subject.is_empty());
        }
    }

    #[test]
    fn a_bent_token_never_says_something_else(
        algorithm in prop::sample::select(vec![Algorithm::Es256, Algorithm::EdDsa]),
        position: prop::sample::Index,
        byte in 0x20_u8..0x7f,
    ) {
        let room = Room::new(algorithm);
        let good = room.access();
        let mut bent = good.clone().into_bytes();
        *position.get_mut(&mut bent) = byte;
        let bent = String::from_utf8(bent).expect("ASCII");
        if bent != good {
            prop_assert!(room.tokens.verify_access(&bent, at(0)).is_err());
        }
    }
}
