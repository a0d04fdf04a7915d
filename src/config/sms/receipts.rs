//! Whether it is heard what becomes of messages: where providers find us, and what keeps them from telling.

use std::net::IpAddr;

use crate::{
    config::{
        document::Section,
        path::BasePath,
        problem::{Advice, Problem},
        url::Origin,
    },
    sms::{self, ProviderSpec},
};

/// Where Twilio finds us: only by HTTPS, and where it can. It refuses messages that are to be told of
/// at an address such as `localhost`.
pub fn home(public_url: Option<&Origin>, base: Option<&BasePath>) -> Option<String> {
    let (url, BasePath(base)) = public_url.zip(base)?;
    let host = url.host();
    let is_address = host.parse::<IpAddr>().is_ok() || host.starts_with('[');
    let is_public = url.is_https() && host.contains('.') && !is_address;
    is_public.then(|| format!("{url}{base}/receipts/twilio"))
}

/// What is to be said where nothing will be heard that could be.
pub fn advice(section: &Section<'_>, spec: &sms::Spec) -> Option<Advice> {
    let twilio = spec.providers.iter().find_map(|provider| match provider {
        ProviderSpec::Twilio(spec) => Some(spec),
        ProviderSpec::Console | ProviderSpec::Sns(_) | ProviderSpec::Webhook(_) => None,
    })?;
    let (key, what, help) = match (&twilio.signed_with, &twilio.status_callback) {
        (Some(_), Some(_)) => return None,
        (None, _) => (
            "auth_token",
            "it is not heard what becomes of messages: Twilio signs that with the account's auth token",
            "`auth_token` beside the API key is used for nothing else",
        ),
        (Some(_), None) => (
            "status_callback",
            "it is not heard what becomes of messages: Twilio does not find us",
            "`public_url = \"https://…\"` in `[server]` tells it where we are",
        ),
    };
    let section = section.section("twilio");
    let problem: Problem = section.problem(key, what, Some(help.to_owned()));
    Some(Advice(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twilio_finds_us_where_everybody_does() {
        let found_at = |url: &str| {
            let url: Origin = url.parse().expect("a URL");
            home(Some(&url), Some(&BasePath("/api/auth".to_owned())))
        };
        assert_eq!(
            found_at("https://login.example.com:8443").as_deref(),
            Some("https://login.example.com:8443/api/auth/receipts/twilio")
        );
        for url in [
            "http://login.example.com",
            "https://localhost:8443",
            "https://127.0.0.1",
            "https://[::1]:8443",
        ] {
            assert_eq!(found_at(url), None, "{url}");
        }
    }
}
