//! Tells the app who is calling: takes away every header that looks like an identity header, then sets ours.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, Request, header::AUTHORIZATION};
use serde_json::Value;
use tower::{Layer, Service};

use crate::{
    edge::{
        client::is_forwarding,
        destination::Destination,
        gate::{Credential, Principal, header_value},
        request_id::X_REQUEST_ID,
    },
    net::{cookies, hop_by_hop},
};

/// How the identity headers are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Carries `sub`.
    pub subject: HeaderName,
    /// Carries `phone_number`.
    pub phone: HeaderName,
    /// Carries `sid`.
    pub session: HeaderName,
    /// Further claims and the headers that carry them: a text as it is, anything else as JSON.
    pub claims: Vec<(String, HeaderName)>,
}

/// Sets the identity headers of a request from its [`Principal`], and from nothing else.
///
/// Everything a client sent under such a name is removed first, in every spelling that some app
/// server takes for the same one: CGI and its heirs read `X_Auth_Subject` and PHP `X.Auth.Subject`
/// as `X-Auth-Subject`. Headers of the client's connection go too, and go before ours come, so that
/// `Connection: X-Auth-Subject` removes nothing. The gateway's own credentials are taken out
/// unless the route forwards them.
#[derive(Debug, Clone)]
pub struct IdentityLayer {
    names: Arc<Names>,
    protected: Arc<[String]>,
}

/// See [`IdentityLayer`].
#[derive(Debug, Clone)]
pub struct Identify<S> {
    inner: S,
    layer: IdentityLayer,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            subject: HeaderName::from_static("x-auth-subject"),
            phone: HeaderName::from_static("x-auth-phone"),
            session: HeaderName::from_static("x-auth-session"),
            claims: Vec::new(),
        }
    }
}

impl Names {
    /// Every name, folded.
    fn folded(&self) -> impl Iterator<Item = String> {
        [&self.subject, &self.phone, &self.session]
            .into_iter()
            .chain(self.claims.iter().map(|(_, name)| name))
            .map(|name| fold(name.as_str()).collect())
    }
}

impl IdentityLayer {
    /// Uses these names.
    pub fn new(names: Names) -> Self {
        Self {
            protected: names.folded().collect(),
            names: Arc::new(names),
        }
    }

    fn rewrite<B>(&self, request: &mut Request<B>) {
        let principal = request.extensions().get::<Principal>().cloned();
        let forward_token = match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => route.forward_token,
            Some(Destination::Auth | Destination::Refused(_)) | None => false,
        };
        let headers = request.headers_mut();
        hop_by_hop::strip(headers);
        self.strip(headers);
        if !forward_token {
            cookies::strip(headers);
        }
        let Some(principal) = principal else {
            return;
        };
        if !forward_token && principal.credential() == Credential::Header {
            headers.remove(AUTHORIZATION);
        }
        self.set(headers, &principal);
    }

    /// Removes what looks like an identity header or names another target than the one that was matched,
    /// and what looks like another header of the gateway's without being spelt like it (those spelt
    /// right were judged and set before).
    fn strip(&self, headers: &mut HeaderMap) {
        let is_forged = |name: &HeaderName| {
            let name = name.as_str();
            let is_unusual = || {
                name.bytes()
                    .any(|b| !b.is_ascii_alphanumeric() && b != b'-')
            };
            self.protected.iter().any(|ours| folds_to(name, ours))
                || OTHER_TARGETS.iter().any(|target| folds_to(name, target))
                || (is_unusual() && is_told_by_the_gateway(&fold(name).collect::<String>()))
        };
        let forged: Vec<HeaderName> = headers.keys().filter(|n| is_forged(n)).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
    }

    fn set(&self, headers: &mut HeaderMap, principal: &Principal) {
        let names = &*self.names;
        headers.insert(names.subject.clone(), principal.subject_value().clone());
        headers.insert(names.session.clone(), principal.session_value().clone());
        if let Some(phone) = principal.phone_value() {
            headers.insert(names.phone.clone(), phone.clone());
        }
        for (claim, name) in &names.claims {
            let value = match principal.access().claims.get(claim) {
                Some(Value::String(text)) => header_value(text),
                Some(other) => header_value(&other.to_string()),
                None => None,
            };
            // A value that no header can carry stays away rather than arrive changed.
            if let Some(value) = value {
                headers.insert(name.clone(), value);
            }
        }
    }
}

/// Headers in which some frameworks look for the target, in place of the one that was matched.
const OTHER_TARGETS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// Whether a header is the gateway's word to the app and stands there already.
fn is_told_by_the_gateway(name: &str) -> bool {
    is_forwarding(name) || name == X_REQUEST_ID
}

/// A header's name as the most forgiving reader sees it: lower case, all but letters and digits alike.
fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    })
}

fn folds_to(name: &str, folded: &str) -> bool {
    name.len() == folded.len() && fold(name).eq(folded.chars())
}

impl<S> Layer<S> for IdentityLayer {
    type Service = Identify<S>;

    fn layer(&self, inner: S) -> Identify<S> {
        Identify {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, B> Service<Request<B>> for Identify<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        self.layer.rewrite(&mut request);
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests;
