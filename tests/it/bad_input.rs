//! Requests that are not as they should be: every one is refused with its reason, and none of them changes anything.

use serde_json::{Value, json};

use crate::stage::{
    PHONE, Stage,
    client::{Answer, Call},
    inbox::wrong_for,
};

const SEND: &str = "/api/auth/send-otp";
const VERIFY: &str = "/api/auth/verify-otp";
const ENDPOINTS_WITH_FIELDS: [&str; 2] = [SEND, VERIFY];

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let victim = Victim::new().await;
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"\"x\"",
        b"7",
        b"{}x",
        b"{'mobile_number': '+14155550100'}",
        b"{\"mobile_number\": \"+14155550100\",}",
        b"{\"mobile_number\": \"+14155550100\", \"mobile_number\": \"+14155550100\"}",
        b"{\"mobile_number\": \"\xff\"}",
        b"mobile_number=%2B14155550100",
        deep.as_bytes(),
    ];
    for body in bodies {
        for path in ENDPOINTS_WITH_FIELDS {
            let call = victim.stage.post(path).body(body.to_vec());
            let answer = call.header("content-type", "application/json").send().await;
            answer.is_refused(400, "invalid_json");
        }
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn every_field_that_is_missing_or_wrong_is_named() {
    let victim = Victim::new().await;
    let cases = [
        (SEND, json!({}), vec!["mobile_number"]),
        (
            SEND,
            json!({ "mobile_number": null }),
            vec!["mobile_number"],
        ),
        (SEND, json!({ "mobile_number": "" }), vec!["mobile_number"]),
        (
            SEND,
            json!({ "mobile_number": 14_155_550_100_u64 }),
            vec!["mobile_number"],
        ),
        (
            SEND,
            json!({ "country_code": "x", "channel": "pigeon" }),
            vec!["country_code", "mobile_number", "channel"],
        ),
        (
            SEND,
            json!({ "mobile_number": [PHONE], "country_code": 1, "channel": {}, "locale": 5 }),
            vec!["country_code", "mobile_number", "channel", "locale"],
        ),
        (VERIFY, json!({}), vec!["mobile_number", "otp"]),
        (VERIFY, json!({ "mobile_number": PHONE }), vec!["otp"]),
        (
            VERIFY,
            json!({ "mobile_number": "1", "otp": "1", "device_info": 1, "challenge_id": 1 }),
            vec!["mobile_number", "otp", "challenge_id", "device_info"],
        ),
    ];
    for (path, body, wrong) in cases {
        let answer = victim.stage.post(path).json(&body).send().await;
        assert_eq!(answer.wrong_fields(), wrong, "{body}");
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn what_is_no_phone_number_is_refused() {
    let victim = Victim::new().await;
    for number in [
        "+",
        "123456789",
        "+123456789",
        "1234567890123456",
        "0415555010",
        "+04155550100",
        "415555010a",
        "four one five",
        "+1 415 555 0100 ext. 5",
        "tel:+14155550100",
        "+١٤١٥٥٥٥٠١٠٠",
        "+14155550100\u{0}",
        "++14155550100",
        "+9991234567890",
        "+1415555010012345",
        "'; DROP TABLE phones; --",
    ] {
        for path in ENDPOINTS_WITH_FIELDS {
            let body = json!({ "mobile_number": number, "otp": victim.code });
            let answer = victim.stage.post(path).json(&body).send().await;
            assert_eq!(answer.wrong_fields(), ["mobile_number"], "{number}");
        }
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn what_has_not_the_form_of_a_code_uses_up_no_attempt() {
    let victim = Victim::new().await;
    let right = victim.code.as_str();
    for otp in [
        "",
        "12345",
        "1234567",
        "12345a",
        "-12345",
        "+12345",
        "12 345",
        "0x1234",
        "１２３４５６",
        &format!("{right}0"),
        &format!("{right}\u{0}"),
    ] {
        let answer = victim.stage.answer(PHONE, otp).await;
        assert_eq!(answer.wrong_fields(), ["otp"], "{otp}");
    }
    let number: Value = right.parse::<u32>().expect("digits").into();
    for otp in [
        number,
        json!([right]),
        json!({ "code": right }),
        json!(true),
    ] {
        let body = json!({ "mobile_number": PHONE, "otp": otp });
        let answer = victim.stage.post(VERIFY).json(&body).send().await;
        assert_eq!(answer.wrong_fields(), ["otp"], "{otp}");
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn a_body_of_another_type_is_not_read() {
    let victim = Victim::new().await;
    let body = json!({ "mobile_number": PHONE, "otp": victim.code }).to_string();
    let call = |path: &str| victim.stage.post(path).body(body.clone());
    for path in ENDPOINTS_WITH_FIELDS {
        let typed = |name: &str, value: &str| call(path).header(name, value);
        let json = |call: Call| call.header("content-type", "application/json");
        for refused in [
            call(path),
            typed("content-type", "text/plain"),
            typed("content-type", "application/jsonp"),
            typed("content-type", "application/problem+json"),
            typed("content-type", "application/x-www-form-urlencoded"),
            typed("content-type", "multipart/form-data; boundary=x"),
            typed("content-type", ""),
            json(typed("content-encoding", "gzip")),
            json(typed("content-type", "application/json")),
            json(typed("content-type", "text/plain")),
        ] {
            let answer = refused.send().await;
            answer.is_refused(415, "unsupported_media_type");
        }
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn a_media_type_may_be_written_in_any_case_and_with_a_charset() {
    let stage = Stage::new().await;
    for json in ["application/json; charset=utf-8", "Application/JSON"] {
        let body = json!({ "mobile_number": PHONE }).to_string();
        let call = stage.post(SEND).header("content-type", json).body(body);
        assert_eq!(call.send().await.status, 200, "{json}");
    }
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are() {
    let victim = Victim::new().await;
    let id = "/api/auth/sessions/0123456789abcdef0123456789abcdef";
    for (path, allowed, refused) in [
        (
            SEND,
            "POST",
            vec!["GET", "HEAD", "PUT", "DELETE", "OPTIONS"],
        ),
        (VERIFY, "POST", vec!["GET", "PUT", "PATCH"]),
        ("/api/auth/refresh", "POST", vec!["GET", "DELETE"]),
        ("/api/auth/logout", "POST", vec!["GET", "DELETE"]),
        ("/api/auth/me", "GET, HEAD", vec!["POST", "BREW"]),
        ("/api/auth/check", "GET, HEAD", vec!["POST"]),
        ("/api/auth/sessions", "GET, HEAD", vec!["POST", "DELETE"]),
        (id, "DELETE", vec!["GET", "POST", "PUT"]),
        ("/api/auth/login", "GET, HEAD, POST", vec!["PUT"]),
        ("/api/auth/.well-known/jwks.json", "GET, HEAD", vec!["POST"]),
    ] {
        for method in refused {
            let body = json!({ "mobile_number": PHONE, "otp": victim.code });
            let answer = victim.stage.call(method, path).json(&body).send().await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), allowed);
            if method != "HEAD" {
                answer.is_refused(405, "method_not_allowed");
            }
        }
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn a_path_that_is_no_endpoint_is_not_found() {
    let victim = Victim::new().await;
    let body = json!({ "mobile_number": PHONE, "otp": victim.code });
    for path in [
        "/api/auth",
        "/api/auth/",
        "/api/auth/send-otp/",
        "/api/auth/send-otpx",
        "/api/auth/Send-Otp",
        "/api/auth/api/auth/send-otp",
        "/api/auth/sessions/",
        "/api/auth/sessions/a/b",
        "/api/auth/.well-known",
        "/api/v1/auth/nothing",
    ] {
        let answer = victim.stage.post(path).json(&body).send().await;
        answer.is_refused(404, "not_found");
    }
    // What is not below the base is not ours at all: the app's route wants a token.
    for path in ["/API/AUTH/send-otp", "/api/authx", "/api/auth-x/send-otp"] {
        let answer = victim.stage.post(path).json(&body).send().await;
        answer.is_refused(401, "missing_token");
    }
    // Nor does a path lead to an endpoint that two readers could read differently.
    for path in [
        "/api%2fauth/send-otp",
        "/api/auth/../auth/send-otp",
        "//api/auth/send-otp",
    ] {
        let answer = victim.stage.post(path).json(&body).send().await;
        answer.is_refused(400, "invalid_request_target");
    }
    victim.must_be_unharmed().await;
}

#[tokio::test]
async fn fields_that_nobody_knows_are_ignored() {
    let stage = Stage::new().await;
    let body = json!({ "mobile_number": PHONE, "admin": true, "otp": "000000", "": null });
    assert_eq!(stage.post(SEND).json(&body).send().await.status, 200);
    let code = stage.inbox.code_for(PHONE).await;
    let body = json!({
        "mobile_number": PHONE, "otp": code, "sub": "admin", "claims": { "role": "admin" },
    });
    let answer: Answer = stage.post(VERIFY).json(&body).send().await;
    assert_eq!(answer.status, 200);
    let access = answer.json()["access_token"].as_str().map(str::to_owned);
    let me = stage.get("/api/auth/me").bearer(&access.expect("a token"));
    let me = me.send().await.json();
    assert_ne!(me["sub"], "admin");
    assert_eq!(me.get("role"), None);
}

/// Somebody who has just asked for a code, to whom nothing may happen.
struct Victim {
    stage: Stage,
    code: String,
}

impl Victim {
    async fn new() -> Self {
        let stage = Stage::new().await;
        stage.ask_for_code(PHONE).await;
        let code = stage.inbox.code_for(PHONE).await;
        Self { stage, code }
    }

    /// One message was sent, none of five attempts was used, no session was opened, the app was
    /// not asked, and the code is still good.
    async fn must_be_unharmed(self) {
        let Self { stage, code } = self;
        stage.settle().await;
        assert_eq!(stage.inbox.lines().len(), 2, "{:?}", stage.inbox.lines());
        stage
            .answer(PHONE, &wrong_for(&code))
            .await
            .is_wrong_code(Some(4));
        let answer = stage.answer(PHONE, &code).await;
        assert_eq!(answer.status, 200);
        let access = answer.json()["access_token"].as_str().map(str::to_owned);
        let sessions = stage.get("/api/auth/sessions");
        let sessions = sessions.bearer(&access.expect("a token")).send().await;
        let sessions = sessions.json()["sessions"].as_array().map(Vec::len);
        assert_eq!(sessions, Some(1));
        assert!(stage.upstream.seen().is_empty());
        // Two of the three sends are left.
        for status in [200, 200, 429] {
            assert_eq!(stage.ask_for_code(PHONE).await.status, status);
        }
    }
}
