//! The shapes of bodies, as JSON Schema.

use serde_json::{Map, Value, json};

use crate::{auth::captcha::Token, auth::verify_otp::MAX_DEVICE_INFO, reject::Code};

pub fn schemas() -> Value {
    json!({
        "Id": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        "Problem": problem(),
        "SendOtp": send_otp(),
        "Sent": object(
            &[
                ("challenge_id", id()),
                ("expires_in", seconds("Until the code dies.")),
                ("resend_in", seconds("The pause to keep before asking again.")),
                ("channel", channel()),
                ("mobile_number", text("Masked.")),
            ],
            &["challenge_id", "expires_in", "resend_in", "channel", "mobile_number"],
        ),
        "Challenge": object(
            &[
                ("status", json!({ "enum": ["queued", "sent", "delivered", "failed"] })),
                ("reason", json!({ "enum": [
                    "invalid_number", "blocked", "unavailable", "undelivered", "expired", "unreadable",
                ] })),
                ("channel", channel()),
                ("expires_in", seconds("Until the code dies.")),
            ],
            &["status", "channel", "expires_in"],
        ),
        "VerifyOtp": verify_otp(),
        "Refresh": object(&[("refresh_token", text("The cookie stands in for it."))], &[]),
        "Logout": object(
            &[
                ("scope", json!({ "enum": ["this", "others", "all"], "default": "this" })),
                ("refresh_token", text("In place of the access token.")),
            ],
            &[],
        ),
        "Tokens": tokens(),
        "Sessions": object(&[("sessions", json!({ "type": "array", "items": session() }))], &["sessions"]),
        "Me": me(),
        "Document": { "type": "object" },
    })
}

/// RFC 9457, with what this gateway adds.
fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let error = object(
        &[
            ("field", text("Its name.")),
            ("message", text("What would be right.")),
        ],
        &["field", "message"],
    );
    object(
        &[
            ("type", text("`about:blank`.")),
            ("title", text("The code, for people.")),
            ("status", json!({ "type": "integer" })),
            ("code", json!({ "enum": codes })),
            ("detail", text("What happened, for people.")),
            ("errors", json!({ "type": "array", "items": error })),
            ("attempts_left", json!({ "type": "integer" })),
            ("retry_after", seconds("Until it may go better.")),
            (
                "violated-policies",
                json!({ "type": "array", "items": { "type": "string" } }),
            ),
            (
                "proof",
                object(
                    &[
                        ("algorithm", json!({ "const": "sha-256" })),
                        ("puzzle", text("To be solved.")),
                        ("bits", json!({ "type": "integer" })),
                        ("expires_in", seconds("Until it is too old.")),
                    ],
                    &["algorithm", "puzzle", "bits", "expires_in"],
                ),
            ),
            (
                "captcha",
                object(
                    &[
                        ("provider", json!({ "enum": ["turnstile", "hcaptcha"] })),
                        ("site_key", text("Of the widget.")),
                        ("action", text("What the widget is to be told it is for.")),
                    ],
                    &["provider", "site_key", "action"],
                ),
            ),
        ],
        &["type", "title", "status", "code", "detail"],
    )
}

fn send_otp() -> Value {
    object(
        &[
            ("mobile_number", text("As people write it.")),
            (
                "country_code",
                json!({ "type": "string", "examples": ["+1"] }),
            ),
            ("channel", channel()),
            (
                "locale",
                json!({ "type": "string", "examples": ["de", "pt-BR"] }),
            ),
            ("proof", text("`PUZZLE.NONCE`, where work was demanded.")),
            (
                "captcha",
                json!({ "type": "string", "maxLength": Token::LONGEST }),
            ),
        ],
        &["mobile_number"],
    )
}

fn verify_otp() -> Value {
    object(
        &[
            ("mobile_number", text("As people write it.")),
            (
                "country_code",
                json!({ "type": "string", "examples": ["+1"] }),
            ),
            (
                "otp",
                json!({ "type": "string", "pattern": "^[0-9]{4,10}$" }),
            ),
            ("challenge_id", id()),
            (
                "device_info",
                json!({ "type": ["string", "object"], "maxLength": MAX_DEVICE_INFO }),
            ),
        ],
        &["mobile_number", "otp"],
    )
}

fn tokens() -> Value {
    object(
        &[
            ("access_token", text("A JWT (RFC 9068).")),
            ("refresh_token", text("For `refresh` alone.")),
            ("token_type", json!({ "const": "bearer" })),
            ("expires_in", seconds("Until the access token dies.")),
            (
                "refresh_expires_in",
                seconds("Until the refresh token does."),
            ),
            ("session_id", id()),
        ],
        &["expires_in", "refresh_expires_in", "session_id"],
    )
}

fn session() -> Value {
    object(
        &[
            ("session_id", id()),
            ("current", json!({ "type": "boolean" })),
            ("device_info", text("What the client said of itself.")),
            ("ip", text("From where it was used last.")),
            ("created_at", json!({ "type": "integer" })),
            ("last_seen_at", json!({ "type": "integer" })),
        ],
        &[
            "session_id",
            "current",
            "device_info",
            "ip",
            "created_at",
            "last_seen_at",
        ],
    )
}

fn me() -> Value {
    object(
        &[
            ("sub", text("The same for the same number, always.")),
            ("phone_number", text("In E.164.")),
            ("session_id", id()),
            ("auth_time", json!({ "type": "integer" })),
            ("expires_in", seconds("Until the token dies.")),
        ],
        &[
            "sub",
            "phone_number",
            "session_id",
            "auth_time",
            "expires_in",
        ],
    )
}

fn object(members: &[(&str, Value)], required: &[&str]) -> Value {
    let members = members.iter().cloned();
    let members: Map<_, _> = members
        .map(|(name, shape)| (name.to_owned(), shape))
        .collect();
    json!({ "type": "object", "properties": members, "required": required })
}

fn id() -> Value {
    super::reference("Id")
}

fn channel() -> Value {
    json!({ "enum": ["sms", "whatsapp", "voice"] })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn seconds(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}
