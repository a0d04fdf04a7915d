//! Bad input of every kind, each with its status and its code, and without effect.

use serde_json::{Value, json};

use super::stage::{Ask, NUMBER, Stage};

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn only_the_exact_paths_lead_somewhere() {
    let stage = Stage::new().await;
    for target in [
        "/api/auth",
        "/api/auth/",
        "/api/auth/send-otp/",
        "/api/auth/send-otp/x",
        "/api/auth//send-otp",
        "/api/auth/SEND-OTP",
        "/api/auth/%73end-otp",
        "/api/auth/sessions/",
        "/api/auth/sessions/a/b",
        "/api/auth/.well-known/jwks",
        "/api/auth/.well-known/",
        "/api/authsend-otp",
        "/send-otp",
        "/",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let answer = stage.ask(Ask::new(method, "").target(target)).await;
            assert_eq!(
                answer.refusal(),
                refused(404, "not_found"),
                "{method} {target}"
            );
        }
    }
}

#[tokio::test]
async fn a_number_of_a_refused_kind_is_told_so_and_sent_nothing() {
    let stage = Stage::new().await;
    let answer = stage.send("+1 900 234 5678").await;
    assert_eq!(answer.wrong_fields(), ["mobile_number"]);
    let message = "is a number of a kind that codes are not sent to: premium_rate";
    assert_eq!(answer.json()["errors"][0]["message"], message);
    assert!(stage.messages().await.is_empty());
}

