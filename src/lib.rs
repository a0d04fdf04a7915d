//! otp-gateway stands in front of existing apps. It answers `/api/auth/*` itself (phone number in,
//! six-digit code by SMS, code back, tokens out), lets a request through to an app only with a valid
//! token, and tells the app who is calling.
//!
//! This page is the architecture: read it before the code. How to run the gateway is in the README,
//! what can be configured in `gateway.toml`.
//!
//! # The house
//!
//! Rooms stand on floors; a room imports only lower floors, and rooms on one floor do not know each
//! other. `tests/it/house.rs` keeps it so.
//!
//! | floor | rooms | what for |
//! |---|---|---|
//! | 8 | [`cli`] | arguments in, exit code out |
//! | 7 | [`app`] | from a configuration to a running gateway; the order of all layers |
//! | 6 | [`config`] | the only room that knows TOML |
//! | 5 | `edge`, `auth`, `proxy` | the Tower layers; the auth service; the way to the apps |
//! | 4 | `limit`, `sms` | how many requests may come; who carries messages, and the courier who sees to it |
//! | 3 | `store`, `token`, `net` | one verb, one atomic step; JWTs and their keys; sockets and connections |
//! | 2 | `observe` | log, metrics, audit |
//! | 1 | `domain`, `reject` | the rules, pure; a refusal and its HTTP response |
//! | 0 | `clock`, `secret`, `body` | time, secrets and bodies as values |
//!
//! # Life of a request
//!
//! A worker is a thread with its own listening sockets (`SO_REUSEPORT`), its own connections to the
//! apps and its own stacks. `net::listen` accepts; `net::proxy_protocol` hears from a proxy in front who the
//! client is, where the address is one for that; `net::tls` shakes hands where the address is one for
//! HTTPS, by the terms that follow from the certificate files at that moment; `net::conn` speaks HTTP/1
//! or HTTP/2, as ALPN says or as the first bytes do; `net::progress` watches its deadlines and
//! `net::ending` tells why one ended it; and `app::site` says on one screen what every request passes:
//!
//! 1. `edge::request_id` names it,
//! 2. `edge::client` decides whose word about its origin is believed,
//! 3. `edge::destination` makes its target canonical and matches it, once: what was matched is what
//!    is forwarded, byte for byte,
//! 4. `edge::wrong_door` refuses it where the connection is not for its host, or only leads to HTTPS,
//! 5. `edge::access_log` measures it to the end of its answer,
//! 6. `edge::grpc` puts refusals into words that callers of gRPC understand,
//! 7. `edge::hsts` tells browsers that came over TLS to keep to it, if it is to,
//! 8. `edge::careful` adds to its answer what browsers are to be careful with,
//! 9. `edge::cors` tells them whose pages may read it, and answers what they ask in advance,
//! 10. `edge::rate_limit` throttles its address,
//! 11. `edge::dispatch` sends it to the auth service, along a route, or nowhere,
//! 12. on a route, `edge::authenticate` asks the worker's `edge::gate` for the caller,
//! 13. `edge::rate_limit` throttles the caller,
//! 14. `edge::identity` removes every header that looks like an identity and sets ours,
//! 15. `proxy` picks a connection of its own (HTTP/1.1) or a stream of a shared one (HTTP/2), in the
//!     clear or by TLS, and streams both ways, trailers included.
//!
//! The handshake of a WebSocket goes the same way, as the `GET` it is (`net::websocket` reads it for the
//! third step), to `proxy::upgrade`. Where an app proves that it has switched, the answer of `101` carries
//! the app's side of the tunnel as its body, so that whatever looks at bodies looks at it, too;
//! `net::switch` takes it from HTTP, and `net::tunnel` carries bytes until either side, its deadline or
//! its session ends.
//!
//! Nothing on that path takes a lock that another core could hold, boxes a future or a body, or
//! asks the store: a token that was verified before is looked up in the worker's own memory, and
//! whether its session was ended is one atomic load (`store::revocations`). Only where there are
//! limits do workers count in one place (`limit`). Gateways that share a Redis hear of each other's
//! logouts (`store::redis::news`), and know when they may not have.
//!
//! # Life of a code
//!
//! `auth` reads and checks, `domain::account` decides, `store` makes the decision atomic and durable,
//! `sms` carries the message. It lies in the store from the step that begins the challenge, with its
//! receiver sealed (`sms::letter`), and what may become of it is one state machine (`domain::delivery`).
//! `sms::courier` claims it, so that one of all gateways sends it: on the word of whoever stored it at
//! once, and else when it is found on its rounds. `sms::wording` writes it in the language of whoever
//! asked, `sms::route` says which ways lead to the number, `sms::breaker` whom to leave alone, and what
//! a provider answers becomes one of the classes of `sms::error`, which say whether another one may try.
//! What it tells later (`auth::receipts`, or the logs of SNS) is entered by `sms::receipt`, and a lost
//! message goes the next way. A code is never stored: the store holds a random nonce, from which the
//! code follows with a key derived from the master secret, and a keyed tag of the code, against which
//! answers are compared. A phone number has one live code; every caller who asked for it has a
//! challenge of its own on it, so that nobody's wrong answers burn somebody else's. A message is sent on
//! the credit of the places it concerns (`domain::fraud`) and paid from budgets of money
//! (`domain::budget`), in the step that begins the challenge; a right answer pays back in the step
//! that opens the session.
//!
//! # Life of a session
//!
//! A right answer consumes the code and opens the session in one step: all that is known of one phone
//! number, its code, its failures and its sessions, is one account, and one record in the store. The
//! account's key follows from the subject, so that every token names the account it belongs to, and
//! nobody can name another one's. The access token is a JWT that everybody can verify; the refresh
//! token is one that only we can, and names a generation. Refreshing moves the session one generation
//! on. The same old token gives the same successor for a short while (answers get lost, tabs race);
//! later it is a replay, and ends the session. All times in tokens are the store's, which all gateways
//! on it share, whatever their own clocks say.
//!
//! What is still under way when its session ends is cut: `proxy::tether` ties every exchange to its
//! session, and at each tick of a worker at which there is news, `app::curfew` compares the two.
//!
//! # What holds everywhere
//!
//! * `config` alone knows TOML, `net` alone accepts connections, `store::embedded` alone knows the
//!   database and `store::redis` alone Redis, `reject` alone builds error responses, `app::site` alone
//!   knows the order of layers.
//! * `domain` does no I/O, `token` none but with its key files, and neither asks the time: it is an
//!   argument, as chance is.
//! * Every state change is one store verb. Cut off in the middle, done twice or sent by an enemy, it
//!   has happened once or not at all.
//! * Refusal is the default: a route that says nothing needs a token, an error that is not foreseen
//!   lets nobody in.
//! * Whatever talks to the outside has a deadline; every queue and every cache has a bound.
//! * Codes, tokens and secrets have no `Display` and a masked `Debug`; phone numbers show themselves
//!   masked.
//!
//! # As a library
//!
//! The token check, the identity headers and the auth service are Tower layers and a Tower service.
//! `examples/axum.rs` puts them into an axum app; what they need is exported here.

