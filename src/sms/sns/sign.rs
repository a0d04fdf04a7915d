//! AWS Signature Version 4, for requests whose whole content is at hand; knows nothing of what they ask.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::{fmt::Write, time::SystemTime};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};

use super::Credentials;
use crate::clock::Timestamp;

/// What a signature is good for.
pub struct Scope<'a> {
    /// Such as `eu-west-1`.
    pub region: &'a str,
    /// Such as `sns`.
    pub service: &'a str,
}

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs `request` as it is, to be sent at `now`. Its path must be one that is written in one way
/// only, and it may have no query: those of SNS are and have. `None` when something of it cannot
/// stand in a header.
pub fn sign(
    request: &mut Request<Bytes>,
    credentials: &Credentials,
    scope: &Scope<'_>,
    now: Timestamp,
) -> Option<()> {
    let time = basic_format(now)?;
    let host = HeaderValue::from_str(request.uri().authority()?.as_str()).ok()?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(DATE, HeaderValue::from_str(&time).ok()?);
    if let Some(token) = &credentials.session_token {
        let mut token = HeaderValue::from_bytes(token.expose()).ok()?;
        token.set_sensitive(true);
        headers.insert(TOKEN, token);
    }
    let (names, canonical) = canonical(request)?;
    let day = time.get(..8)?;
    let scoped = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scoped}\n{}",
        sha256(canonical.as_bytes())
    );
    let secret = [b"AWS4", credentials.secret_key.expose()].concat();
    let mut key = mac(&secret, day);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
    let id = &credentials.access_key;
    let mut value = HeaderValue::try_from(format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scoped}, SignedHeaders={names}, Signature={signature}"
    ))
    .ok()?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Some(())
}

/// The names of all headers, and the request in the one form that is signed.
fn canonical(request: &Request<Bytes>) -> Option<(String, String)> {
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut text = format!("{}\n{}\n\n", request.method(), request.uri().path());
    for (name, value) in headers {
        let value = value.to_str().ok()?.trim();
        writeln!(text, "{name}:{value}").ok()?;
    }
    write!(text, "\n{names}\n{}", sha256(request.body())).ok()?;
    Some((names, text))
}

/// `20150830T123600Z`.
fn basic_format(now: Timestamp) -> Option<String> {
    let time = SystemTime::UNIX_EPOCH + now.since(Timestamp::default());
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    text.retain(|c| !matches!(c, '-' | ':'));
    Some(text)
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The key of AWS's own test suite.
    fn credentials(session_token: Option<&str>) -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::new(*b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: session_token.map(|token| Secret::new(token.as_bytes())),
            expires_at: None,
        }
    }

    fn signed(mut request: Request<Bytes>, token: Option<&str>) -> Request<Bytes> {
        let scope = Scope {
            region: "us-east-1",
            service: "service",
        };
        // 2015-08-30T12:36:00Z.
        let now = Timestamp::from_secs(1_440_938_160);
        sign(&mut request, &credentials(token), &scope, now).expect("signable");
        request
    }

    fn post(content_type: Option<&str>, body: &'static str) -> Request<Bytes> {
        let mut request = Request::post("https://example.amazonaws.com/");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    /// `post-vanilla` and `post-x-www-form-urlencoded` of the suite.
    #[test]
    fn signatures_are_those_of_the_test_suite_of_aws() {
        let form = Some("application/x-www-form-urlencoded");
        for (request, headers, signature) in [
            (
                post(None, ""),
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                post(form, "Param1=value1"),
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let request = signed(request, None);
            assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
            assert_eq!(
                request.headers()["authorization"],
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders={headers}, Signature={signature}"
                )
            );
        }
    }

    #[test]
    fn a_session_token_is_signed_too() {
        let request = signed(post(None, ""), Some("token"));
        assert_eq!(request.headers()["x-amz-security-token"], "token");
        let signature = request.headers()["authorization"].to_str().unwrap();
        assert!(signature.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
    }

    #[test]
    fn what_proves_who_we_are_is_not_shown() {
        let shown = format!("{:?}", signed(post(None, ""), Some("token")));
        assert!(
            !shown.contains("AKID") && !shown.contains("\"token\""),
            "{shown}"
        );
    }
}
