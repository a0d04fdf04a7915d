//! The Tower layers that every request passes, one file each, in the order in which it meets them.
//!
//! | layer | reads | writes |
//! |---|---|---|
//! | [`request_id`] | the peer | `X-Request-Id` of request and response |
//! | [`client`] | the peer, `X-Forwarded-*` | [`crate::net::peer::Client`], `X-Forwarded-*` |
//! | [`destination`] | target, `Host`, method, the handshake of a WebSocket, [`crate::net::malformed::Malformed`] | [`destination::Destination`], the canonical path, [`crate::net::websocket::Handshake`] |
//! | [`wrong_door`] | `Host`, the connection's certificate | the destination, where it is another one |
//! | [`access_log`] | all of the above | one line and the metrics, when the answer has ended |
//! | [`grpc`] | the request's kind | a refusal of a gRPC request, as its caller reads it |
//! | [`hsts`] | the client's scheme | `Strict-Transport-Security` of the response |
//! | [`careful`] | the route | `X-Frame-Options` and its like, where the answer says nothing itself |
//! | [`cors`] | the route, `Origin` | `Access-Control-*` of the response; answers what browsers ask in advance |
//! | [`rate_limit`] | the client; further in, the principal | `RateLimit` of the response; answers what comes too fast |
//! | [`dispatch`] | the destination | nothing: refuses, or hands on to the auth service or a route |
//! | [`recognize`] | the token, of a request to the auth service | [`gate::Principal`] |
//! | [`authenticate`] | the route's access, the token | [`gate::Principal`] |
//! | [`identity`] | the principal | the identity headers, after taking away all that look like them |
//! | [`app_answer`] | the app's answer | takes away the gateway's cookies and its name in `Proxy-Status` |
//!
//! A layer refuses by answering; none has an error of its own. It knows neither the auth service
//! nor the way to the apps.

pub mod request_id;

pub mod client;

pub mod destination;

pub mod wrong_door;

pub mod access_log;

pub mod grpc;

pub mod hsts;

pub mod careful;

pub mod cors;

pub mod rate_limit;

pub mod dispatch;

pub mod authenticate;
pub mod gate;
pub mod login_redirect;
pub mod recognize;
mod token_cache;

pub mod identity;

pub mod app_answer;

#[cfg(test)]
mod tests;
