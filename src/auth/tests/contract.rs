//! What every endpoint answers when all is well, word for word.

use serde_json::json;

use super::stage::{Ask, NUMBER, START, Stage};

#[tokio::test]
async fn a_login_from_the_number_to_the_tokens() {
    let stage = Stage::new().await;
    let sent = stage.send("(650) 253-0000").await;
    assert_eq!(sent.status, 200);
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.headers["cache-control"], "no-store");
    assert_eq!(sent.headers["x-content-type-options"], "nosniff");
    let body = sent.json();
    let challenge = body["challenge_id"].as_str().unwrap();
    assert_eq!(challenge.len(), 32);
    assert_eq!(
        body,
        json!({
            "challenge_id": challenge,
            "expires_in": 300,
            "resend_in": 30,
            "channel": "sms",
            "mobile_number": "+1********00",
        })
    );
    let messages = stage.messages().await;
    let [(number, code)] = messages.as_slice() else {
        panic!("one message: {messages:?}");
    };
    assert_eq!(number, NUMBER);
    let answer = json!({
        "mobile_number": NUMBER, "otp": code, "challenge_id": challenge,
        "device_info": { "model": "Phone 7" },
    });
    let login = stage.ask(Ask::post("/verify-otp", &answer)).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.headers["cache-control"], "no-store");
    assert!(login.headers.get("set-cookie").is_none());
    let body = login.json();
    assert_eq!(
        body,
        json!({
            "access_token": body["access_token"],
            "refresh_token": body["refresh_token"],
            "token_type": "bearer",
            "expires_in": 900,
            "refresh_expires_in": 30 * 86_400,
            "session_id": body["session_id"],
        })
    );
    let sessions = stage
        .ask(Ask::get("/sessions").bearer(&body["access_token"]))
        .await;
    let shown = &sessions.json()["sessions"][0]["device_info"];
    assert_eq!(shown, r#"{"model":"Phone 7"}"#);
}

#[tokio::test]
async fn a_national_number_is_read_in_the_country_that_is_named() {
    let stage = Stage::new().await;
    let body = json!({
        "mobile_number": "2070313000", "country_code": "+44",
        "channel": "sms", "locale": "en-GB", "something": ["else"],
    });
    assert_eq!(stage.ask(Ask::post("/send-otp", &body)).await.status, 200);
    assert_eq!(stage.messages().await[0].0, "+442070313000");
}

#[tokio::test]
async fn me_tells_who_the_token_says_is_calling_and_the_custom_claims() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let me = stage
        .ask(Ask::get("/me").bearer(&login["access_token"]))
        .await;
    assert_eq!(me.status, 200);
    let body = me.json();
    assert_eq!(body["sub"].as_str().unwrap().len(), 32);
    assert_eq!(
        body,
        json!({
            "sub": body["sub"],
            "phone_number": NUMBER,
            "session_id": login["session_id"],
            "auth_time": START.as_secs(),
            "expires_in": 900,
            "tier": "gold",
        })
    );
}

#[tokio::test]
async fn check_tells_a_proxy_who_is_calling() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let check = Ask::get("/check");
    let known = stage
        .ask(check.clone().bearer(&login["access_token"]))
        .await;
    assert_eq!(known.status, 200);
    assert!(known.body.is_empty());
    assert_eq!(known.headers["x-auth-phone"], NUMBER);
    assert_eq!(
        known.headers["x-auth-session"],
        login["session_id"].as_str().unwrap()
    );
    assert_eq!(known.headers["x-auth-subject"].len(), 32);
    assert_eq!(known.headers["cache-control"], "no-store");
    let unknown = stage.ask(check).await;
    assert_eq!(unknown.refusal(), (401, "missing_token".to_owned()));
    assert!(unknown.headers.get("x-auth-subject").is_none());
}

#[tokio::test]
async fn the_subject_of_a_number_never_changes_and_two_numbers_never_share_one() {
    let stage = Stage::new().await;
    let mut subjects = Vec::new();
    for number in [NUMBER, NUMBER, "+16502530001"] {
        let login = stage.login(number).await;
        let me = stage
            .ask(Ask::get("/me").bearer(&login["access_token"]))
            .await;
        subjects.push(me.json()["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[1]);
    assert_ne!(subjects[0], subjects[2]);
}

#[tokio::test]
async fn apps_find_the_keys_and_may_keep_them_for_a_while() {
    let stage = Stage::new().await;
    let metadata = stage
        .ask(Ask::get("/.well-known/oauth-authorization-server"))
        .await;
    assert_eq!(
        metadata.json(),
        json!({
            "issuer": "https://id.example.com",
            "jwks_uri": "https://app.example/api/auth/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
        })
    );
    let jwks = stage.ask(Ask::get("/.well-known/jwks.json")).await;
    assert_eq!(jwks.headers["cache-control"], "public, max-age=300");
    let keys = jwks.json()["keys"].as_array().unwrap().clone();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!(key["kty"], "EC");
        assert!(key.get("d").is_none(), "a private key: {key}");
    }
}

#[tokio::test]
async fn programs_find_all_endpoints_in_one_document() {
    let stage = Stage::new().await;
    let answer = stage.ask(Ask::get("/openapi.json")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"], json!([{ "url": "/api/auth" }]));
    assert!(document["paths"]["/send-otp"]["post"].is_object());
}

#[tokio::test]
async fn the_alias_is_the_same_place() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let ask = Ask::get("").target("/api/v1/auth/me");
    let me = stage.ask(ask.bearer(&login["access_token"])).await;
    assert_eq!(me.status, 200);
    for (path, ours) in [
        ("/api/auth", true),
        ("/api/auth/x", true),
        ("/api/v1/auth/", true),
        ("/api/authors", false),
        ("/api/v1", false),
        ("/", false),
    ] {
        assert_eq!(stage.service.owns(path), ours, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_content() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    for path in [
        "/me",
        "/sessions",
        "/check",
        "/login?prompt=login",
        "/.well-known/jwks.json",
    ] {
        let with = |method| Ask::new(method, path).bearer(&login["access_token"]);
        let get = stage.ask(with("GET")).await;
        let head = stage.ask(with("HEAD")).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.headers["content-length"], get.body.len().to_string());
        assert_eq!(
            head.headers.get("content-type"),
            get.headers.get("content-type")
        );
    }
}
