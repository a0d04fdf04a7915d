//! Access tokens that are not ours, not for this, or not any more: each is refused with its reason, and nothing comes of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{PHONE, Stage, Tokens, client::Call, just_before, jwt};

// T2, signatures that are not checked: Pomerium CVE-2021-29652; algorithms that the token chooses (RFC 8725 §2.1).
#[tokio::test]
async fn no_token_that_was_tampered_with_passes() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let token = &tokens.access;
    let (header, claims) = (jwt::header(token), jwt::claims(token));
    let with = |of: &Value, name: &str, value: Value| {
        let mut changed = of.clone();
        changed[name] = value;
        changed
    };
    let unsigned = token.rsplit_once('.').expect("three parts").0;
    let published = stage.get("/api/auth/.well-known/jwks.json").send().await;
    let mut forged = vec![
        jwt::bent(token, 0),
        jwt::bent(token, 1),
        jwt::bent(token, 2),
        format!("{unsigned}."),
        unsigned.to_owned(),
        format!("{token}.x"),
        format!("{token}A"),
        "a.b.c".to_owned(),
        "x".repeat(9000),
        // The published keys as if they were a shared secret (RFC 8725 §2.1).
        jwt::seal(
            &with(&header, "alg", json!("HS256")),
            &claims,
            jwt::hs256(&published.body),
        ),
        jwt::seal(
            &with(&header, "alg", json!("HS256")),
            &claims,
            jwt::hs256(b""),
        ),
        // A key that the token brings along itself.
        jwt::seal(
            &with(&header, "jwk", json!({ "kty": "oct", "k": "AAAA" })),
            &claims,
            jwt::hs256(&[0; 3]),
        ),
        jwt::seal(&with(&header, "kid", json!("../k")), &claims, |_| {
            vec![0; 64]
        }),
        jwt::seal(&header, &claims, |_| vec![0; 64]),
        jwt::seal(&header, &with(&claims, "sub", json!("admin")), |_| {
            vec![1; 64]
        }),
    ];
    for none in ["none", "None", "NONE", ""] {
        let header = with(&header, "alg", json!(none));
        forged.push(jwt::seal(&header, &claims, |_| Vec::new()));
    }
    for forged in &forged {
        is_refused_everywhere(&stage, forged, "invalid_token").await;
    }
    is_alive(&stage, &tokens).await;
    assert_eq!(
        stage.upstream.seen().len(),
        1,
        "one request reached the app"
    );
}

// T2, keys of somebody else.
#[tokio::test]
async fn a_token_of_another_gateway_is_a_strangers() {
    let (here, there) = (Stage::new().await, Stage::new().await);
    let (ours, theirs) = (here.log_in(PHONE).await, there.log_in(PHONE).await);
    is_refused_everywhere(&here, &theirs.access, "invalid_token").await;
    is_alive(&here, &ours).await;
    is_alive(&there, &theirs).await;
}

// T2, one kind of token for another (RFC 8725 §2.8).
#[tokio::test]
async fn a_refresh_token_opens_no_door_and_an_access_token_refreshes_nothing() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    is_refused_everywhere(&stage, &tokens.refresh, "invalid_token").await;
    let as_refresh = stage.refresh(&tokens.access).await;
    as_refresh.is_refused(400, "invalid_grant");
    let cookies = format!("otp_access={}", tokens.refresh);
    let answer = stage.get("/orders").header("cookie", &cookies).send().await;
    answer.is_refused(401, "invalid_token");
    is_alive(&stage, &tokens).await;
}

// Lesson 10, `exp` that nobody verifies: Kong, APISIX, Oathkeeper.
#[tokio::test]
async fn an_access_token_lives_to_the_millisecond_and_half_a_minute_for_slow_clocks() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    stage.pass(just_before(Duration::from_secs(15 * 60 + 30)));
    is_alive_here(&stage, &tokens.access).await;
    stage.pass(Duration::from_millis(1));
    is_refused_everywhere(&stage, &tokens.access, "token_expired").await;
    // The session is not over with it.
    assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
}

// T7, two tokens: Envoy CVE-2025-64527, CVE-2024-45809.
#[tokio::test]
async fn two_tokens_are_none() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    for second in [tokens.access.as_str(), "x", ""] {
        for path in ["/orders", "/api/auth/me", "/api/auth/sessions"] {
            let call = stage.get(path).bearer(&tokens.access);
            let answer = call.header("authorization", &format!("Bearer {second}"));
            answer.send().await.is_refused(401, "invalid_token");
            let other = stage.get(path).header("authorization", "Basic YTpi");
            let answer = other.bearer(&tokens.access).send().await;
            answer.is_refused(401, "invalid_token");
        }
    }
    let cookies = format!("otp_access={0}; otp_access={0}", tokens.access);
    let answer = stage.get("/orders").header("cookie", &cookies).send().await;
    answer.is_refused(401, "invalid_token");
    is_alive(&stage, &tokens).await;
}

// T7, the second one counts where the first is bad.
#[tokio::test]
async fn a_bad_token_in_the_header_is_not_healed_by_a_good_one_in_a_cookie() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let cookie = format!("otp_access={}", tokens.access);
    for path in ["/orders", "/api/auth/me"] {
        let call = stage.get(path).header("cookie", &cookie);
        let answer = call.bearer(&jwt::bent(&tokens.access, 1)).send().await;
        answer.is_refused(401, "invalid_token");
    }
}

// T7, headers that hold no token, or more than one.
#[tokio::test]
async fn a_header_without_a_token_says_so() {
    let stage = Stage::new().await;
    let ask = |value: &str| stage.get("/orders").header("authorization", value).send();
    for empty in ["Bearer", "Bearer ", "bearer a b", "Bearer a,b"] {
        ask(empty).await.is_refused(401, "invalid_token");
    }
    // Another scheme is the app's affair, and no token.
    ask("Basic YTpi").await.is_refused(401, "missing_token");
    ask("").await.is_refused(401, "missing_token");
}

/// Refused by the gate in front of the apps and by every endpoint that wants a token, with a
/// challenge that names the error (RFC 6750 §3).
async fn is_refused_everywhere(stage: &Stage, token: &str, code: &str) {
    let calls: [Call; 6] = [
        stage.get("/orders"),
        stage.call("DELETE", "/orders/1"),
        stage.get("/api/auth/me"),
        stage.get("/api/auth/check"),
        stage.get("/api/auth/sessions"),
        stage.call(
            "DELETE",
            "/api/auth/sessions/0123456789abcdef0123456789abcdef",
        ),
    ];
    for call in calls {
        let answer = call.bearer(token).send().await;
        answer.is_refused(401, code);
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""),
            "{challenge}"
        );
    }
}

async fn is_alive_here(stage: &Stage, access: &str) {
    let answer = stage.get("/orders").bearer(access).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The session is as good as before, and it is the only one there is.
async fn is_alive(stage: &Stage, tokens: &Tokens) {
    is_alive_here(stage, &tokens.access).await;
    let listed = stage.get("/api/auth/sessions").bearer(&tokens.access);
    let listed = listed.send().await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(stage.refresh(&tokens.refresh).await.status, 200);
}
