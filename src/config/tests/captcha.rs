//! `[otp.captcha]`: what it leads to, and every way to get it wrong.

use super::{problems::check, *};
use crate::auth::captcha::{Provider, Script, Spec};

const KEYS: &str = "site_key = '0x4AAAAAAA_b-c'\nsecret = 'hunter2'\n";

fn captcha(lines: &str) -> Option<Spec> {
    let text =
        format!("[server]\npublic_url = 'https://Login.example.com'\n[otp.captcha]\n{lines}");
    config(&text).live.auth.captcha.clone()
}

#[test]
fn nobodys_captchas_are_taken_unless_somebodys_are_named() {
    assert_eq!(config("").live.auth.captcha, None);
    // What is there already may stay there.
    assert_eq!(captcha(KEYS), None);
}

#[test]
fn a_provider_is_asked_where_it_usually_is_about_our_own_host() {
    for (name, provider) in [
        ("turnstile", Provider::Turnstile),
        ("hcaptcha", Provider::HCaptcha),
    ] {
        let spec = captcha(&format!("provider = '{name}'\n{KEYS}")).expect("one");
        assert_eq!(spec.provider, provider);
        assert_eq!(spec.site_key, "0x4AAAAAAA_b-c");
        assert_eq!(spec.secret, Secret::new(*b"hunter2"));
        assert_eq!(spec.hosts, ["login.example.com"]);
        assert_eq!(spec.verify_url, provider.verify_url());
        assert_eq!(spec.script, Script::Usual);
        assert_eq!(spec.line.timeout.as_secs(), 3);
    }
}

#[test]
fn a_provider_may_be_elsewhere_and_widgets_on_other_pages() {
    let spec = captcha(&format!(
        "provider = 'hcaptcha'\n{KEYS}hosts = ['App.example.com', 'localhost']\ntimeout = '1s'\n\
         verify_url = 'http://127.0.0.1:1/verify'\nscript_url = 'https://Cn1.hcaptcha.com/1/api.js?a=b'\n"
    ))
    .expect("one");
    assert_eq!(spec.hosts, ["app.example.com", "localhost"]);
    assert_eq!(spec.verify_url, "http://127.0.0.1:1/verify");
    let script = Script::At {
        url: "https://Cn1.hcaptcha.com/1/api.js?a=b".to_owned(),
        origin: "https://cn1.hcaptcha.com".to_owned(),
    };
    assert_eq!(spec.script, script);
    assert_eq!(spec.line.connect_timeout.as_secs(), 1);
}

#[test]
fn what_it_lacks_is_named() {
    check(
        "[otp.captcha]\nprovider = 'turnstile'\nhosts = ['a.example']\n",
        "gateway.toml:1:1: otp.captcha.site_key: is missing\n  help: the provider shows it\n\
         gateway.toml:1:1: otp.captcha.secret: is missing\n  help: `secret = { env = \"NAME\" }`",
    );
    check(
        &format!("[otp.captcha]\nprovider = 'turnstile'\n{KEYS}"),
        "gateway.toml:1:1: otp.captcha.hosts: is missing\n  \
         help: `hosts = [\"login.example.com\"]`, or `public_url` in `[server]`",
    );
}

#[test]
fn every_wrong_value_is_named_and_no_secret_repeated() {
    check(
        "[otp.captcha]\nprovider = 'recaptcha'\nsite_key = 'a b'\nsecret = 7\nhosts = ['https://a.example']\n\
         timeout = '1m'\nverify_url = 'here'\nscript_url = 'ftp://a/'\n",
        "gateway.toml:2:12: otp.captcha.provider: expected \"turnstile\" or \"hcaptcha\", found \"recaptcha\"\n\
         gateway.toml:3:12: otp.captcha.site_key: expected a key of letters, digits, \"-\" and \"_\", found \"a b\"\n\
         gateway.toml:4:10: otp.captcha.secret: expected a string, { env = \"NAME\" } or { file = \"PATH\" }, found an integer\n\
         gateway.toml:5:10: otp.captcha.hosts[0]: expected a host such as \"login.example.com\", found \"https://a.example\"\n\
         gateway.toml:6:11: otp.captcha.timeout: must be between \"10ms\" and \"30s\", is \"1m\"\n\
         gateway.toml:7:14: otp.captcha.verify_url: is not a URL such as \"https://sms.example.com/send\"\n\
         gateway.toml:8:14: otp.captcha.script_url: has the scheme \"ftp\", supported are \"https\" and \"http\"",
    );
}

#[test]
fn a_provider_that_is_asked_in_the_clear_is_for_no_production() {
    let text = format!(
        "[server]\npublic_url = 'https://a.example'\n[otp.captcha]\nprovider = 'turnstile'\n{KEYS}\
         verify_url = 'http://10.0.0.1/verify'\n"
    );
    let Loaded { advice, .. } = load(&text).expect("no problems");
    let said = advice.iter().any(|advice| {
        let Advice(problem) = advice;
        problem.key == "otp.captcha.verify_url"
    });
    assert!(said, "{advice:?}");
}
