//! What is said of receipts: from whom they are taken, and what keeps them from coming.

use std::time::Duration;

use super::{problems::check, *};
use crate::sms::{
    ProviderSpec,
    receipt::Tellers,
    sns::{self, status},
    twilio::{self, Hook},
};

const ACCOUNT: &str = "account_sid = 'AC0123456789abcdef0123456789abcdef'\nfrom = '12345'\n";
const API_KEY: &str = "api_key = 'SK0123456789abcdef0123456789abcdef'\napi_secret = 'hunter2'\n";
const TOKEN: &str = "auth_token = 'hunter3'\n";
const PUBLIC: &str = "server.public_url = 'https://login.example.com'\n";

fn loaded(above: &str, lines: &str) -> Loaded {
    let text = format!("{above}sms.providers = 'twilio'\n[sms.twilio]\n{ACCOUNT}{lines}");
    load(&text).expect("no problems")
}

fn twilio(above: &str, lines: &str) -> twilio::Spec {
    match loaded(above, lines).config.live.sms.providers.pop() {
        Some(ProviderSpec::Twilio(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn sns(lines: &str) -> sns::Spec {
    let text = format!("sms.providers = 'sns'\n[sms.sns]\nregion = 'eu-west-1'\n{lines}");
    match config(&text).live.sms.providers.pop() {
        Some(ProviderSpec::Sns(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn twilio_tells_where_browsers_find_us_and_is_known_by_the_accounts_token() {
    let home = "https://login.example.com/api/auth/receipts/twilio";
    let hook = |url: &str| {
        Some(Hook {
            url: url.to_owned(),
            token: Secret::new(*b"hunter3"),
        })
    };
    let by_token = twilio(PUBLIC, TOKEN);
    assert_eq!(by_token.hook(), hook(home));
    // An API key asks, and the token is for receipts alone.
    let both = twilio(PUBLIC, &format!("{API_KEY}{TOKEN}"));
    assert_eq!(both.user, "SK0123456789abcdef0123456789abcdef");
    assert_eq!(both.password, Secret::new(*b"hunter2"));
    assert_eq!(both.hook(), hook(home));
    let elsewhere = "https://hooks.example.com/told";
    let lines = format!("{TOKEN}status_callback = '{elsewhere}'\n");
    assert_eq!(twilio(PUBLIC, &lines).hook(), hook(elsewhere));
    assert_eq!(
        twilio(&format!("{PUBLIC}auth.base = '/login'\n"), TOKEN).hook(),
        hook("https://login.example.com/login/receipts/twilio")
    );
    let live = loaded(PUBLIC, TOKEN).config.live;
    assert_eq!(live.auth.tellers.twilio, hook(home));
    assert_eq!(live.auth.tellers.webhook, None);
}

#[test]
fn what_nobody_could_verify_nobody_is_asked_for() {
    let blind = twilio(PUBLIC, API_KEY);
    assert_eq!((blind.status_callback.clone(), blind.hook()), (None, None));
    let lost = twilio("", TOKEN);
    assert_eq!((lost.status_callback.clone(), lost.hook()), (None, None));
    // Another program of theirs may hear it.
    let other = twilio(
        "",
        &format!("{API_KEY}status_callback = 'https://a.example/b'\n"),
    );
    assert_eq!(
        other.status_callback.as_deref(),
        Some("https://a.example/b")
    );
    assert_eq!(other.hook(), None);
}

#[test]
fn check_says_what_keeps_receipts_away() {
    let advice = |above: &str, lines: &str| -> Vec<String> {
        let advice = loaded(above, lines).advice;
        let texts = advice.iter().map(ToString::to_string);
        texts
            .filter(|text| text.contains("what becomes of messages"))
            .collect()
    };
    assert_eq!(advice(PUBLIC, TOKEN), [""; 0]);
    assert_eq!(
        advice(PUBLIC, API_KEY),
        [
            "gateway.toml:3:1: sms.twilio.auth_token: it is not heard what becomes of messages: \
             Twilio signs that with the account's auth token\n  \
             help: `auth_token` beside the API key is used for nothing else"
        ]
    );
    for above in ["", "server.public_url = 'http://localhost:8080'\n"] {
        let advice = advice(above, TOKEN);
        assert_eq!(advice.len(), 1, "{advice:?}");
        assert!(
            advice[0].contains(
                "sms.twilio.status_callback: it is not heard what becomes of messages: Twilio does not find us"
            ),
            "{advice:?}"
        );
    }
}

#[test]
fn what_sns_writes_down_is_looked_for_when_its_place_is_named() {
    assert_eq!(sns("").status, None);
    let group = "sns/eu-west-1/123456789012/DirectPublishToPhoneNumber";
    assert_eq!(
        sns(&format!("status_log = '{group}'\n")).status,
        Some(status::Spec {
            base_url: "https://logs.eu-west-1.amazonaws.com".to_owned(),
            group: group.to_owned(),
            every: Duration::from_secs(5),
        })
    );
    let spec = sns("status_log = 'a'\nstatus_every = '1s'\nlogs_url = 'http://127.0.0.1:5000/'\n");
    let status = spec.status.expect("a place");
    assert_eq!(status.base_url, "http://127.0.0.1:5000");
    assert_eq!(status.every, Duration::from_secs(1));
    check(
        "sms.providers = 'sns'\n[sms.sns]\nregion = 'eu-west-1'\nstatus_log = 'a b'\nstatus_every = '5h'\nlogs_url = 'here'\n",
        "gateway.toml:4:14: sms.sns.status_log: expected the name of a log group such as \
         \"sns/eu-west-1/123456789012/DirectPublishToPhoneNumber\", found \"a b\"\n\
         gateway.toml:5:16: sms.sns.status_every: must be between \"100ms\" and \"1m\", is \"5h\"\n\
         gateway.toml:6:12: sms.sns.logs_url: is not a URL such as \"https://sms.example.com/send\"",
    );
}

#[test]
fn a_program_of_yours_may_tell_as_it_is_told() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let text = format!(
        "sms.providers = 'webhook'\n[sms.webhook]\nurl = 'https://a.example/b'\nsecret = '{key}'\n"
    );
    let tellers = &config(&text).live.auth.tellers;
    assert!(tellers.webhook.is_some() && tellers.twilio.is_none());
    assert_eq!(config("").live.auth.tellers, Tellers::default());
}
