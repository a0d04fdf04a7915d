//! Tells the app who is calling: takes away every header that looks like an identity header, then sets ours.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, Request, header::AUTHORIZATION};
use tower::{Layer, Service};

use crate::{
    edge::{
        destination::Destination,
        gate::{Credential, Principal},
    },
    net::{cookies, fields::Reserved, hop_by_hop, introduction::Names},
};

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
    reserved: Reserved,
}

/// See [`IdentityLayer`].
#[derive(Debug, Clone)]
pub struct Identify<S> {
    inner: S,
    layer: IdentityLayer,
}

impl IdentityLayer {
    /// Uses these names.
    pub fn new(names: Names) -> Self {
        Self {
            reserved: Reserved::new(names.all()),
            names: Arc::new(names),
        }
    }

    /// The names under which nobody but the gateway speaks to apps.
    pub const fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    fn rewrite<B>(&self, request: &mut Request<B>) {
        let principal = request.extensions().get::<Principal>().cloned();
        let forward_token = match request.extensions().get::<Destination>() {
            Some(Destination::Route(route)) => route.forward_token,
            Some(Destination::Auth | Destination::Gateway | Destination::Refused(_)) | None => {
                false
            }
        };
        let headers = request.headers_mut();
        hop_by_hop::strip_request(headers);
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
        let forged: Vec<HeaderName> = headers
            .keys()
            .filter(|name| self.reserved.is_forged(name.as_str()))
            .cloned()
            .collect();
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
        for (name, value) in names.further(&principal.access().claims) {
            headers.insert(name.clone(), value);
        }
    }
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
