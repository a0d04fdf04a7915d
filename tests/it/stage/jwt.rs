//! Tokens read without asking anybody whether they are good, and tokens that nobody issued.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

/// What stands in a token's header.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// What a token claims.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// A token of these parts with this signature.
pub fn seal(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let message = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Signs as HS256 does.
pub fn hs256(key: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

/// The same token with another byte in the middle of a part.
pub fn bent(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let bent = parts.get_mut(part).expect("three parts");
    let middle = bent.len() / 2;
    let other = if &bent[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    bent.replace_range(middle..=middle, other);
    parts.join(".")
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("three parts");
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}