#[tokio::test]
async fn a_wrong_method_learns_the_right_ones() {
    let stage = Stage::new().await;
    for (path, allow) in [
        ("/send-otp", "POST"),
        ("/verify-otp", "POST"),
        ("/refresh", "POST"),
        ("/logout", "POST"),
        ("/me", "GET, HEAD"),
        ("/check", "GET, HEAD"),
        ("/sessions", "GET, HEAD"),
        ("/sessions/x", "DELETE"),
        ("/login", "GET, HEAD, POST"),
        ("/.well-known/jwks.json", "GET, HEAD"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD"),
    ] {
        for method in [
            "GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "BREW",
        ] {
            if allow.contains(method) {
                continue;
            }
            let answer = stage.ask(Ask::new(method, path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.headers["allow"], allow);
            if method != "HEAD" {
                assert_eq!(answer.refusal().1, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn a_body_must_be_json_of_a_bearable_size() {
    let stage = Stage::new().await;
    for path in ["/send-otp", "/verify-otp", "/refresh"] {
        let post = || Ask::new("POST", path);
        let json = || post().header("content-type", "application/json");
        let answer = stage
            .ask(post().header("content-type", "text/plain").body("{}"))
            .await;
        assert_eq!(answer.refusal(), refused(415, "unsupported_media_type"));
        let answer = stage.ask(json().body("{\"mobile_number\":")).await;
        assert_eq!(answer.refusal(), refused(400, "invalid_json"));
        let answer = stage.ask(json().body("[]")).await;
        assert_eq!(answer.refusal(), refused(400, "invalid_json"));
        let answer = stage.ask(json().body(" ".repeat(16 * 1024 + 1))).await;
        assert_eq!(answer.refusal(), refused(413, "body_too_large"));
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_send_is_named() {
    let stage = Stage::new().await;
    let cases: [(Value, &[&str]); 13] = [
        (json!({}), &["mobile_number"]),
        (json!({ "mobile_number": null }), &["mobile_number"]),
        (
            json!({ "mobile_number": 16_502_530_000_u64 }),
            &["mobile_number"],
        ),
        (json!({ "mobile_number": "" }), &["mobile_number"]),
        (json!({ "mobile_number": "123456789" }), &["mobile_number"]),
        (json!({ "mobile_number": "0650253000" }), &["mobile_number"]),
        (
            json!({ "mobile_number": "1234567890123456" }),
            &["mobile_number"],
        ),
        (
            json!({ "mobile_number": "+1 650 253 000x" }),
            &["mobile_number"],
        ),
        (
            json!({ "mobile_number": "+1650253\u{0}0000" }),
            &["mobile_number"],
        ),
        (
            json!({ "mobile_number": NUMBER, "country_code": "+999" }),
            &["country_code"],
        ),
        (
            json!({ "mobile_number": NUMBER, "country_code": 1 }),
            &["country_code"],
        ),
        (
            json!({ "mobile_number": NUMBER, "channel": "fax" }),
            &["channel"],
        ),
        (
            json!({ "mobile_number": "1", "channel": 5, "locale": [] }),
            &["mobile_number", "channel", "locale"],
        ),
    ];
    for (body, fields) in cases {
        let answer = stage.ask(Ask::post("/send-otp", &body)).await;
        assert_eq!(answer.wrong_fields(), fields, "{body}");
    }
    assert!(stage.messages().await.is_empty());
}

#[tokio::test]
async fn every_wrong_field_of_an_answer_is_named_and_uses_up_no_attempt() {
    let stage = Stage::new().await;
    stage.send(NUMBER).await;
    let long = "x".repeat(513);
    let cases: [(Value, &[&str]); 9] = [
        (json!({}), &["mobile_number", "otp"]),
        (json!({ "mobile_number": NUMBER }), &["otp"]),
        (json!({ "mobile_number": NUMBER, "otp": 123_456 }), &["otp"]),
        (json!({ "mobile_number": NUMBER, "otp": "12345" }), &["otp"]),
        (
            json!({ "mobile_number": NUMBER, "otp": "1234567" }),
            &["otp"],
        ),
        (
            json!({ "mobile_number": NUMBER, "otp": "12345a" }),
            &["otp"],
        ),
        (
            json!({ "mobile_number": NUMBER, "otp": "１２３４５６" }),
            &["otp"],
        ),
        (
            json!({ "mobile_number": NUMBER, "otp": "000000", "challenge_id": 7 }),
            &["challenge_id"],
        ),
        (
            json!({ "mobile_number": "x", "otp": "x", "device_info": long, "challenge_id": {} }),
            &["mobile_number", "otp", "challenge_id", "device_info"],
        ),
    ];
    for (body, fields) in cases {
        let answer = stage.ask(Ask::post("/verify-otp", &body)).await;
        assert_eq!(answer.wrong_fields(), fields, "{body}");
    }
    let code = stage.code().await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let answer = stage.verify(NUMBER, wrong).await;
    assert_eq!(answer.json()["attempts_left"], 4);
    assert_eq!(stage.verify(NUMBER, &code).await.status, 200);
}

#[tokio::test]
async fn countries_that_are_not_served_are_told_so() {
    let stage = Stage::new().await;
    let answer = stage.send("+37410123456").await;
    assert_eq!(answer.refusal(), refused(403, "country_not_allowed"));
    assert!(stage.messages().await.is_empty());
}

#[tokio::test]
async fn a_token_must_be_there_and_good() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let asks = [
        Ask::get("/me"),
        Ask::get("/check"),
        Ask::get("/sessions"),
        Ask::new("DELETE", "/sessions/00000000000000000000000000000000"),
    ];
    for ask in asks {
        let none = stage.ask(ask.clone()).await;
        assert_eq!(none.refusal(), refused(401, "missing_token"));
        assert_eq!(none.headers["www-authenticate"], "Bearer");
        let basic = stage
            .ask(ask.clone().header("authorization", "Basic YTpi"))
            .await;
        assert_eq!(basic.refusal(), refused(401, "missing_token"));
        let access = login["access_token"].as_str().unwrap();
        let mut forged = access.to_owned();
        let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
        forged.push(last);
        let refresh = login["refresh_token"].as_str().unwrap();
        for bad in ["x", "a.b.c", forged.as_str(), refresh, ""] {
            let answer = stage
                .ask(
                    ask.clone()
                        .header("authorization", &format!("Bearer {bad}")),
                )
                .await;
            assert_eq!(answer.refusal(), refused(401, "invalid_token"), "{bad}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer error=\"invalid_token\""));
        }
        let twice = ask
            .clone()
            .bearer(&login["access_token"])
            .bearer(&login["access_token"]);
        assert_eq!(
            stage.ask(twice).await.refusal(),
            refused(401, "invalid_token")
        );
    }
    stage
        .clock
        .advance(std::time::Duration::from_secs(900 + 30));
    let late = stage
        .ask(Ask::get("/me").bearer(&login["access_token"]))
        .await;
    assert_eq!(late.refusal(), refused(401, "token_expired"));
}

#[tokio::test]
async fn a_request_without_a_known_client_is_refused_before_anything_is_counted() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        let mut request = Ask::post("/send-otp", &json!({ "mobile_number": NUMBER })).build();
        request.extensions_mut().clear();
        let reply = tower::ServiceExt::oneshot(stage.service.clone(), request).await;
        let answer = super::stage::Answer::read(reply.unwrap()).await;
        assert_eq!(answer.refusal(), refused(500, "internal"));
    }
    assert!(stage.messages().await.is_empty());
}

#[tokio::test]
async fn a_closed_store_is_said_to_be_unavailable_and_nothing_is_sent() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.store.close().await;
    let answer = stage.send(NUMBER).await;
    assert_eq!(answer.refusal(), refused(503, "store_unavailable"));
    let answer = stage.verify(NUMBER, "000000").await;
    assert_eq!(answer.refusal(), refused(503, "store_unavailable"));
    assert_eq!(stage.messages().await.len(), 1);
    // Who is logged in stays so.
    let me = stage
        .ask(Ask::get("/me").bearer(&login["access_token"]))
        .await;
    assert_eq!(me.status, 200);
}
