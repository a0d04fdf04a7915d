//! What messages say: what a file leads to, what is wrong in one, and what is dear.

use std::time::Duration;

use super::{problems::check, *};
use crate::{
    domain::otp::Code,
    sms::{Channel, wording::Hints},
};

/// The message that somebody of this language gets.
fn message(text: &str, language: &str) -> String {
    let auth = config(text).live.auth;
    let code = Code::parse("042137", auth.otp.length).expect("a code");
    let locale = language.parse().expect("a language");
    let chosen = auth.wording.choose(Hints {
        locale: Some(&locale),
        accept_language: None,
        country: "+1".parse().expect("a country"),
    });
    let chosen = chosen.expect("a default");
    let minutes = Duration::from_mins(5);
    auth.wording.write(chosen, Channel::Sms, &code, minutes)
}

fn advice(text: &str) -> Vec<String> {
    let advice = load(text).expect("no problems").advice;
    advice.iter().map(ToString::to_string).collect()
}

#[test]
fn a_text_is_the_operators_or_ours() {
    let text = "[sms]\nsender = 'Shop'\n[sms.templates]\nde = '{code}: {sender}'\n";
    assert_eq!(message(text, "de-AT"), "042137: Shop");
    assert_eq!(
        message(text, "en"),
        "042137 is your Shop code. It is valid for 5 minutes."
    );
    assert_eq!(
        message(&format!("{text}'*' = '{{code}}'\n"), "fr"),
        "042137"
    );
    assert_eq!(
        message("sms.default_locale = 'nl'\n", "eo"),
        "042137 is je code voor otp-gateway. Hij is 5 minuten geldig."
    );
}

#[test]
fn the_line_for_machines_names_the_host_of_the_public_url_or_another_one() {
    let end = |text: &str| {
        message(text, "en")
            .lines()
            .last()
            .map(str::to_owned)
            .expect("a line")
    };
    let ours = "server.public_url = 'https://Login.example.com'\nsms.webotp = 'on'\n";
    assert_eq!(end(ours), "@login.example.com #042137");
    let other = "sms.webotp = 'shop.example.com'\nsms.app_hash = 'FA+9qCX9VSu'\n";
    assert_eq!(end(other), "@shop.example.com #042137 FA+9qCX9VSu");
}

#[test]
fn what_is_wrong_with_texts_is_named() {
    check(
        "[sms.templates]\nde = '{cod}'\npt-br = '{code}'\ngerman = '{code}'\nfr = 1\nes = 'hola'\n",
        "gateway.toml:2:6: sms.templates.de: only {code}, {minutes} and {sender} may stand in braces\n\
         gateway.toml:3:9: sms.templates.pt-br: names a language in an unusual way\n  help: write `pt-BR`\n\
         gateway.toml:4:10: sms.templates.german: must be a language tag such as de or pt-BR\n\
         gateway.toml:5:6: sms.templates.fr: expected the text of a message, found an integer\n\
         gateway.toml:6:6: sms.templates.es: a message without {code} helps nobody",
    );
    check(
        "sms.default_locale = 'eo'\n",
        "gateway.toml:1:22: sms.default_locale: there is no text in this language\n  \
         help: a text of that language in `templates`, or one for `\"*\"`, is missing",
    );
    check(
        "sms.sender = ''\nsms.app_hash = 'hunter2'\nsms.webotp = 'https://a'\n",
        "gateway.toml:1:14: sms.sender: expected a name of 1 to 50 characters, found \"\"\n\
         gateway.toml:2:16: sms.app_hash: must be 11 letters, digits, \"+\" and \"/\", such as \"FA+9qCX9VSu\"\n\
         gateway.toml:3:14: sms.webotp: \"off\", \"on\", or a host: must be a host without scheme and port, such as \"login.example.com\"",
    );
}

#[test]
fn a_line_for_browsers_needs_a_site_that_they_find() {
    const HELP: &str = "\n  help: `webotp = \"HOST\"` names the site by itself";
    check(
        "sms.webotp = 'on'\n",
        &format!(
            "gateway.toml:1:14: sms.webotp: there is no `public_url` whose host it could name{HELP}"
        ),
    );
    for url in ["http://a.example", "https://a.example:8443"] {
        check(
            &format!("sms.webotp = 'on'\nserver.public_url = '{url}'\n"),
            &format!(
                "gateway.toml:1:14: sms.webotp: browsers fill codes in at HTTPS and its usual port, where `public_url` is not{HELP}"
            ),
        );
    }
}

#[test]
fn texts_that_are_paid_for_twice_are_told() {
    let long = "x".repeat(155);
    assert_eq!(
        advice(&format!(
            "[sms.templates]\nen = '{{code}}{long}'\nde = '{{code}} für {{sender}}'\nes = 'Su código, que no debe decir a nadie nunca, es {{code}}, y vale {{minutes}} minutos.'\n"
        )),
        [
            "gateway.toml:2:6: sms.templates.en: is sent, and paid for, as 2 messages: 161 characters of 160",
            "gateway.toml:4:6: sms.templates.es: is sent, and paid for, as 2 messages: 72 characters of 70, UCS-2 because of 'ó'",
        ]
    );
    // The longest code counts, and the line for machines does.
    let fits = format!("{{code}}{}", "x".repeat(154));
    assert_eq!(
        advice(&format!("sms.templates = {{ '*' = '{fits}' }}\n")),
        [""; 0]
    );
    let dear = advice(&format!(
        "otp.length = 7\nsms.templates = {{ '*' = '{fits}' }}\n"
    ));
    assert_eq!(dear.len(), 1, "{dear:?}");
    assert!(dear[0].contains("sms.templates.*: "), "{dear:?}");
    let ours = advice("sms.webotp = 'login.example.com'\n");
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(
        ours[0].contains(" sms.sender: our texts in ar, cs, "),
        "{ours:?}"
    );
    assert!(!ours[0].contains(" en"), "{ours:?}");
}
