//! The list of all stable codes, and the facts about each; knows nothing of the responses they end up in.

use http::StatusCode;

/// Every reason the gateway itself has to refuse a request. The spelling in [`Code::as_str`] is
/// part of the public contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    HttpsRequired,
    MalformedRequest,
    InvalidJson,
    InvalidRequestTarget,
    InvalidHandshake,
    InvalidIdempotencyKey,
    InvalidOtp,
    InvalidGrant,
    MissingToken,
    InvalidToken,
    TokenExpired,
    SessionRevoked,
    InsufficientUserAuthentication,
    InsufficientScope,
    CountryNotAllowed,
    ProofRequired,
    Csrf,
    InvalidSignature,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    MisdirectedRequest,
    ValidationFailed,
    IdempotencyKeyReused,
    UpgradeRequired,
    RateLimited,
    HeadersTooLarge,
    Internal,
    SmsFailed,
    UpstreamUnreachable,
    StoreUnavailable,
    Overloaded,
    UpstreamTimeout,
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 35] = [
        Self::HttpsRequired,
        Self::MalformedRequest,
        Self::InvalidJson,
        Self::InvalidRequestTarget,
        Self::InvalidHandshake,
        Self::InvalidIdempotencyKey,
        Self::InvalidOtp,
        Self::InvalidGrant,
        Self::MissingToken,
        Self::InvalidToken,
        Self::TokenExpired,
        Self::SessionRevoked,
        Self::InsufficientUserAuthentication,
        Self::InsufficientScope,
        Self::CountryNotAllowed,
        Self::ProofRequired,
        Self::Csrf,
        Self::InvalidSignature,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::MisdirectedRequest,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::UpgradeRequired,
        Self::RateLimited,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::SmsFailed,
        Self::UpstreamUnreachable,
        Self::StoreUnavailable,
        Self::Overloaded,
        Self::UpstreamTimeout,
    ];

    /// The stable spelling that clients may match on.
    pub const fn as_str(self) -> &'static str {
        self.facts().1
    }

    /// The HTTP status it is answered with.
    pub const fn status(self) -> StatusCode {
        self.facts().0
    }

    /// Status, code, title for people, and the error type of RFC 9209 §2.3 for `Proxy-Status`.
    pub(super) const fn facts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        const DENIED: &str = "http_request_denied";
        const BROKEN: &str = "http_request_error";
        match self {
            Self::HttpsRequired => (
                StatusCode::PERMANENT_REDIRECT,
                "https_required",
                "This is spoken over HTTPS alone",
                DENIED,
            ),
            Self::MalformedRequest => (
                StatusCode::BAD_REQUEST,
                "malformed_request",
                "The request is not well-formed HTTP",
                BROKEN,
            ),
            Self::InvalidJson => (
                StatusCode::BAD_REQUEST,
                "invalid_json",
                "The body is not valid JSON",
                BROKEN,
            ),
            Self::InvalidRequestTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_request_target",
                "The request target is not acceptable",
                BROKEN,
            ),
            Self::InvalidHandshake => (
                StatusCode::BAD_REQUEST,
                "invalid_handshake",
                "The request asks for a WebSocket in a wrong way",
                BROKEN,
            ),
            Self::InvalidIdempotencyKey => (
                StatusCode::BAD_REQUEST,
                "invalid_idempotency_key",
                "The Idempotency-Key is not acceptable",
                BROKEN,
            ),
            Self::InvalidOtp => (
                StatusCode::BAD_REQUEST,
                "invalid_otp",
                "The code is wrong or no longer valid",
                DENIED,
            ),
            Self::InvalidGrant => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "The refresh token is not valid",
                DENIED,
            ),
            Self::MissingToken => (
                StatusCode::UNAUTHORIZED,
                "missing_token",
                "An access token is needed",
                DENIED,
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The access token is not valid",
                DENIED,
            ),
            Self::TokenExpired => (
                StatusCode::UNAUTHORIZED,
                "token_expired",
                "The access token has expired",
                DENIED,
            ),
            Self::SessionRevoked => (
                StatusCode::UNAUTHORIZED,
                "session_revoked",
                "The session has ended",
                DENIED,
            ),
            Self::InsufficientUserAuthentication => (
                StatusCode::UNAUTHORIZED,
                "insufficient_user_authentication",
                "A more recent login is needed",
                DENIED,
            ),
            Self::InsufficientScope => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "The access token does not allow this",
                DENIED,
            ),
            Self::CountryNotAllowed => (
                StatusCode::FORBIDDEN,
                "country_not_allowed",
                "Numbers of this country are not served",
                DENIED,
            ),
            Self::ProofRequired => (
                StatusCode::FORBIDDEN,
                "proof_required",
                "A proof of work is needed",
                DENIED,
            ),
            Self::Csrf => (
                StatusCode::FORBIDDEN,
                "csrf",
                "The request came from another site",
                DENIED,
            ),
            Self::InvalidSignature => (
                StatusCode::FORBIDDEN,
                "invalid_signature",
                "The request is not signed as it must be",
                DENIED,
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "There is nothing here",
                "destination_not_found",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The method is not allowed here",
                DENIED,
            ),
            Self::RequestTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "The request did not arrive in time",
                BROKEN,
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is too large",
                DENIED,
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The media type is not supported",
                DENIED,
            ),
            Self::MisdirectedRequest => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected_request",
                "The request came on the wrong connection",
                DENIED,
            ),
            Self::ValidationFailed => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation_failed",
                "A field is not valid",
                DENIED,
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key belongs to another request",
                DENIED,
            ),
            Self::UpgradeRequired => (
                StatusCode::UPGRADE_REQUIRED,
                "upgrade_required",
                "This version of WebSocket is not spoken",
                DENIED,
            ),
            Self::RateLimited => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many requests",
                DENIED,
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "The request headers are too large",
                DENIED,
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "The gateway failed",
                "proxy_internal_error",
            ),
            Self::SmsFailed => (
                StatusCode::BAD_GATEWAY,
                "sms_failed",
                "The message could not be sent",
                "destination_unavailable",
            ),
            Self::UpstreamUnreachable => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                "The app cannot be reached",
                "destination_unavailable",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "The session store cannot be reached",
                "proxy_internal_error",
            ),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "The gateway is overloaded",
                "proxy_internal_error",
            ),
            Self::UpstreamTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "The app did not answer in time",
                "http_response_timeout",
            ),
        }
    }
}
