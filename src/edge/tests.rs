//! What the tests of this room share: tokens, keys, revocations and a clock, all within reach.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use http::{HeaderValue, Method, Request};
use serde_json::{Map, Value};

use crate::{
    clock::{Clock, Timestamp},
    domain::{
        route::{Access, PathPattern, Route},
        session::SessionId,
        target::Escapes,
    },
    edge::{
        destination::Destination,
        gate::{Browsers, Gate},
    },
    secret::{Masters, Secret},
    store::revocations::Revocations,
    token::{Algorithm, Grant, Keyring, Spec, Tokens},
};

/// How long the tokens of the stage live.
pub const TTL: Duration = Duration::from_mins(15);
/// What is forgiven on top.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// All that a gate stands on.
#[derive(Debug)]
pub struct Stage {
    pub clock: Clock,
    pub keys: Arc<ArcSwap<Keyring>>,
    pub revocations: Arc<Revocations>,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            clock: Clock::manual(Timestamp::from_secs(1_800_000_000)),
            keys: Arc::new(ArcSwap::from_pointee(ring())),
            revocations: Arc::default(),
        }
    }

    /// What issues and verifies; what it issues says `claims` too.
    pub fn tokens(&self, claims: Map<String, Value>) -> Tokens {
        let spec = Spec {
            issuer: "https://login.example".to_owned(),
            audience: "app".to_owned(),
            access_ttl: TTL,
            leeway: LEEWAY,
            extra_claims: claims,
        };
        let masters = Masters::of(&Secret::new([7; 32])).expect("long enough");
        Tokens::new(spec, &masters, Arc::clone(&self.keys))
    }

    pub fn gate(&self) -> Gate {
        self.gate_for(Browsers::default())
    }

    pub fn gate_for(&self, browsers: Browsers) -> Gate {
        let tokens = self.tokens(Map::new());
        Gate::new(tokens, &self.revocations, browsers, self.clock.clone())
    }

    /// A token for the subject `"subject-N"` in session N, who has just logged in.
    pub fn token(&self, n: u8) -> String {
        self.token_of(&self.grant(n), Map::new())
    }

    pub fn grant(&self, n: u8) -> Grant {
        Grant {
            subject: format!("subject-{n}"),
            session: session(n),
            phone: "+15550001111".to_owned(),
            auth_time: self.clock.now(),
            amr: vec!["otp".to_owned()],
        }
    }

    pub fn token_of(&self, grant: &Grant, claims: Map<String, Value>) -> String {
        let tokens = self.tokens(claims);
        let token = tokens.issue_access(grant, [1; 16], self.clock.now());
        token.expect("there is a key")
    }

    /// Ends a session, until its tokens have died.
    pub fn revoke(&self, n: u8) {
        let now = self.clock.now();
        self.revocations.add(session(n), now + TTL + LEEWAY, now);
    }
}

pub fn session(n: u8) -> SessionId {
    SessionId::new([n; 16])
}

pub fn ring() -> Keyring {
    Keyring::ephemeral(Algorithm::Es256).expect("a key")
}

pub fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// A request with these header lines, in this order.
pub fn request<V: AsRef<[u8]>>(method: &Method, lines: &[(&'static str, V)]) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        request.headers_mut().append(*name, value);
    }
    request
}

/// A way along a route that leads everywhere and lets these through.
pub fn along(access: Access) -> Destination {
    Destination::Route(Arc::new(route(access)))
}

pub fn route(access: Access) -> Route {
    Route {
        index: 0,
        name: "everything".into(),
        host: None,
        path: PathPattern::Prefix(String::new()),
        methods: None,
        access,
        limits: Vec::new(),
        cors: None,
        headers: Vec::new(),
        upstream: 0,
        allow_encoded: Escapes::default(),
        forward_token: false,
        max_body: 0,
        response_timeout: Duration::ZERO,
        request_timeout: None,
    }
}
