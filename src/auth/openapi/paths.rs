//! Every endpoint: what it takes, what it gives, and how it refuses.

use serde_json::{Value, json};

use super::{OF_BODIES, OF_STORE, OF_TOKENS, ok, reference, responses};
use crate::{auth::request_key::RequestKey, reject::Code};

pub fn paths() -> Value {
    json!({
        "/send-otp": { "post": send_otp() },
        "/challenges/{id}": { "parameters": [id("challenge")], "get": challenge() },
        "/verify-otp": { "post": verify_otp() },
        "/refresh": { "post": refresh() },
        "/logout": { "post": logout() },
        "/sessions": { "get": list_sessions() },
        "/sessions/{id}": { "parameters": [id("session")], "delete": end_session() },
        "/me": { "get": me() },
        "/check": { "get": check() },
        "/login": { "get": show_login(), "post": submit_login() },
        "/receipts/twilio": { "post": receipt("Twilio", "application/x-www-form-urlencoded") },
        "/receipts/webhook": { "post": receipt("The operator's own program", "application/json") },
        "/openapi.json": { "get": document("This document.") },
        "/.well-known/jwks.json": { "get": document("The public keys of access tokens (RFC 7517).") },
        "/.well-known/oauth-authorization-server": {
            "get": document("Authorization server metadata (RFC 8414)."),
        },
    })
}

fn send_otp() -> Value {
    let success = json!({ "200": ok("The code is on its way.", "Sent") });
    let refusals = [
        Code::InvalidIdempotencyKey,
        Code::IdempotencyKeyReused,
        Code::CountryNotAllowed,
        Code::ProofRequired,
    ];
    json!({
        "operationId": "sendOtp",
        "summary": "Sends a code to a phone.",
        "parameters": [{
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same request with the same key is answered as before: nothing is sent or counted.",
            "schema": { "type": "string", "minLength": 1, "maxLength": RequestKey::LONGEST + 2 },
        }],
        "requestBody": body("SendOtp"),
        "responses": responses(success, &[OF_BODIES, OF_STORE, &refusals]),
    })
}

fn challenge() -> Value {
    let success = json!({ "200": ok("How far the message has come.", "Challenge") });
    json!({
        "operationId": "getChallenge",
        "summary": "Tells whoever asked for a code what has become of its message.",
        "responses": responses(success, &[OF_STORE, &[Code::NotFound]]),
    })
}

fn verify_otp() -> Value {
    let success = json!({ "200": ok("A session is open.", "Tokens") });
    json!({
        "operationId": "verifyOtp",
        "summary": "Answers with the code, and opens a session.",
        "requestBody": body("VerifyOtp"),
        "responses": responses(success, &[OF_BODIES, OF_STORE, &[Code::InvalidOtp]]),
    })
}

fn refresh() -> Value {
    let success =
        json!({ "200": ok("The next pair; with cookies, without the tokens.", "Tokens") });
    json!({
        "operationId": "refresh",
        "summary": "Exchanges a refresh token, of the body or of a cookie, for the next pair.",
        "requestBody": { "content": { "application/json": { "schema": reference("Refresh") } } },
        "responses": responses(success, &[OF_BODIES, OF_STORE, &[Code::InvalidGrant, Code::Csrf]]),
    })
}

fn logout() -> Value {
    let success = json!({
        "204": { "description": "They have ended." },
        "303": { "description": "The same, for a browser that posted a form." },
    });
    let refusals = [Code::InvalidGrant, Code::Csrf];
    json!({
        "operationId": "logout",
        "summary": "Ends sessions, by an access token (an expired one is fine), a refresh token or cookies.",
        "security": [{ "bearer": [] }, { "cookie": [] }, {}],
        "requestBody": { "content": {
            "application/json": { "schema": reference("Logout") },
            "application/x-www-form-urlencoded": { "schema": reference("Logout") },
        } },
        "responses": responses(success, &[OF_BODIES, OF_TOKENS, &refusals]),
    })
}

fn list_sessions() -> Value {
    let success = json!({ "200": ok("Where somebody is logged in, the session used last first.", "Sessions") });
    json!({
        "operationId": "listSessions",
        "summary": "Lists the caller's sessions.",
        "security": caller(),
        "responses": responses(success, &[OF_TOKENS]),
    })
}

fn end_session() -> Value {
    let success = json!({ "204": { "description": "It has ended." } });
    json!({
        "operationId": "endSession",
        "summary": "Ends one of the caller's sessions.",
        "security": caller(),
        "responses": responses(success, &[OF_TOKENS, &[Code::NotFound, Code::Csrf]]),
    })
}

fn me() -> Value {
    let success = json!({ "200": ok("What the token says, with further claims.", "Me") });
    json!({
        "operationId": "me",
        "summary": "Tells who is calling.",
        "security": caller(),
        "responses": responses(success, &[OF_TOKENS]),
    })
}

fn check() -> Value {
    let success = json!({
        "200": { "description": "The request may pass; identity headers say who is calling." },
        "303": { "description": "Somebody who looks at a page is led to the login." },
    });
    json!({
        "operationId": "check",
        "summary": "Tells a proxy whether a request may pass (forward-auth).",
        "security": caller(),
        "responses": responses(success, &[OF_TOKENS, &[Code::Csrf]]),
    })
}

fn show_login() -> Value {
    let query = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    let success = json!({ "200": page(), "303": { "description": "Logged in already: back." } });
    json!({
        "operationId": "showLogin",
        "summary": "The login page.",
        "parameters": [query("return_to"), query("prompt")],
        "responses": responses(success, &[OF_STORE]),
    })
}

fn submit_login() -> Value {
    let success = json!({ "200": page(), "303": { "description": "Logged in: back." } });
    let refusals = [
        Code::IdempotencyKeyReused,
        Code::CountryNotAllowed,
        Code::ProofRequired,
        Code::InvalidOtp,
        Code::Csrf,
    ];
    json!({
        "operationId": "submitLogin",
        "summary": "Takes a step of the login page. Refusals come as pages, too.",
        "requestBody": { "required": true, "content": { "application/x-www-form-urlencoded": {} } },
        "responses": responses(success, &[OF_BODIES, OF_STORE, &refusals]),
    })
}

fn receipt(teller: &str, medium: &str) -> Value {
    let success = json!({ "204": { "description": "It was heard." } });
    let refusals = [Code::InvalidSignature, Code::NotFound];
    json!({
        "summary": format!("{teller} tells, signed, what has become of a message."),
        "requestBody": { "required": true, "content": { medium: {} } },
        "responses": responses(success, &[OF_BODIES, OF_STORE, &refusals]),
    })
}

fn document(summary: &str) -> Value {
    let success = json!({ "200": ok("It may be kept for a while.", "Document") });
    json!({ "summary": summary, "responses": responses(success, &[]) })
}

fn page() -> Value {
    let html = json!({ "schema": { "type": "string" } });
    json!({ "description": "A page.", "content": { "text/html": html } })
}

fn body(schema: &str) -> Value {
    let content = json!({ "application/json": { "schema": reference(schema) } });
    json!({ "required": true, "content": content })
}

fn id(of: &str) -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": format!("Of the {of}."),
        "schema": reference("Id"),
    })
}

/// An access token, wherever it stands.
fn caller() -> Value {
    json!([{ "bearer": [] }, { "cookie": [] }])
}
