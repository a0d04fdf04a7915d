//! Decides where a request goes, once, on one canonical form of its target, which is also what is forwarded.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, Method, Request, Uri, Version,
    header::{HOST, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING},
    request::Parts,
    uri::PathAndQuery,
};
use tower::{Layer, Service};

use crate::{
    domain::{
        route::{Directory, Found, Route},
        target::{Ambiguity, CanonicalPath, Escapes, canonical_host},
    },
    net::{
        malformed::Malformed,
        websocket::{Flaw, Handshake},
    },
    reject::{Code, Reject},
};

/// Where a request goes. Carried in its extensions; made by [`DestinationLayer`], and refused after
/// that by [`super::wrong_door`] alone.
#[derive(Debug, Clone)]
pub enum Destination {
    /// To the gateway's own endpoints.
    Auth,
    /// Along a route.
    Route(Arc<Route>),
    /// No further: `OPTIONS *` asks about the gateway as a whole (RFC 9110 §9.3.7).
    Gateway,
    /// Nowhere.
    Refused(Box<Reject>),
}

/// What all requests are matched against.
#[derive(Debug)]
pub struct Map {
    /// The paths of the auth service, canonical, without a slash at the end.
    pub auth_bases: Vec<String>,
    /// The ways to the apps.
    pub routes: Directory,
}

/// Puts [`Destination`] into the request, and the canonical path into its target.
#[derive(Debug, Clone)]
pub struct DestinationLayer {
    map: Arc<Map>,
}

/// See [`DestinationLayer`].
#[derive(Debug, Clone)]
pub struct FindDestination<S> {
    inner: S,
    map: Arc<Map>,
}

impl Destination {
    /// The escapes that may stand in the paths of requests that go there.
    fn allowed_escapes(&self) -> Escapes {
        match self {
            Self::Route(route) => route.allow_encoded,
            Self::Auth | Self::Gateway | Self::Refused(_) => Escapes::default(),
        }
    }

    /// Whether it is the same place.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Auth, Self::Auth) => true,
            (Self::Route(a), Self::Route(b)) => Arc::ptr_eq(a, b),
            (Self::Auth | Self::Route(_) | Self::Gateway | Self::Refused(_), _) => false,
        }
    }
}

impl DestinationLayer {
    /// Matches against `map`.
    pub const fn new(map: Arc<Map>) -> Self {
        Self { map }
    }
}

impl Map {
    /// Finds where a request goes and makes its target canonical.
    pub fn find(&self, parts: &mut Parts) -> Destination {
        self.try_find(parts)
            .unwrap_or_else(|reject| Destination::Refused(Box::new(reject)))
    }

    fn try_find(&self, parts: &mut Parts) -> Result<Destination, Reject> {
        if let Some(malformed) = parts.extensions.get::<Malformed>() {
            return Err(Reject::from(*malformed));
        }
        // Before its target, since an extended CONNECT is the GET of a WebSocket to everybody from here on.
        let handshake = Handshake::read(parts).map_err(refuse_handshake)?;
        let destination = self.try_route(parts)?;
        if let Some(handshake) = handshake {
            if let Destination::Auth = destination {
                let detail = "No WebSocket is spoken here.";
                return Err(Reject::new(Code::InvalidHandshake, detail));
            }
            parts.extensions.insert(handshake);
        }
        Ok(destination)
    }

    fn try_route(&self, parts: &mut Parts) -> Result<Destination, Reject> {
        if parts.method == Method::CONNECT || parts.method == Method::TRACE {
            return Err(Reject::new(
                Code::MethodNotAllowed,
                "CONNECT and TRACE lead nowhere here.",
            )
            .header(http::header::ALLOW, METHODS));
        }
        refuse_other_codings(&parts.headers)?;
        if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
            host_of(&parts.uri, &parts.headers, parts.version)?;
            return Ok(Destination::Gateway);
        }
        let path = CanonicalPath::parse(parts.uri.path()).map_err(refuse)?;
        let destination = {
            let host = host_of(&parts.uri, &parts.headers, parts.version)?;
            self.look_up_all(host.as_deref(), &path, &parts.method)?
        };
        if path.is_rewritten() {
            let canonical = path.as_str().to_owned();
            rewrite(&mut parts.uri, canonical)?;
        }
        Ok(destination)
    }

    /// Some servers drop the parameters of a path before they look where it leads, and some decode
    /// it; others do neither. All of them must come to the same place, or `/admin;x` and `/admin%2Fx`
    /// would pass under the policy of `/`.
    fn look_up_all(
        &self,
        host: Option<&str>,
        path: &CanonicalPath<'_>,
        method: &Method,
    ) -> Result<Destination, Reject> {
        let found = self.look_up(host, path.as_str(), method)?;
        let is_same = |reading: &str| {
            let other = self.look_up(host, reading, method);
            other.is_ok_and(|other| found.is(&other))
        };
        if path
            .without_parameters()
            .is_some_and(|bare| !is_same(&bare))
        {
            return Err(refuse(Ambiguity::Parameter));
        }
        let Some(loosest) = path.loosest_reading() else {
            return Ok(found);
        };
        if let Some(escape) = path.escapes().beyond(found.allowed_escapes()) {
            return Err(refuse(escape.into()));
        }
        let bare = CanonicalPath::parse(loosest).ok();
        let bare = bare.and_then(|loosest| loosest.without_parameters());
        if is_same(loosest) && bare.is_none_or(|bare| is_same(&bare)) {
            Ok(found)
        } else {
            Err(refuse(Ambiguity::Escape))
        }
    }

    fn look_up(
        &self,
        host: Option<&str>,
        path: &str,
        method: &Method,
    ) -> Result<Destination, Reject> {
        if self
            .auth_bases
            .iter()
            .any(|base| is_at_or_below(path, base))
        {
            return Ok(Destination::Auth);
        }
        match self.routes.find(host, path, method) {
            Found::Route(route) => Ok(Destination::Route(Arc::clone(route))),
            Found::Nothing => Err(Reject::new(Code::NotFound, "No route leads here.")),
            Found::WrongMethod(routes) => {
                let allowed: Vec<&str> = routes
                    .iter()
                    .filter_map(|route| route.methods.as_ref())
                    .flatten()
                    .map(Method::as_str)
                    .collect();
                Err(Reject::new(
                    Code::MethodNotAllowed,
                    "This path knows other methods; see Allow.",
                )
                .header(http::header::ALLOW, &allowed.join(", ")))
            }
        }
    }
}