pub mod cli;

pub mod app;

pub mod config;

mod edge;

mod auth;

mod proxy;

mod limit;
mod sms;

mod store;

mod token;

mod net;

mod observe;

mod domain;
mod reject;

mod body;
mod clock;
mod secret;

pub use crate::{
    auth::{
        AuthService, Parts, Spec as AuthSpec,
        captcha::{Captcha, Spec as CaptchaSpec},
    },
    clock::{Clock, Timestamp},
    domain::session::SessionId,
    edge::{
        authenticate::AuthenticateLayer,
        gate::{Browsers, Credential, Gate, Principal},
        identity::IdentityLayer,
        login_redirect::LoginRedirect,
    },
    net::{
        cookies::CookieSecure,
        introduction::Names as IdentityNames,
        peer::{Client, Scheme},
    },
    observe::metrics::Metrics,
    secret::{Master, Masters, Pseudonyms, Secret},
    sms::{
        Sms,
        console::Console,
        courier::{Courier, Parts as CourierParts, Rounds},
    },
    store::{
        Backend, Spec as StoreSpec, Store,
        revocations::{Freshness, OnOutage, Revocations},
    },
    token::{
        Access, Algorithm, Grant, Keyring, KeysError, Lookout, Pace, Refresh, Refusal, SignError,
        Spec as TokenSpec, Timetable, Tokens,
    },
};

/// What `benches/store.rs` and `benches/redis.rs` need to ask the store for its verbs; no part of the library's face.
#[doc(hidden)]
pub mod verbs {
    pub use crate::domain::{
        account::{AccountKey, Login, Revoke},
        delivery::{Goes, MessageId, Parcel},
        fraud::Credit,
        otp::{Answer, ChallengeId, ClientKey, Length, Nonce, Policy as OtpPolicy, Start, Tag},
        quota::{Bucket, Charge, Quota},
        session::Policy as SessionPolicy,
    };
}
