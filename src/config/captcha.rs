//! `[otp.captcha]`: whose captchas do instead of a proof of work, and on whose pages; the provider is asked elsewhere.

use std::time::Duration;

use crate::{
    auth::captcha::{Provider, Script, Spec},
    config::{
        document::Section,
        http_url::HttpUrl,
        problem::{Problem, Reported},
        url::Origin,
        value::Text,
    },
    net::client::Line,
    secret::Secret,
};

const SECOND: Duration = Duration::from_secs(1);

/// Reads whose captchas are taken; `None` when nobody's are.
pub fn captcha(otp: &Section<'_>, public_url: Option<&Origin>) -> Result<Option<Spec>, Reported> {
    let section = otp.section("captcha");
    let provider: Result<Option<Provider>, _> = section.read("provider", r#""""#);
    let site_key: Result<Option<SiteKey>, _> = section.read("site_key", r#""""#);
    let secret: Result<Option<Secret>, _> = section.read("secret", r#""""#);
    let hosts: Result<Vec<Host>, _> = section.read("hosts", "[]");
    let timeout = section.read_within("timeout", r#""3s""#, SECOND / 100..=SECOND * 30);
    let ca = section.read("ca", r#""""#);
    let verify_url: Result<Option<HttpUrl>, _> = section.read("verify_url", r#""""#);
    let script_url: Result<Option<HttpUrl>, _> = section.read("script_url", r#""""#);

    let Some(provider) = provider? else {
        return Ok(None);
    };
    let missing = |key, help: &str| section.refuse(key, "is missing", Some(help.to_owned()));
    let site_key = site_key?.ok_or_else(|| missing("site_key", "the provider shows it"));
    let secret = secret?.ok_or_else(|| missing("secret", "`secret = { env = \"NAME\" }`"));
    let mut hosts: Vec<String> = hosts?.into_iter().map(|Host(host)| host).collect();
    if hosts.is_empty() {
        hosts.extend(public_url.map(|url| url.host().to_owned()));
    }
    if hosts.is_empty() {
        let help = "`hosts = [\"login.example.com\"]`, or `public_url` in `[server]`";
        missing("hosts", help);
        return Err(Reported);
    }
    let timeout = timeout?;
    let verify_url = verify_url?;
    Ok(Some(Spec {
        provider,
        site_key: site_key.map(|SiteKey(key)| key)?,
        secret: secret?,
        hosts,
        verify_url: verify_url.map_or_else(
            || provider.verify_url().to_owned(),
            |url| url.as_str().to_owned(),
        ),
        script: script_url?.map_or(Script::Usual, |url| Script::At {
            url: url.as_str().to_owned(),
            origin: url.origin().to_owned(),
        }),
        line: Line {
            connect_timeout: timeout,
            timeout,
            authorities: ca?,
        },
    }))
}

/// What is to be thought of before captchas are relied on.
pub fn findings(otp: &Section<'_>, spec: Option<&Spec>) -> Option<Problem> {
    let in_the_clear = |spec: &Spec| {
        HttpUrl::parse(&spec.verify_url).is_ok_and(|url| url.leaves_the_machine_in_the_clear())
    };
    let what = "anybody on the way could vouch for captchas, and see the secret";
    let section = otp.section("captcha");
    spec.filter(|spec| in_the_clear(spec))
        .map(|_| section.problem("verify_url", what, None))
}

/// A key that may stand in a page and in a request.
struct SiteKey(String);

/// A host as browsers name it, in small letters.
struct Host(String);

impl Text for Provider {
    const EXPECTED: &'static str = "\"turnstile\" or \"hcaptcha\"";

    fn parse(text: &str) -> Option<Self> {
        [Self::Turnstile, Self::HCaptcha]
            .into_iter()
            .find(|provider| provider.as_str() == text)
    }
}

impl Text for SiteKey {
    const EXPECTED: &'static str = "a key of letters, digits, \"-\" and \"_\"";

    fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (!text.is_empty() && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }
}

impl Text for Host {
    const EXPECTED: &'static str = "a host such as \"login.example.com\"";

    fn parse(text: &str) -> Option<Self> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let fits = !text.is_empty() && text.bytes().all(is_part);
        fits.then(|| Self(text.to_ascii_lowercase()))
    }
}
