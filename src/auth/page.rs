//! The hosted login page: HTML and the headers around it; knows nothing of codes, sessions or what happens to a form.
//!
//! It works without any script, and forbids all of them; but for the page that has a browser prove some
//! work ([`work`]), which allows the one that does it. What people typed is escaped by `maud`.

mod work;

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub use self::work::WorkForm;
use crate::auth::{
    captcha,
    return_to::ReturnTo,
    wire::{self, Reply},
};

/// The page that asks for a number.
#[derive(Debug, Clone, Copy)]
pub struct NumberForm<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes in the end.
    pub return_to: &'a ReturnTo,
    /// What was typed before.
    pub number: &'a str,
    /// What the request for a code is called.
    pub key: &'a str,
    /// The calling code of a number without one, such as `+1`.
    pub country: &'a str,
    /// What was wrong with it.
    pub trouble: Option<&'a str>,
}

/// The page that asks for a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeForm<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes in the end.
    pub return_to: &'a ReturnTo,
    /// The number, in E.164.
    pub number: &'a str,
    /// The number, for people looking over a shoulder.
    pub masked: &'a str,
    /// The challenge, when there is one.
    pub challenge: &'a str,
    /// What the request to send the code again is called.
    pub key: &'a str,
    /// Digits of a code.
    pub digits: u8,
    /// What was wrong before.
    pub trouble: Option<&'a str>,
}

/// What a page may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts<'a> {
    /// Nothing.
    None,
    /// The script that proves some work, and that of a captcha if one is offered.
    Work(Option<&'a captcha::Spec>),
}

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded or run but this style, and nobody may frame the page to catch a tap.
static POLICY: LazyLock<Option<HeaderValue>> =
    LazyLock::new(|| HeaderValue::from_str(&policy("", &hash_of(STYLE))).ok());

fn policy(scripts: &str, style: &str) -> String {
    format!(
        "default-src 'none'; {scripts}style-src {style}; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

fn hash_of(text: &str) -> String {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!("'sha256-{hash}'")
}

impl NumberForm<'_> {
    /// The page.
    pub fn page(&self) -> Markup {
        let hint = format!("Without a country code, {} is meant.", self.country);
        frame(
            "Log in",
            &html! {
                (alert(self.trouble))
                form method="post" action=(self.action) {
                    input type="hidden" name="return_to" value=(self.return_to.as_str());
                    input type="hidden" name="request_key" value=(self.key);
                    label for="number" { "Mobile number" }
                    input id="number" name="mobile_number" type="tel" inputmode="tel"
                        autocomplete="tel" required autofocus maxlength="40"
                        value=(self.number) aria-describedby=(described(self.trouble, "hint"))
                        aria-invalid=[self.trouble.map(|_| "true")];
                    p #hint { (hint) }
                    button type="submit" name="step" value="send" { "Send code" }
                }
            },
        )
    }
}

impl CodeForm<'_> {
    /// The page.
    pub fn page(&self) -> Markup {
        let other: String = [self.action, "?return_to="]
            .into_iter()
            .chain(byte_serialize(self.return_to.as_str().as_bytes()))
            .collect();
        frame(
            "Enter the code",
            &html! {
                (alert(self.trouble))
                form #answer method="post" action=(self.action) {
                    (self.hidden())
                    label for="code" { "Code" }
                    input id="code" name="otp" type="text" inputmode="numeric"
                        autocomplete="one-time-code" required autofocus
                        maxlength=(self.digits) pattern=(format!("[0-9]{{{}}}", self.digits))
                        aria-describedby=(described(self.trouble, "hint"))
                        aria-invalid=[self.trouble.map(|_| "true")];
                    p #hint { "We sent " (self.digits) " digits to " (self.masked) "." }
                    button type="submit" name="step" value="verify" { "Log in" }
                }
                form method="post" action=(self.action) {
                    (self.hidden())
                    input type="hidden" name="request_key" value=(self.key);
                    button.quiet type="submit" name="step" value="send" { "Send again" }
                }
                p { a href=(other) { "Use another number" } }
            },
        )
    }

    fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="return_to" value=(self.return_to.as_str());
            input type="hidden" name="mobile_number" value=(self.number);
            input type="hidden" name="challenge_id" value=(self.challenge);
        }
    }
}

/// Makes an answer of a page. No cache keeps it, no site frames it, and its address, which may name
/// a place in the app, is told to nobody else; our own form still gets an `Origin` to show.
pub fn reply(status: StatusCode, page: Markup) -> Reply {
    let mut reply = wire::own(status, Bytes::from(page.into_string()));
    dress(&mut reply, Scripts::None);
    reply
}

/// Puts `page` in the place of a refusal's document, and leaves its status and its other headers.
pub fn instead(refusal: Reply, page: Markup, scripts: Scripts<'_>) -> Reply {
    let (parts, _document) = refusal.into_parts();
    let mut reply = Reply::from_parts(parts, Bytes::from(page.into_string()).into());
    dress(&mut reply, scripts);
    reply
}

fn dress(reply: &mut Reply, scripts: Scripts<'_>) {
    let headers = reply.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = match scripts {
        Scripts::None => (*POLICY).clone(),
        Scripts::Work(captcha) => work::policy(captcha),
    };
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

fn frame(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

/// What went wrong, announced by screen readers as soon as the page is there.
fn alert(trouble: Option<&str>) -> Markup {
    html! {
        @if let Some(trouble) = trouble {
            p #trouble role="alert" { (trouble) }
        }
    }
}

fn described(trouble: Option<&str>, hint: &str) -> String {
    match trouble {
        Some(_) => format!("trouble {hint}"),
        None => hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
