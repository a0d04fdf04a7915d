//! Who somebody is, told to themselves and to apps that verify tokens on their own.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::stage::{PHONE, Stage, jwt};

#[tokio::test]
async fn me_is_what_the_token_says_with_the_claims_of_the_house() {
    let stage = Stage::with(&["tokens.claims = { tenant = \"acme\", tier = 3 }"]).await;
    let login = stage.clock.now().as_secs();
    let tokens = stage.log_in(PHONE).await;
    stage.pass(Duration::from_secs(100));
    let answer = stage
        .get("/api/auth/me")
        .bearer(&tokens.access)
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.json(),
        json!({
            "sub": jwt::claims(&tokens.access)["sub"],
            "phone_number": PHONE,
            "session_id": tokens.session,
            "auth_time": login,
            "expires_in": 15 * 60 - 100,
            "tenant": "acme",
            "tier": 3,
        })
    );
}

#[tokio::test]
async fn me_is_nobody_without_a_good_token() {
    let stage = Stage::new().await;
    let me = || stage.get("/api/auth/me");
    let answer = me().send().await;
    answer.is_refused(401, "missing_token");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let tokens = stage.log_in(PHONE).await;
    stage.pass(Duration::from_secs(15 * 60 + 30));
    let answer = me().bearer(&tokens.access).send().await;
    answer.is_refused(401, "token_expired");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn anybody_can_verify_a_token_with_the_public_keys() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let published = stage.get("/api/auth/.well-known/jwks.json").send().await;
    assert_eq!(published.status, 200);
    assert_eq!(published.header("cache-control"), "public, max-age=300");
    let jwks = published.json();
    let keys = jwks["keys"].as_array().expect("keys");
    // The one that signs and the one that will.
    assert_eq!(keys.len(), 2);
    for key in keys {
        let members: Vec<&String> = key.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(key["alg"], "ES256");
        assert_eq!(key["use"], "sig");
    }

    let kid = &jwt::header(&tokens.access)["kid"];
    let key = keys.iter().find(|key| key["kid"] == *kid).expect("the key");
    let point = [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let verifies = |token: &str| {
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let signature = bytes(&json!(signature));
        key.verify(message.as_bytes(), &signature).is_ok()
    };
    assert!(verifies(&tokens.access));
    assert!(!verifies(&jwt::bent(&tokens.access, 1)));
}

#[tokio::test]
async fn a_shared_key_is_never_published() {
    let stage = Stage::with(&["tokens.algorithm = \"HS256\""]).await;
    let tokens = stage.log_in(PHONE).await;
    assert_eq!(jwt::header(&tokens.access)["alg"], "HS256");
    let jwks = stage.get("/api/auth/.well-known/jwks.json").send().await;
    assert_eq!(jwks.json(), json!({ "keys": [] }));
    let answer = stage.get("/orders").bearer(&tokens.access).send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn other_algorithms_work_from_login_to_app() {
    for (algorithm, kty) in [("EdDSA", "OKP"), ("RS256", "RSA")] {
        let stage = Stage::with(&[&format!("tokens.algorithm = \"{algorithm}\"")]).await;
        let tokens = stage.log_in(PHONE).await;
        assert_eq!(jwt::header(&tokens.access)["alg"], algorithm);
        let answer = stage.get("/orders").bearer(&tokens.access).send().await;
        assert_eq!(answer.status, 200, "{algorithm}");
        let jwks = stage.get("/api/auth/.well-known/jwks.json").send().await;
        let jwks = jwks.json();
        assert_eq!(jwks["keys"][0]["kty"], kty);
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(jwks["keys"][0].get(private), None, "{algorithm} {private}");
        }
    }
}

#[tokio::test]
async fn the_metadata_name_the_issuer_and_where_its_keys_are() {
    let stage = Stage::with(&["server.public_url = \"https://id.example.com\""]).await;
    let path = "/api/auth/.well-known/oauth-authorization-server";
    let metadata = stage.get(path).send().await;
    assert_eq!(metadata.status, 200);
    assert_eq!(metadata.header("content-type"), "application/json");
    assert_eq!(
        metadata.json(),
        json!({
            "issuer": "https://id.example.com",
            "jwks_uri": "https://id.example.com/api/auth/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
        })
    );
    let tokens = stage.log_in(PHONE).await;
    assert_eq!(
        jwt::claims(&tokens.access)["iss"],
        metadata.json()["issuer"]
    );
    // Without the setting the address that was asked is the one to go on with.
    let stage = Stage::new().await;
    let metadata = stage.get(path).send().await.json();
    assert_eq!(
        metadata["jwks_uri"],
        format!("http://{}/api/auth/.well-known/jwks.json", stage.address)
    );
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
