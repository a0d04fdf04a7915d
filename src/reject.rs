//! Refusals: the only place that turns one into an HTTP response. Why something is refused, it does not know.

mod allowance;
mod code;
mod grpc;

pub use allowance::Allowance;
use allowance::whole_secs;
pub use code::Code;
pub use grpc::in_grpc;

use std::{borrow::Cow, fmt::Write, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// The media type of every refusal (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// A refusal on its way to the client: what it may know, and nothing of the inner cause.
#[derive(Debug, Clone)]
pub struct Reject {
    code: Code,
    /// In a box: every function that may refuse returns one of these, and hardly ever does.
    told: Box<Told>,
}

/// What the client is told beyond the code.
#[derive(Debug, Clone)]
struct Told {
    detail: Cow<'static, str>,
    fields: Vec<FieldError>,
    extra: Map<String, Value>,
    headers: HeaderMap,
    /// More exactly than the code does, in the words of RFC 9209 §2.3.
    proxy_error: Option<&'static str>,
}

/// An answer that had begun when it had to be refused: it breaks off, and this is the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer was broken off: {}", .0.as_str())]
pub struct Broken(pub Code);

/// One field of a request body that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The JSON name of the field.
    pub field: &'static str,
    /// What would be right.
    pub message: Cow<'static, str>,
}

impl Reject {
    /// A refusal with `detail` for the caller: one sentence, no inner cause, no secret.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            told: Box::new(Told {
                detail: detail.into(),
                fields: Vec::new(),
                extra: Map::new(),
                headers: HeaderMap::new(),
                proxy_error: None,
            }),
        }
    }

    /// A body whose fields are wrong, each named.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let mut reject = Self::new(
            Code::ValidationFailed,
            "One or more fields are not valid; see errors.",
        );
        reject.told.fields = fields;
        reject
    }

    /// No token was sent: RFC 6750 §3.1 wants no error code in the challenge then.
    pub fn missing_token() -> Self {
        Self::new(
            Code::MissingToken,
            "Send an access token as Authorization: Bearer.",
        )
        .header(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// A token was sent and is of no use (RFC 6750 §3.1, `invalid_token`).
    pub fn token(code: Code, detail: &'static str) -> Self {
        let mut challenge = String::from("Bearer error=\"");
        challenge.push_str(if code == Code::InsufficientScope {
            "insufficient_scope"
        } else if code == Code::InsufficientUserAuthentication {
            "insufficient_user_authentication"
        } else {
            "invalid_token"
        });
        challenge.push_str("\", error_description=\"");
        challenge.push_str(detail);
        challenge.push('"');
        Self::new(code, detail).header(header::WWW_AUTHENTICATE, &challenge)
    }

    /// A limit was hit. `policy` names it, `quota` and `window` are its size, `retry_after` the wait
    /// until the next request can succeed (draft-ietf-httpapi-ratelimit-headers).
    pub fn rate_limited(
        policy: &'static str,
        quota: u32,
        window: Duration,
        retry_after: Duration,
    ) -> Self {
        let wait = Duration::from_secs(whole_secs(retry_after).max(1));
        let mut reject = Self::new(
            Code::RateLimited,
            "Too many requests; wait before the next one.",
        )
        .with("violated-policies", json!([policy]))
        .with("retry_after", json!(wait.as_secs()))
        .retry_after(wait);
        let allowance = Allowance {
            policy,
            quota,
            window,
            left: 0,
            more_in: wait,
        };
        allowance.tell(&mut reject.told.headers);
        reject
    }

    /// Adds a member to the problem document (RFC 9457 §3.2).
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.told.extra.insert(member.to_owned(), value);
        self
    }

    /// Adds a response header; a value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.told.headers.insert(name, value);
        }
        self
    }

    /// Says in `Proxy-Status` what happened, more exactly than the code does (RFC 9209 §2.3).
    #[must_use]
    pub fn because(mut self, proxy_error: &'static str) -> Self {
        self.told.proxy_error = Some(proxy_error);
        self
    }

    /// Says when to come back, in whole seconds, rounded up so that it is never too early.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let secs = whole_secs(wait).max(1).to_string();
        self.header(header::RETRY_AFTER, &secs)
    }

    /// Why it was refused.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// A further member of the problem document, if it has one of this name.
    pub fn member(&self, member: &str) -> Option<&Value> {
        self.told.extra.get(member)
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.told.detail
    }

    /// The response: `application/problem+json`, never cached, marked as ours by `Proxy-Status`
    /// (RFC 9209) so that it is told from an answer of the app.
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let (status, code, title, _) = self.code.facts();
        let told = *self.told;
        let mut problem = Map::new();
        problem.insert("type".to_owned(), json!("about:blank"));
        problem.insert("title".to_owned(), json!(title));
        problem.insert("status".to_owned(), json!(status.as_u16()));
        problem.insert("code".to_owned(), json!(code));
        problem.insert("detail".to_owned(), json!(told.detail));
        if !told.fields.is_empty() {
            let errors: Vec<Value> = told
                .fields
                .iter()
                .map(|error| json!({ "field": error.field, "message": error.message }))
                .collect();
            problem.insert("errors".to_owned(), Value::Array(errors));
        }
        problem.extend(told.extra);

        let mut response = Response::new(B::from(Bytes::from(Value::Object(problem).to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.extend(told.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        mark(&mut response, self.code);
        if let Some(proxy_error) = told.proxy_error {
            let headers = response.headers_mut();
            headers.insert(PROXY_STATUS, proxy_status(proxy_error));
        }
        response
    }

    /// The same refusal for somebody who looks at a page: sent to where it can be put right.
    pub fn to_redirect<B: From<Bytes>>(&self, location: HeaderValue) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::new()));
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, location);
        mark(&mut response, self.code);
        response
    }
}

