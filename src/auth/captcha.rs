//! Captchas of Turnstile and hCaptcha: asks the provider whether somebody has solved one; knows nothing of who is suspected, nor of pages.
//!
//! A token counts only if its provider vouches for it in so many words, for one of our hosts and, where
//! the provider tells, for a request for a code. That it counts once is the provider's word, too.
//! A provider that cannot be asked vouches for nobody: there is still the proof of work.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Request, StatusCode, header};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    net::client::{Client, Line, Reply, Untrusted},
    observe::guard::CaptchaResult,
    secret::Secret,
};

/// Whose captchas are taken, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Who makes them.
    pub provider: Provider,
    /// Names the widget, for everybody to see.
    pub site_key: String,
    /// Shows the provider who asks.
    pub secret: Secret,
    /// The hosts of pages where they may be solved, in small letters; never empty.
    pub hosts: Vec<String>,
    /// Where the provider is asked.
    pub verify_url: String,
    /// Where browsers get the widget from.
    pub script: Script,
    /// How the provider is reached.
    pub line: Line,
}

/// Who makes captchas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Cloudflare.
    Turnstile,
    /// Intuition Machines.
    HCaptcha,
}

/// The script of a widget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// The provider's usual one.
    Usual,
    /// Another one.
    At {
        /// All of its address.
        url: String,
        /// Its scheme, host and port.
        origin: String,
    },
}

/// What a widget gives to whoever solves it: visible letters, at most [`Token::LONGEST`].
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not what a captcha gives")]
pub struct InvalidToken;

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsolved {
    /// Made up, too old, or used before.
    #[error("is not vouched for by its provider")]
    Refused,
    /// Solved on somebody else's page, or for something else.
    #[error("was solved for something else")]
    Elsewhere,
    /// Nobody knows.
    #[error("cannot be checked now")]
    Unasked,
}

/// Asks the provider.
#[derive(Debug, Clone)]
pub struct Captcha {
    spec: Arc<Spec>,
    client: Client,
    /// Questions that may be under way at once, from all workers.
    seats: Arc<Semaphore>,
}

/// What a provider answers, as far as it matters.
#[derive(Debug, Deserialize)]
struct Verdict {
    success: bool,
    hostname: Option<String>,
    action: Option<String>,
    #[serde(default, rename = "error-codes")]
    errors: Vec<String>,
}

/// For what widgets are solved, as Turnstile is told and tells again.
pub const ACTION: &str = "send-otp";

/// Whoever has more is not asked about at all.
const MAX_UNDER_WAY: usize = 64;

impl Provider {
    /// Its name in the configuration and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::HCaptcha => "hcaptcha",
        }
    }

    /// Where it is asked.
    pub const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::HCaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }

    /// Whether it says again what a widget was solved for.
    const fn tells_action(self) -> bool {
        matches!(self, Self::Turnstile)
    }
}

impl Captcha {
    /// Somebody to ask about captchas as `spec` says. Reads the system's authorities.
    pub fn open(spec: Spec) -> Result<Self, Untrusted> {
        Ok(Self {
            client: Client::new(&spec.line)?,
            spec: Arc::new(spec),
            seats: Arc::new(Semaphore::new(MAX_UNDER_WAY)),
        })
    }

    /// The same for the calling thread and its runtime, with connections of its own.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self {
            client: self.client.apart(),
            ..self.clone()
        }
    }

    /// What it goes by.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether `token`, which came from `ip`, counts. It is used up if it does.
    pub async fn check(&self, token: &Token, ip: IpAddr) -> Result<(), Unsolved> {
        let Ok(_seat) = self.seats.try_acquire() else {
            tracing::warn!("too many captchas are asked about at once");
            return Err(Unsolved::Unasked);
        };
        let request = self.spec.question(token, ip).ok_or(Unsolved::Unasked)?;
        match self.client.send(request).await {
            Ok(reply) => self.spec.judge(&reply),
            Err(failure) => {
                tracing::warn!(why = %failure.why, "the provider of captchas cannot be asked");
                Err(Unsolved::Unasked)
            }
        }
    }
}

impl Spec {
    fn question(&self, token: &Token, ip: IpAddr) -> Option<Request<Bytes>> {
        let Token(token) = token;
        let mut form = Serializer::new(String::new());
        form.append_pair("secret", str::from_utf8(self.secret.expose()).ok()?)
            .append_pair("response", token)
            .append_pair("remoteip", &ip.to_string());
        match self.provider {
            Provider::Turnstile => {}
            // Otherwise a token of another site of the same account would do.
            Provider::HCaptcha => {
                form.append_pair("sitekey", &self.site_key);
            }
        }
        Request::post(&self.verify_url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form.finish().into())
            .ok()
    }

    fn judge(&self, reply: &Reply) -> Result<(), Unsolved> {
        let Ok(verdict) = serde_json::from_str::<Verdict>(reply.text()) else {
            let status = reply.status.as_u16();
            tracing::warn!(status, "the provider of captchas answers in other words");
            return Err(Unsolved::Unasked);
        };
        if !verdict.success {
            return Err(verdict.refusal());
        }
        if reply.status != StatusCode::OK {
            return Err(Unsolved::Unasked);
        }
        let ours = |host: &String| self.hosts.iter().any(|our| our.eq_ignore_ascii_case(host));
        let for_this = !self.provider.tells_action() || verdict.action.as_deref() == Some(ACTION);
        if verdict.hostname.as_ref().is_some_and(ours) && for_this {
            Ok(())
        } else {
            Err(Unsolved::Elsewhere)
        }
    }
}

impl Verdict {
    /// What a no means: ours is the fault where our keys are.
    fn refusal(&self) -> Unsolved {
        const OURS: [&str; 6] = [
            "missing-input-secret",
            "invalid-input-secret",
            "sitekey-secret-mismatch",
            "not-using-dummy-passcode",
            "bad-request",
            "invalid-sitekey",
        ];
        let says = |code: &str| self.errors.iter().any(|error| error == code);
        if let Some(error) = OURS.into_iter().find(|code| says(code)) {
            tracing::error!(error, "the provider of captchas refuses our settings");
            return Unsolved::Unasked;
        }
        if says("internal-error") {
            return Unsolved::Unasked;
        }
        Unsolved::Refused
    }
}

impl Token {
    /// In letters. Turnstile's have up to 2048, hCaptcha's more.
    pub const LONGEST: usize = 8192;
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl From<Result<(), Unsolved>> for CaptchaResult {
    fn from(checked: Result<(), Unsolved>) -> Self {
        match checked {
            Ok(()) => Self::Solved,
            Err(Unsolved::Refused) => Self::Refused,
            Err(Unsolved::Elsewhere) => Self::Elsewhere,
            Err(Unsolved::Unasked) => Self::Unasked,
        }
    }
}

#[cfg(test)]
mod tests;
