//! `GET check`: a proxy in front asks whether a request may pass, and learns who is calling; knows nothing of the apps behind that proxy.
//!
//! The proxy's question is a `GET` of its own. What it asks about stands in `X-Forwarded-Method`,
//! `-Host` and `-Uri`, as Traefik and Caddy send them; nginx can be told to. None of these lets a
//! request in: they decide whether a cookie counts, and whether a page is shown instead of a 401.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::{
    auth::{
        bearer,
        call::{Call, Desk},
        return_to::ReturnTo,
        wire::{self, Reply},
    },
    net::{
        introduction::{Names, header_value},
        page_view::is_page_view,
    },
    reject::{Code, Reject},
    token::Access,
};

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// 200 with identity headers, or the refusal of the token, or the way to the login page.
pub async fn answer(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let original = original(call);
    bearer::caller(desk, &original)
        .await
        .map(|caller| introduce(&desk.spec().identity, &caller))
        .or_else(|reject| to_login(desk, &original, reject))
}

/// The request that the proxy asks about, as far as it matters here.
fn original(call: &Call) -> Call {
    let mut head = call.head.clone();
    head.method = method(&head.headers);
    if let Some(host) = head.headers.get(FORWARDED_HOST).cloned() {
        head.headers.insert(header::HOST, host);
        // In HTTP/2 the host stands here, and it is the one of this very endpoint.
        head.uri = Uri::from_static("/");
    }
    Call { head, ..*call }
}

/// What the original request does. A proxy that does not say leaves one sign: browsers send
/// `Origin` with whatever may change something, and with no visit to a page.
fn method(headers: &HeaderMap) -> Method {
    match headers.get(FORWARDED_METHOD) {
        Some(method) => Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST),
        None if headers.contains_key(header::ORIGIN) => Method::POST,
        None => Method::GET,
    }
}

/// The same headers by which an app behind this gateway would learn it.
fn introduce(names: &Names, caller: &Access) -> Reply {
    let mut reply = wire::empty(StatusCode::OK);
    let headers = reply.headers_mut();
    let session = caller.session.to_string();
    let facts = [
        (&names.subject, Some(caller.subject.as_str())),
        (&names.phone, caller.phone.as_deref()),
        (&names.session, Some(session.as_str())),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(name, text)| Some((name, header_value(text?)?)));
    for (name, value) in facts.chain(names.further(&caller.claims)) {
        headers.insert(name.clone(), value);
    }
    reply
}

/// Somebody who looks at a page is led to the login, on the host they are on, if the proxy says
/// which page it is. One that does not, as nginx, can make nothing of a redirect either.
fn to_login(desk: &Desk, original: &Call, reject: Reject) -> Result<Reply, Reject> {
    let page = original.header(&FORWARDED_URI);
    let is_about_token = reject.code().status() == StatusCode::UNAUTHORIZED
        && reject.code() != Code::InsufficientUserAuthentication;
    let Some(page) = page
        .filter(|_| is_about_token && is_page_view(&original.head.method, &original.head.headers))
    else {
        return Err(reject);
    };
    let spec = desk.spec();
    let login: String = [spec.base.as_str(), "/login?return_to="]
        .into_iter()
        .chain(form_urlencoded::byte_serialize(
            ReturnTo::parse(Some(page), spec).as_str().as_bytes(),
        ))
        .collect();
    let login = HeaderValue::from_str(&login).map_err(|_| reject)?;
    let mut reply = wire::empty(StatusCode::SEE_OTHER);
    reply.headers_mut().insert(header::LOCATION, login);
    Ok(reply)
}
