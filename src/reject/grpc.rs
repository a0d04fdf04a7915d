//! A refusal in the words of gRPC, whose callers read no status of HTTP and no problem document; knows nothing of why it was refused.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::Code;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How long a caller is to wait before it tries again (gRFC A6).
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

impl Code {
    /// The number of the status that says it in gRPC.
    const fn grpc_status(self) -> u8 {
        match self {
            Self::MalformedRequest
            | Self::InvalidJson
            | Self::InvalidRequestTarget
            | Self::InvalidHandshake
            | Self::InvalidIdempotencyKey
            | Self::InvalidOtp
            | Self::InvalidGrant
            | Self::UnsupportedMediaType
            | Self::ValidationFailed
            | Self::IdempotencyKeyReused => INVALID_ARGUMENT,
            Self::RequestTimeout | Self::UpstreamTimeout => DEADLINE_EXCEEDED,
            Self::InsufficientScope
            | Self::CountryNotAllowed
            | Self::ProofRequired
            | Self::Csrf
            | Self::InvalidSignature => PERMISSION_DENIED,
            Self::BodyTooLarge | Self::RateLimited | Self::HeadersTooLarge => RESOURCE_EXHAUSTED,
            Self::HttpsRequired => FAILED_PRECONDITION,
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::UpgradeRequired
            | Self::MisdirectedRequest => UNIMPLEMENTED,
            Self::Internal | Self::SmsFailed => INTERNAL,
            Self::UpstreamUnreachable | Self::StoreUnavailable | Self::Overloaded => UNAVAILABLE,
            Self::MissingToken
            | Self::InvalidToken
            | Self::TokenExpired
            | Self::SessionRevoked
            | Self::InsufficientUserAuthentication => UNAUTHENTICATED,
        }
    }
}

// https://grpc.io/docs/guides/status-codes/
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const FAILED_PRECONDITION: u8 = 9;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// The refusal that `response` is, with nothing but a head: what gRPC calls trailers only. What it says
/// of the reason, of the wait and of the request stays; what leads browsers elsewhere goes.
pub fn in_grpc<B: From<Bytes>>(response: Response<B>, code: Code) -> Response<B> {
    let (mut parts, _) = response.into_parts();
    let headers = &mut parts.headers;
    for name in [header::CONTENT_LENGTH, header::LOCATION, header::SET_COOKIE] {
        headers.remove(name);
    }
    let kind = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from(u16::from(code.grpc_status())),
    );
    let (_, spelling, title, _) = code.facts();
    if let Ok(message) = HeaderValue::from_str(&format!("{spelling}: {title}")) {
        headers.insert(GRPC_MESSAGE, message);
    }
    let wait = headers.get(header::RETRY_AFTER);
    let wait: Option<u64> = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
    if let Some(wait) = wait {
        let wait = HeaderValue::from(wait.saturating_mul(1000));
        headers.insert(GRPC_RETRY_PUSHBACK_MS, wait);
    }
    parts.status = StatusCode::OK;
    Response::from_parts(parts, B::from(Bytes::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject::Reject;
    use std::time::Duration;

    fn refused(reject: Reject) -> Response<Bytes> {
        let code = reject.code();
        in_grpc(reject.into_response(), code)
    }

    #[test]
    fn a_refusal_is_a_head_that_grpc_understands() {
        let answer = refused(Reject::missing_token());
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        assert_eq!(answer.headers()["grpc-status"], "16");
        let message = "missing_token: An access token is needed";
        assert_eq!(answer.headers()["grpc-message"], message);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert!(answer.body().is_empty());
    }

    #[test]
    fn who_has_to_wait_is_told_in_both_languages() {
        let busy = Reject::new(Code::Overloaded, "Busy.").retry_after(Duration::from_secs(2));
        let answer = refused(busy);
        assert_eq!(answer.headers()["grpc-status"], "14");
        assert_eq!(answer.headers()["retry-after"], "2");
        assert_eq!(answer.headers()["grpc-retry-pushback-ms"], "2000");
    }

    #[test]
    fn no_refusal_sends_a_caller_of_grpc_elsewhere() {
        let login = HeaderValue::from_static("/api/auth/login");
        let reject = Reject::missing_token();
        let answer: Response<Bytes> = in_grpc(reject.to_redirect(login), reject.code());
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("location"));
    }

    #[test]
    fn every_code_says_something_that_is_no_success() {
        for code in Code::ALL {
            let answer = refused(Reject::new(code, "No."));
            assert_ne!(answer.headers()["grpc-status"], "0", "{code:?}");
            assert!(answer.headers().contains_key("grpc-message"), "{code:?}");
        }
    }
}