/// What every refusal carries. No cache keeps it: it would go on refusing when the reason is gone.
fn mark<B>(response: &mut Response<B>, code: Code) {
    let (_, _, _, proxy_error) = code.facts();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PROXY_STATUS, proxy_status(proxy_error));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response.extensions_mut().insert(code);
}

/// `Proxy-Status: otp-gateway; error=TYPE` (RFC 9209 §2).
fn proxy_status(error: &'static str) -> HeaderValue {
    let mut value = String::from("otp-gateway");
    // Writing to a string cannot fail.
    let _: std::fmt::Result = write!(value, "; error={error}");
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("otp-gateway"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn problem(reject: Reject) -> (Response<Bytes>, Value) {
        let response: Response<Bytes> = reject.into_response();
        let body = serde_json::from_slice(response.body()).expect("problem documents are JSON");
        (response, body)
    }

    #[test]
    fn every_code_has_a_spelling_of_its_own_and_a_status_that_is_no_success() {
        let spellings: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(spellings.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!(status.as_u16() >= 300, "{code:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_problem_document_that_no_cache_keeps() {
        let (response, body) = problem(Reject::new(Code::NotFound, "No route leads here."));
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(
            response.headers()["proxy-status"],
            "otp-gateway; error=destination_not_found"
        );
        assert_eq!(body["code"], "not_found");
        assert_eq!(body["status"], 404);
    }

    #[test]
    fn a_missing_token_is_challenged_without_an_error_code() {
        let (response, _) = problem(Reject::missing_token());
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let (response, _) = problem(Reject::token(Code::TokenExpired, "The token has expired."));
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer error=\"invalid_token\", error_description=\"The token has expired.\""
        );
    }

    #[test]
    fn a_rate_limit_names_its_policy_and_never_invites_too_early() {
        let (response, body) = problem(Reject::rate_limited(
            "phone",
            3,
            Duration::from_mins(30),
            Duration::from_millis(1_799_001),
        ));
        assert_eq!(response.headers()["retry-after"], "1800");
        assert_eq!(
            response.headers()["ratelimit-policy"],
            "\"phone\";q=3;w=1800"
        );
        assert_eq!(response.headers()["ratelimit"], "\"phone\";r=0;t=1800");
        assert_eq!(body["violated-policies"][0], "phone");
    }

    #[test]
    fn wrong_fields_are_each_named() {
        let (response, body) = problem(Reject::fields(vec![FieldError {
            field: "otp",
            message: "must be 6 digits".into(),
        }]));
        assert_eq!(response.status(), 422);
        assert_eq!(body["errors"][0]["field"], "otp");
    }
}
