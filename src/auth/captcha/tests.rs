//! What providers are asked, and which of their words count.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn spec(provider: Provider) -> Spec {
    Spec {
        provider,
        site_key: "site-1".to_owned(),
        secret: Secret::new(*b"hunter2"),
        hosts: vec!["login.example.com".to_owned(), "app.example.com".to_owned()],
        verify_url: provider.verify_url().to_owned(),
        script: Script::Usual,
        line: Line {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            authorities: None,
        },
    }
}

fn judge(provider: Provider, status: u16, body: &str) -> Result<(), Unsolved> {
    spec(provider).judge(&Reply {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: None,
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
    })
}

fn yes() -> Value {
    json!({
        "success": true, "challenge_ts": "2026-11-23T01:00:00Z", "hostname": "login.example.com",
        "error-codes": [], "action": "send-otp", "cdata": "",
    })
}

/// A yes in which this stands otherwise, or not at all.
fn but(member: &str, value: Option<Value>) -> String {
    let mut yes = yes();
    match value {
        Some(value) => yes[member] = value,
        None => drop(yes.as_object_mut().unwrap().remove(member)),
    }
    yes.to_string()
}

#[test]
fn a_provider_is_told_who_asks_and_for_whom() {
    let token: Token = "a+b&c=d".parse().unwrap();
    let ip = "2001:db8::1".parse().unwrap();
    let asked = |provider| {
        let request = spec(provider).question(&token, ip).unwrap();
        assert_eq!(request.method(), "POST");
        (request.uri().to_string(), request.into_body())
    };
    let common = "secret=hunter2&response=a%2Bb%26c%3Dd&remoteip=2001%3Adb8%3A%3A1";
    let (url, body) = asked(Provider::Turnstile);
    assert_eq!(
        url,
        "https://challenges.cloudflare.com/turnstile/v0/siteverify"
    );
    assert_eq!(body, common);
    let (url, body) = asked(Provider::HCaptcha);
    assert_eq!(url, "https://api.hcaptcha.com/siteverify");
    assert_eq!(body, format!("{common}&sitekey=site-1"));
}

#[test]
fn a_yes_counts_for_one_of_our_hosts_and_for_codes() {
    for host in ["login.example.com", "App.Example.com"] {
        let yes = but("hostname", Some(json!(host)));
        assert_eq!(judge(Provider::Turnstile, 200, &yes), Ok(()));
    }
    let elsewhere = Err(Unsolved::Elsewhere);
    for wrong in [
        but("hostname", Some(json!("example.com"))),
        but("hostname", Some(json!("login.example.com.evil.example"))),
        but("hostname", Some(json!(""))),
        but("hostname", None),
        but("hostname", Some(Value::Null)),
        but("action", Some(json!("login"))),
        but("action", Some(json!("SEND-OTP"))),
        but("action", None),
    ] {
        assert_eq!(
            judge(Provider::Turnstile, 200, &wrong),
            elsewhere,
            "{wrong}"
        );
    }
}

#[test]
fn who_tells_no_action_is_not_asked_for_one() {
    let yes = but("action", None);
    assert_eq!(judge(Provider::HCaptcha, 200, &yes), Ok(()));
    let other = but("hostname", Some(json!("evil.example")));
    assert_eq!(
        judge(Provider::HCaptcha, 200, &other),
        Err(Unsolved::Elsewhere)
    );
}

#[test]
fn a_no_is_the_clients_fault_unless_it_is_ours_or_the_providers() {
    let no = |code: &str| json!({ "success": false, "error-codes": [code] }).to_string();
    for code in [
        "invalid-input-response",
        "timeout-or-duplicate",
        "already-seen-response",
        "something-new",
    ] {
        for status in [200, 400] {
            let judged = judge(Provider::Turnstile, status, &no(code));
            assert_eq!(judged, Err(Unsolved::Refused), "{code}");
        }
    }
    for code in [
        "invalid-input-secret",
        "sitekey-secret-mismatch",
        "internal-error",
    ] {
        let judged = judge(Provider::HCaptcha, 200, &no(code));
        assert_eq!(judged, Err(Unsolved::Unasked), "{code}");
    }
    let without = json!({ "success": false }).to_string();
    assert_eq!(
        judge(Provider::Turnstile, 200, &without),
        Err(Unsolved::Refused)
    );
}

#[test]
fn only_a_whole_and_plain_yes_is_one() {
    let unasked = Err(Unsolved::Unasked);
    for body in [
        "",
        "true",
        "<html>success: true</html>",
        "{\"success\": true",
        "{\"success\": \"true\", \"hostname\": \"login.example.com\", \"action\": \"send-otp\"}",
        "{\"success\": 1, \"hostname\": \"login.example.com\", \"action\": \"send-otp\"}",
        "{\"success\": false, \"success\": true}",
    ] {
        assert_eq!(judge(Provider::Turnstile, 200, body), unasked, "{body}");
    }
    for status in [201, 302, 500, 503] {
        let judged = judge(Provider::Turnstile, status, &yes().to_string());
        assert_eq!(judged, unasked, "{status}");
    }
}

#[test]
fn nothing_secret_shows() {
    let token: Token = "token".parse().unwrap();
    assert_eq!(format!("{token:?}"), "Token(…)");
    assert!(!format!("{:?}", spec(Provider::Turnstile)).contains("hunter2"));
}

proptest! {
    #[test]
    fn a_token_is_visible_letters_and_has_an_end(text in "\\PC{0,40}") {
        let fits = !text.is_empty() && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        prop_assert_eq!(text.parse::<Token>().is_ok(), fits);
    }

    #[test]
    fn a_token_has_an_end(length in 8000_usize..8400) {
        let text = "x".repeat(length);
        prop_assert_eq!(text.parse::<Token>().is_ok(), length <= Token::LONGEST);
    }

    /// Whatever a provider says in other words, nobody is let pass.
    #[test]
    fn no_other_words_let_anybody_pass(status in 100_u16..600, text in "\\PC{0,60}") {
        prop_assert!(judge(Provider::HCaptcha, status, &text).is_err());
    }
}
