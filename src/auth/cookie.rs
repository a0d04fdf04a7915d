//! The cookies that a browser is given and asked to forget; knows nothing of how their tokens are made.

use cookie::{Cookie, CookieBuilder, SameSite, time};
use http::{HeaderMap, HeaderValue, header};

use crate::{
    auth::{call::Call, pair::Pair, spec::Spec},
    net::cookies::{self, Duplicate, Flavour},
};

/// Counts how often the login page has sent this browser on without asking for anything.
const BOUNCES: &str = "otp_bounces";

/// Within so many seconds.
const BOUNCE_WINDOW: i64 = 30;

/// How the cookies of this call are called and guarded.
fn flavour(spec: &Spec, call: &Call) -> Flavour {
    spec.cookie_secure.flavour(call.client.scheme)
}

/// The access token in the cookies.
pub fn access<'a>(spec: &Spec, call: &'a Call) -> Result<Option<&'a str>, Duplicate> {
    cookies::read(&call.head.headers, flavour(spec, call).access())
}

/// The refresh token in the cookies.
pub fn refresh<'a>(spec: &Spec, call: &'a Call) -> Result<Option<&'a str>, Duplicate> {
    cookies::read(&call.head.headers, flavour(spec, call).refresh())
}

/// Gives the browser both tokens, each for as long as it lives.
pub fn set(headers: &mut HeaderMap, spec: &Spec, call: &Call, pair: &Pair) {
    let flavour = flavour(spec, call);
    let access = (flavour.access(), pair.access_token.clone());
    let refresh = (flavour.refresh(), pair.refresh_token.clone());
    add(
        headers,
        guard(access, flavour, "/").max_age(seconds(pair.expires_in)),
    );
    add(
        headers,
        guard(refresh, flavour, &spec.base).max_age(seconds(pair.refresh_expires_in)),
    );
}

/// Makes the browser forget both tokens.
pub fn clear(headers: &mut HeaderMap, spec: &Spec, call: &Call) {
    let flavour = flavour(spec, call);
    for (name, path) in [
        (flavour.access(), "/"),
        (flavour.refresh(), spec.base.as_str()),
    ] {
        let empty = guard((name, String::new()), flavour, path);
        add(headers, empty.max_age(time::Duration::ZERO));
    }
}

/// How often the login page has sent this browser on lately.
pub fn bounces(call: &Call) -> u8 {
    cookies::read(&call.head.headers, BOUNCES)
        .ok()
        .flatten()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// Remembers that it was sent on once more.
pub fn count_bounce(headers: &mut HeaderMap, spec: &Spec, call: &Call) {
    let count = bounces(call).saturating_add(1).to_string();
    let counter = guard((BOUNCES, count), flavour(spec, call), &spec.base);
    add(
        headers,
        counter.max_age(time::Duration::seconds(BOUNCE_WINDOW)),
    );
}

/// A cookie that no script reads. `Lax` and not `Strict`: it must come along when a link elsewhere
/// leads here, or whoever follows one would seem logged out.
fn guard<'c>(
    (name, value): (&'c str, String),
    flavour: Flavour,
    path: &'c str,
) -> CookieBuilder<'c> {
    Cookie::build((name, value))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(flavour == Flavour::Secure)
        .path(path)
}

fn add(headers: &mut HeaderMap, cookie: CookieBuilder<'_>) {
    // Names, paths and tokens are plain ASCII, so that every cookie fits into a header.
    if let Ok(value) = HeaderValue::from_str(&cookie.build().to_string()) {
        headers.append(header::SET_COOKIE, value);
    }
}

fn seconds(span: std::time::Duration) -> time::Duration {
    time::Duration::seconds(i64::try_from(span.as_secs()).unwrap_or(i64::MAX))
}
