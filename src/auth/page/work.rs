//! The page on which somebody shows to mean it: by work that the browser does, or by a captcha where one is offered; knows nothing of why that is asked for.
//!
//! It alone runs a script, ours. With a captcha it also loads what its provider needs, and nothing of
//! anybody else's; where that cannot be loaded, the work begins.

use std::sync::LazyLock;

use http::HeaderValue;
use maud::{Markup, PreEscaped, html};

use super::{STYLE, frame, hash_of};
use crate::auth::{
    captcha::{self, ACTION, Provider, Script},
    return_to::ReturnTo,
};

/// The page on which a browser proves some work.
#[derive(Debug, Clone, Copy)]
pub struct WorkForm<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Where the browser goes in the end.
    pub return_to: &'a ReturnTo,
    /// What was typed.
    pub number: &'a str,
    /// The challenge, when there is one.
    pub challenge: &'a str,
    /// What the request for a code is called.
    pub key: &'a str,
    /// What is to be solved.
    pub puzzle: &'a str,
    /// How hard it is.
    pub bits: u64,
    /// The captcha that does instead, if one does.
    pub captcha: Option<&'a captcha::Spec>,
}

pub const WORK: &str = include_str!("work.js");

/// What the page without a captcha may run and load.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let (script, style) = (hash_of(WORK), hash_of(STYLE));
    HeaderValue::from_str(&super::policy(&format!("script-src {script}; "), &style)).ok()
});

/// What the page may run and load.
pub fn policy(captcha: Option<&captcha::Spec>) -> Option<HeaderValue> {
    let Some(captcha) = captcha else {
        return (*POLICY).clone();
    };
    let (script, style) = (hash_of(WORK), hash_of(STYLE));
    let theirs = origins(captcha);
    let (more, style) = match captcha.provider {
        Provider::Turnstile => (String::new(), style),
        Provider::HCaptcha => (
            format!("connect-src {theirs}; "),
            format!("{style} {theirs}"),
        ),
    };
    let scripts = format!("script-src {script} {theirs}; frame-src {theirs}; {more}");
    HeaderValue::from_str(&super::policy(&scripts, &style)).ok()
}

/// Where a provider has its widgets, as its documentation of content security policies says.
fn origins(captcha: &captcha::Spec) -> String {
    let usual = match captcha.provider {
        Provider::Turnstile => "https://challenges.cloudflare.com",
        Provider::HCaptcha => "https://hcaptcha.com https://*.hcaptcha.com",
    };
    match &captcha.script {
        Script::Usual => usual.to_owned(),
        Script::At { origin, .. } => format!("{usual} {origin}"),
    }
}

fn script(captcha: &captcha::Spec) -> &str {
    match (&captcha.script, captcha.provider) {
        (Script::At { url, .. }, _) => url,
        (Script::Usual, Provider::Turnstile) => {
            "https://challenges.cloudflare.com/turnstile/v0/api.js"
        }
        (Script::Usual, Provider::HCaptcha) => "https://js.hcaptcha.com/1/api.js",
    }
}

impl WorkForm<'_> {
    /// The page.
    pub fn page(&self) -> Markup {
        frame(
            "One moment",
            &html! {
                form #work method="post" action=(self.action)
                    data-puzzle=(self.puzzle) data-bits=(self.bits) {
                    input type="hidden" name="return_to" value=(self.return_to.as_str());
                    input type="hidden" name="mobile_number" value=(self.number);
                    input type="hidden" name="challenge_id" value=(self.challenge);
                    input type="hidden" name="request_key" value=(self.key);
                    input type="hidden" name="proof";
                    input type="hidden" name="captcha";
                    input type="hidden" name="step" value="send";
                    @if let Some(captcha) = self.captcha {
                        (widget(captcha))
                    }
                    div #working hidden[self.captcha.is_some()] {
                        p role="status" {
                            "Many codes were asked for lately and never entered. Your browser now \
                             computes for some seconds, to show that you mean it; then your code is sent."
                        }
                        progress aria-label="Computing" {}
                    }
                    noscript {
                        p #trouble role="alert" {
                            "This needs JavaScript, which your browser does not run here. Allow it \
                             and try again, or come back later."
                        }
                    }
                }
                script { (PreEscaped(WORK)) }
            },
        )
    }
}

/// The place of the widget, and the way around it.
fn widget(captcha: &captcha::Spec) -> Markup {
    let class = match captcha.provider {
        Provider::Turnstile => "cf-turnstile",
        Provider::HCaptcha => "h-captcha",
    };
    html! {
        div #asking hidden {
            p role="status" {
                "Many codes were asked for lately and never entered. Show that you mean it; then your \
                 code is sent."
            }
            div #widget class=(class) data-script=(script(captcha))
                data-sitekey=(captcha.site_key) data-action=(ACTION)
                data-callback="captchaSolved" data-error-callback="captchaFailed" {}
            button #compute.quiet type="button" { "Let my browser compute instead" }
        }
    }
}
