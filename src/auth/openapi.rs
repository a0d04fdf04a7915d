//! `GET openapi.json`: all endpoints in the words of `OpenAPI` 3.1, for programs that write clients; what the endpoints do, is said elsewhere.
//!
//! Which refusals an endpoint has is listed by their codes, from which their statuses follow. The tests of the auth
//! service hold every answer that they get against this document.

mod paths;
mod schemas;

use serde_json::{Map, Value, json};

use crate::reject::{Code, PROBLEM_JSON};

/// The document of the endpoints below `base`.
pub fn document(base: &str) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "otp-gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Phone login: a number in, a code by message, the code back, tokens out.",
        },
        "servers": [{ "url": base }],
        "paths": paths::paths(),
        "components": {
            "schemas": schemas::schemas(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "otp_access",
                    "description": "Set by the login page, for browsers. With TLS its name begins with `__Host-`.",
                },
            },
        },
    })
}

/// What an endpoint answers: `success`, by its statuses, and these refusals.
fn responses(success: Value, refusals: &[&[Code]]) -> Value {
    let mut responses = match success {
        Value::Object(success) => success,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let mut codes: Vec<Code> = EVERYWHERE.to_vec();
    codes.extend(refusals.iter().flat_map(|codes| codes.iter()));
    for code in &codes {
        let status = code.status();
        let same = codes.iter().filter(|other| other.status() == status);
        let names: Vec<&str> = same.map(|code| code.as_str()).collect();
        let key = status.as_u16().to_string();
        responses.entry(key).or_insert_with(|| refusal(&names));
    }
    Value::Object(responses)
}

/// One status, and the codes that come with it.
fn refusal(codes: &[&str]) -> Value {
    let narrowed = json!({ "properties": { "code": { "enum": codes } } });
    let schema = json!({ "allOf": [reference("Problem"), narrowed] });
    json!({
        "description": codes.join(", "),
        "content": { PROBLEM_JSON: { "schema": schema } },
    })
}

/// A success with a body of this schema.
fn ok(description: &str, schema: &str) -> Value {
    let content = json!({ "application/json": { "schema": reference(schema) } });
    json!({ "description": description, "content": content })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// What may be answered wherever one asks, before an endpoint hears of it.
const EVERYWHERE: &[Code] = &[
    Code::InvalidRequestTarget,
    Code::MalformedRequest,
    Code::RateLimited,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::Overloaded,
];

/// Of those that read a body.
const OF_BODIES: &[Code] = &[
    Code::InvalidJson,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
];

/// Of those that ask the store.
const OF_STORE: &[Code] = &[Code::StoreUnavailable];

/// Of those that want an access token.
const OF_TOKENS: &[Code] = &[
    Code::MissingToken,
    Code::InvalidToken,
    Code::TokenExpired,
    Code::SessionRevoked,
    Code::StoreUnavailable,
];

#[cfg(test)]
pub mod tests;
