//! One request on its way through an endpoint, and what all endpoints share; knows nothing of the answer.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, header, request::Parts as Head};

use crate::{
    auth::{captcha::Captcha, spec::Spec},
    clock::{Clock, Timestamp},
    domain::{phone::Phone, session::SessionId},
    net::{
        origin::{CrossOrigin, Sent},
        peer::Client,
    },
    observe::{
        audit::{self, Event, Scene},
        metrics::Metrics,
    },
    reject::{Code, Reject},
    secret::Masters,
    sms::{courier::Courier, receipt::Ledger},
    store::{
        Store,
        revocations::{Refusal, View},
    },
    token::Tokens,
};

/// Under which the access log has the request; made or checked at the edge.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the auth service is built from.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Its rules.
    pub spec: Arc<Spec>,
    /// Where challenges and sessions are kept.
    pub store: Store,
    /// Issues and verifies tokens.
    pub tokens: Tokens,
    /// Carries messages.
    pub courier: Courier,
    /// From which codes, tags and names are derived.
    pub masters: Arc<Masters>,
    /// Whose captchas do instead of a proof of work, if anybody's.
    pub captcha: Option<Captcha>,
    /// Where events are counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

/// The parts, set up for work.
#[derive(Debug)]
pub struct Desk {
    pub parts: Parts,
    revoked: Mutex<View>,
}

/// A request without its body.
#[derive(Debug)]
pub struct Call {
    pub head: Head,
    pub client: Client,
    pub now: Timestamp,
}

impl Desk {
    pub fn new(parts: Parts) -> Self {
        let revoked = Mutex::new(parts.store.revocations().view());
        Self { parts, revoked }
    }

    pub fn spec(&self) -> &Spec {
        &self.parts.spec
    }

    /// Where receipts are entered.
    pub fn ledger(&self) -> Ledger {
        Ledger {
            store: self.parts.store.clone(),
            courier: self.parts.courier.clone(),
            metrics: self.parts.metrics.clone(),
            clock: self.parts.clock.clone(),
        }
    }

    /// Whether tokens of `session` may be accepted. The lock is held for one look into a set.
    pub fn check(&self, session: SessionId, now: Timestamp) -> Result<(), Refusal> {
        // A view cannot be left half done in a way that forgets a revocation.
        let mut view = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        view.check(session, self.spec().on_outage, now)
    }

    /// For how long an ended session's access tokens must be refused.
    pub fn revoked_for(&self) -> std::time::Duration {
        self.parts.tokens.spec().access_life()
    }
}

impl Call {
    /// The value of a header that stands there once and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        only(&self.head.headers, name)
    }

    /// Refuses what a page of another site may have sent. To be asked before acting on a cookie.
    pub fn same_origin(&self, spec: &Spec) -> Result<(), Reject> {
        Ok(self.sent().check(spec.public_url.as_deref())?)
    }

    /// The address under which this gateway is known, as far as the request tells.
    pub fn public_url(&self, spec: &Spec) -> Option<String> {
        match &spec.public_url {
            Some(url) => Some(url.trim_end_matches('/').to_owned()),
            None => self.sent().own(),
        }
    }

    /// Whether the caller would rather read a page than a document for programs.
    pub fn wants_page(&self) -> bool {
        self.header(&header::ACCEPT)
            .is_some_and(|accept| accept.contains("text/html"))
    }

    /// Writes `event` to the audit log.
    pub fn audit(&self, event: Event, phone: Option<&Phone>, session: Option<SessionId>) {
        audit::record(
            event,
            Scene {
                ip: self.client.ip,
                request_id: self.header(&REQUEST_ID),
                phone,
                session,
            },
        );
    }

    fn sent(&self) -> Sent<'_> {
        Sent {
            uri: &self.head.uri,
            headers: &self.head.headers,
            scheme: self.client.scheme,
        }
    }
}

impl From<CrossOrigin> for Reject {
    fn from(CrossOrigin: CrossOrigin) -> Self {
        Self::new(
            Code::Csrf,
            "A request that relies on cookies must come from a page of this site.",
        )
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}