/// What may be asked of one route or another.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether `path` is `base` or lies below it, on a segment border.
pub fn is_at_or_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A body is chunked once or not at all (RFC 9112 §6.1). Any other coding would be taken off, or left
/// on, by one reader and not by the next.
fn refuse_other_codings(headers: &HeaderMap) -> Result<(), Reject> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Reject::new(
            Code::InvalidRequestTarget,
            "The body is coded in another way than chunked.",
        )),
    }
}

/// The one host a request names, in canonical spelling. HTTP/1.1 must name one in exactly one
/// `Host` line (RFC 9112 §3.2), HTTP/2 in `:authority`; when both are there they must agree.
fn host_of<'a>(
    uri: &'a Uri,
    headers: &'a HeaderMap,
    version: Version,
) -> Result<Option<std::borrow::Cow<'a, str>>, Reject> {
    let bad = |detail| Reject::new(Code::InvalidRequestTarget, detail);
    let mut lines = headers.get_all(HOST).iter();
    let named = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => {
            let text = line.to_str().ok().and_then(canonical_host);
            Some(text.ok_or_else(|| bad("Host is not the name of a host."))?)
        }
        (Some(_), Some(_)) => return Err(bad("The request has several Host headers.")),
    };
    let Some(authority) = uri.authority() else {
        return match named {
            None if version >= Version::HTTP_11 => Err(bad("The request names no host.")),
            named => Ok(named),
        };
    };
    // An absolute target does not make up for the header.
    if named.is_none() && version == Version::HTTP_11 {
        return Err(bad("The request has no Host header."));
    }
    let target = canonical_host(authority.as_str())
        .ok_or_else(|| bad("The target does not name a host."))?;
    match named {
        Some(named) if named != target => Err(bad("Target and Host name different hosts.")),
        Some(_) | None => Ok(Some(target)),
    }
}

fn refuse_handshake(flaw: Flaw) -> Reject {
    let code = match flaw {
        Flaw::OtherVersion => Code::UpgradeRequired,
        Flaw::Request | Flaw::Connection | Flaw::Key | Flaw::NoVersion | Flaw::Body => {
            Code::InvalidHandshake
        }
    };
    let reject = Reject::new(code, flaw.to_string());
    match flaw {
        // RFC 6455 §4.4: what would be understood.
        Flaw::OtherVersion => reject.header(SEC_WEBSOCKET_VERSION, "13"),
        Flaw::Request | Flaw::Connection | Flaw::Key | Flaw::NoVersion | Flaw::Body => reject,
    }
}

fn rewrite(uri: &mut Uri, mut path: String) -> Result<(), Reject> {
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let bad = || {
        Reject::new(
            Code::InvalidRequestTarget,
            "The target cannot be forwarded.",
        )
    };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(path).map_err(|_| bad())?);
    *uri = Uri::from_parts(parts).map_err(|_| bad())?;
    Ok(())
}

fn refuse(why: Ambiguity) -> Reject {
    let mut detail = why.to_string();
    detail.replace_range(
        ..1,
        &detail.get(..1).unwrap_or_default().to_ascii_uppercase(),
    );
    detail.push('.');
    Reject::new(Code::InvalidRequestTarget, detail)
}

impl<S> Layer<S> for DestinationLayer {
    type Service = FindDestination<S>;

    fn layer(&self, inner: S) -> FindDestination<S> {
        FindDestination {
            inner,
            map: Arc::clone(&self.map),
        }
    }
}

impl<S, B> Service<Request<B>> for FindDestination<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut parts, body) = request.into_parts();
        let destination = self.map.find(&mut parts);
        parts.extensions.insert(destination);
        self.inner.call(Request::from_parts(parts, body))
    }
}

#[cfg(test)]
mod tests;
