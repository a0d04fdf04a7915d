//! The hosted login page: HTML and the headers around it; knows nothing of codes, sessions or what happens to a form.
//!
//! It works without any script, and forbids all of them. What people typed is escaped by `maud`.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::auth::{
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
    /// Digits of a code.
    pub digits: u8,
    /// What was wrong before.
    pub trouble: Option<&'a str>,
}

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded or run but this style, and nobody may frame the page to catch a tap.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

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
    dress(&mut reply);
    reply
}

/// Puts `page` in the place of a refusal's document, and leaves its status and its other headers.
pub fn instead(refusal: Reply, page: Markup) -> Reply {
    let (parts, _document) = refusal.into_parts();
    let mut reply = Reply::from_parts(parts, Bytes::from(page.into_string()).into());
    dress(&mut reply);
    reply
}

fn dress(reply: &mut Reply) {
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
    if let Some(policy) = POLICY.clone() {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::tests::stage;

    fn number_page(number: &str, trouble: Option<&str>) -> String {
        NumberForm {
            action: "/api/auth/login",
            return_to: &ReturnTo::parse(Some("/orders?a=1&b=2"), &stage::spec()),
            number,
            country: "+1",
            trouble,
        }
        .page()
        .into_string()
    }

    fn code_page(challenge: &str) -> String {
        CodeForm {
            action: "/api/auth/login",
            return_to: &ReturnTo::parse(Some("/orders?a=1&b=2"), &stage::spec()),
            number: "+16502530000",
            masked: "+1********00",
            challenge,
            digits: 6,
            trouble: None,
        }
        .page()
        .into_string()
    }

    #[test]
    fn people_and_their_tools_can_tell_what_every_field_is() {
        let page = number_page("", None);
        for part in [
            "<html lang=\"en\">",
            "<label for=\"number\">",
            "id=\"number\" name=\"mobile_number\" type=\"tel\"",
            "autocomplete=\"tel\"",
            "aria-describedby=\"hint\"",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        let page = code_page("");
        for part in [
            "<label for=\"code\">",
            "inputmode=\"numeric\"",
            "autocomplete=\"one-time-code\"",
            "pattern=\"[0-9]{6}\"",
            "maxlength=\"6\"",
            "+1********00",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn trouble_is_announced_and_tied_to_its_field() {
        let page = number_page("12", Some("The number must be right."));
        assert!(page.contains("<p id=\"trouble\" role=\"alert\">The number must be right.</p>"));
        assert!(page.contains("aria-describedby=\"trouble hint\" aria-invalid=\"true\""));
        assert!(!number_page("", None).contains("role=\"alert\""));
        assert!(!number_page("", None).contains("aria-invalid"));
    }

    #[test]
    fn the_way_back_survives_every_step() {
        assert!(number_page("", None).contains("value=\"/orders?a=1&amp;b=2\""));
        let page = code_page("");
        assert_eq!(page.matches("value=\"/orders?a=1&amp;b=2\"").count(), 2);
        assert!(page.contains("href=\"/api/auth/login?return_to=%2Forders%3Fa%3D1%26b%3D2\""));
    }

    #[test]
    fn the_policy_allows_this_style_and_nothing_else() {
        let reply = reply(StatusCode::OK, html! {});
        let policy = reply.headers()["content-security-policy"].to_str().unwrap();
        let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            )
        );
        assert!(number_page("", None).contains(&format!("<style>{STYLE}</style>")));
        assert_eq!(reply.headers()["cache-control"], "no-store");
        assert_eq!(reply.headers()["referrer-policy"], "same-origin");
        assert_eq!(reply.headers()["x-frame-options"], "DENY");
    }

    #[test]
    fn the_pages_hold_no_script() {
        for page in [number_page("", Some("x")), code_page("x")] {
            assert!(
                !page.contains("<script") && !page.contains("style="),
                "{page}"
            );
            assert!(!page.contains(" on") || !page.contains("onclick"), "{page}");
        }
    }

    proptest! {
        /// What was typed changes no tag: the page has the same ones as for an empty input.
        #[test]
        fn nothing_typed_becomes_markup(
            typed in "[<>\"'&/= a-z]{0,24}|<script>\\PC{0,8}</script>|\" autofocus onfocus=\"\\PC{0,8}",
        ) {
            let tags = |page: &str| page.matches('<').count();
            let quotes = |page: &str| page.matches('"').count();
            for (page, plain) in [
                (number_page(&typed, Some(&typed)), number_page("", Some(""))),
                (code_page(&typed), code_page("")),
            ] {
                prop_assert_eq!(tags(&page), tags(&plain), "{}", page);
                prop_assert_eq!(quotes(&page), quotes(&plain), "{}", page);
            }
        }
    }
}
