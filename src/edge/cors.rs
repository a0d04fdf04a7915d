//! Lets pages of other origins ask, where a route says whose (Fetch §3.3): answers what browsers ask in advance, and marks every answer.
//!
//! The layer of tower-http is not used: it takes every `OPTIONS` for a question in advance, which would be a way
//! around the token, holds one set of rules for a whole service, and leaves in place what an app says.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        HOST, ORIGIN, VARY,
    },
};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    domain::cors::{Cookies, Cors, Origins},
    edge::destination::{Destination, Map},
    reject::Code,
};

/// Answers a question in advance where it may be asked, without a token, since browsers send none.
/// Everything else that is called `OPTIONS` is a request like any other. On a route with rules the
/// word of the app about other origins is replaced; refusals of the gateway carry them too, so
/// that a page can read why. Must stand outside of all that refuses along a route.
#[derive(Debug, Clone)]
pub struct CorsLayer {
    map: Arc<Map>,
    /// The rules of the gateway's own endpoints, if there are any.
    own: Option<Arc<Cors>>,
}

/// See [`CorsLayer`].
#[derive(Debug, Clone)]
pub struct AnswerOthers<S> {
    inner: S,
    layer: CorsLayer,
}

pin_project! {
    /// The answer: to a question in advance at once, or what the inner service says.
    #[derive(Debug)]
    #[project = ResponseFutureProjection]
    pub enum ResponseFuture<F, B> {
        /// It was a question.
        Answered { response: Option<Response<B>> },
        /// It was not. Where there are no rules, nothing is marked.
        Passed { #[pin] inner: F, mark: Option<Mark> },
    }
}

/// What is said on the answer to a request.
#[derive(Debug)]
pub struct Mark {
    rules: Arc<Cors>,
    /// `None` when its pages may not read it.
    origin: Option<HeaderValue>,
}

impl CorsLayer {
    /// By the rules of the routes in `map`, and `own` for the gateway's own endpoints.
    pub const fn new(map: Arc<Map>, own: Option<Arc<Cors>>) -> Self {
        Self { map, own }
    }

    /// The rules for where a request goes.
    fn rules<'a>(&'a self, destination: Option<&'a Destination>) -> Option<&'a Arc<Cors>> {
        match destination {
            Some(Destination::Auth) => self.own.as_ref(),
            Some(Destination::Route(route)) => route.cors.as_ref(),
            Some(Destination::Gateway | Destination::Refused(_)) | None => None,
        }
    }

    /// What a browser is told that asks in advance; `None` when this is no such question, or none
    /// that is answered here. It is asked of the place where the request would go.
    fn answer<A, B: From<Bytes>>(&self, request: &Request<A>) -> Option<Response<B>> {
        if request.method() != Method::OPTIONS || !may_be_asked(request.extensions().get()) {
            return None;
        }
        let origin = only(request.headers(), &ORIGIN)?;
        let method = only(request.headers(), &ACCESS_CONTROL_REQUEST_METHOD)?;
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let (mut parts, ()) = announced(request, &method).into_parts();
        let destination = self.map.find(&mut parts);
        let rules = self.rules(Some(&destination))?;
        let mark = Mark::new(rules, Some(origin));
        mark.origin.as_ref()?;
        let mut response = Response::new(B::from(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        mark.say(response.headers_mut());
        permit(rules, &method, response.headers_mut());
        Some(response)
    }
}

/// Whether a request may come by its connection at all. That `OPTIONS` itself leads nowhere is no
/// matter: it is not what is asked for.
fn may_be_asked(destination: Option<&Destination>) -> bool {
    match destination {
        Some(Destination::Auth | Destination::Route(_)) => true,
        Some(Destination::Refused(reject)) => reject.code() == Code::MethodNotAllowed,
        Some(Destination::Gateway) | None => false,
    }
}

/// The request that a question in advance is about, as far as it says where that would go.
fn announced<A>(request: &Request<A>, method: &Method) -> Request<()> {
    let mut announced = Request::new(());
    *announced.method_mut() = method.clone();
    *announced.uri_mut() = request.uri().clone();
    *announced.version_mut() = request.version();
    for host in request.headers().get_all(HOST) {
        announced.headers_mut().append(HOST, host.clone());
    }
    announced
}

/// Tells what may be asked for.
fn permit(rules: &Cors, method: &Method, headers: &mut HeaderMap) {
    let methods = if rules.methods.is_empty() {
        method.to_string()
    } else {
        list(rules.methods.iter().map(Method::as_str))
    };
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = list(rules.headers.iter().map(HeaderName::as_str));
    set(headers, ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    let max_age = rules.max_age.as_secs().to_string();
    set(headers, ACCESS_CONTROL_MAX_AGE, max_age);
    for name in [
        ACCESS_CONTROL_REQUEST_METHOD,
        ACCESS_CONTROL_REQUEST_HEADERS,
    ] {
        headers.append(VARY, HeaderValue::from_name(name));
    }
}

impl Mark {
    fn new(rules: &Arc<Cors>, origin: Option<&HeaderValue>) -> Self {
        let admitted = |origin: &&HeaderValue| origin.to_str().is_ok_and(|o| rules.admits(o));
        Self {
            origin: origin.filter(admitted).cloned(),
            rules: Arc::clone(rules),
        }
    }

    /// Replaces whatever an answer says of other origins.
    fn say(self, headers: &mut HeaderMap) {
        let Self { rules, origin } = self;
        let is_about_origins = |name: &&HeaderName| name.as_str().starts_with("access-control-");
        let said: Vec<HeaderName> = headers.keys().filter(is_about_origins).cloned().collect();
        for name in said {
            headers.remove(name);
        }
        if rules.origins != Origins::Any {
            // A cache must not give one origin's answer to another one (Fetch §3.3.5).
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let origin = match rules.origins {
            // Said to everybody, so that a cache has one answer for all.
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::These(_) => origin,
        };
        let Some(origin) = origin else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if rules.cookies == Cookies::Count {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        let exposed = list(rules.expose.iter().map(HeaderName::as_str));
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Sets a header that says something.
fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

/// The header's value when it stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

impl<S> Layer<S> for CorsLayer {
    type Service = AnswerOthers<S>;

    fn layer(&self, inner: S) -> AnswerOthers<S> {
        AnswerOthers {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for AnswerOthers<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if let Some(response) = self.layer.answer(&request) {
            return ResponseFuture::Answered {
                response: Some(response),
            };
        }
        let rules = self.layer.rules(request.extensions().get());
        let mark = rules.map(|rules| Mark::new(rules, only(request.headers(), &ORIGIN)));
        ResponseFuture::Passed {
            inner: self.inner.call(request),
            mark,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseFutureProjection::Passed { inner, mark } => {
                let mut response = ready!(inner.poll(cx))?;
                if let Some(mark) = mark.take() {
                    mark.say(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            ResponseFutureProjection::Answered { response } => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
        }
    }
}
