//! Which text a person gets, and that nothing else ever stands in it.

use proptest::prelude::*;

use super::*;
use crate::domain::otp;

fn locale(text: &str) -> Locale {
    text.parse().unwrap()
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn code() -> Code {
    Code::parse("042137", otp::Length::new(6).unwrap()).unwrap()
}

fn wording(own: &[(&str, &str)], default: &str) -> Wording {
    let others = own.iter().find(|(tag, _)| *tag == "*");
    let by_locale = own.iter().filter(|(tag, _)| *tag != "*");
    let own = Own {
        by_locale: by_locale
            .map(|(tag, text)| (locale(tag), template(text)))
            .collect(),
        others: others.map(|(_, text)| template(text)),
    };
    Wording::new(own, locale(default), "Shop".to_owned(), LastLine::default())
}

fn chosen(wording: &Wording, asked: &str, browser: &str, country: &str) -> String {
    let asked: Option<Locale> = asked.parse().ok();
    let chosen = wording.choose(Hints {
        locale: asked.as_ref(),
        accept_language: Some(browser).filter(|header| !header.is_empty()),
        country: country.parse().unwrap(),
    });
    chosen.unwrap().locale.to_string()
}

#[test]
fn a_language_is_looked_for_in_the_request_the_browser_the_country_and_the_default() {
    let wording = wording(&[], "en");
    assert_eq!(chosen(&wording, "fr", "de", "+34"), "fr");
    assert_eq!(chosen(&wording, "", "de", "+34"), "de");
    assert_eq!(chosen(&wording, "", "", "+34"), "es");
    assert_eq!(chosen(&wording, "", "", "+1"), "en");
    assert_eq!(
        chosen(&wording, "eo", "la, de;q=0.5", "+34"),
        "de",
        "the first that there is"
    );
    assert_eq!(chosen(&wording, "eo", "la", "+41"), "en");
}

#[test]
fn a_region_without_a_text_of_its_own_has_that_of_the_language() {
    let wording = wording(&[("pt-BR", "{code} no Brasil")], "en");
    assert_eq!(chosen(&wording, "pt-BR", "", "+1"), "pt-BR");
    assert_eq!(chosen(&wording, "pt-AO", "", "+1"), "pt");
    assert_eq!(chosen(&wording, "de-CH", "", "+1"), "de");
    assert_eq!(chosen(&wording, "zh-TW", "", "+1"), "zh-Hant");
    assert_eq!(chosen(&wording, "zh-CN", "", "+1"), "zh");
}

#[test]
fn a_text_of_ones_own_goes_before_the_one_that_comes_along() {
    let wording = wording(&[("de", "{code}!")], "en");
    let hints = Hints {
        locale: Some(&locale("de")),
        accept_language: None,
        country: "+1".parse().unwrap(),
    };
    let chosen = wording.choose(hints).unwrap();
    let text = wording.write(chosen, Channel::Sms, &code(), Duration::from_mins(5));
    assert_eq!(text, "042137!");
}

#[test]
fn a_text_for_all_others_leaves_nothing_to_those_that_come_along() {
    let wording = wording(&[("de", "{code}!"), ("*", "{code}.")], "en");
    assert_eq!(wording.texts().count(), 2);
    assert_eq!(chosen(&wording, "fr", "", "+34"), "en");
    assert_eq!(chosen(&wording, "de", "", "+34"), "de");
}

#[test]
fn minutes_are_rounded_down_and_never_none() {
    let wording = wording(&[("en", "{minutes} {code}")], "en");
    let of = |secs| {
        let chosen = wording.find(locale("en")).unwrap();
        wording.write(chosen, Channel::Sms, &code(), Duration::from_secs(secs))
    };
    assert_eq!(of(300), "5 042137");
    assert_eq!(of(299), "4 042137");
    assert_eq!(of(20), "1 042137");
}

#[test]
fn a_call_spells_the_code_and_only_a_text_message_has_a_line_for_machines() {
    let last_line = LastLine {
        host: Some("a.example".parse().unwrap()),
        app: None,
    };
    let wording = Wording {
        last_line,
        ..wording(&[("en", "{code}")], "en")
    };
    let by = |channel| {
        let chosen = wording.find(locale("en")).unwrap();
        wording.write(chosen, channel, &code(), Duration::from_mins(5))
    };
    assert_eq!(by(Channel::Sms), "042137\n@a.example #042137");
    assert_eq!(by(Channel::WhatsApp), "042137");
    assert_eq!(by(Channel::Voice), "0, 4, 2, 1, 3, 7");
}

proptest! {
    /// Whatever a client says, it gets one of the texts that are there.
    #[test]
    fn nothing_that_a_client_says_stands_in_a_message(
        asked in "([a-zA-Z]{2,3}(-[a-zA-Z]{2,4})?|\\PC{0,20})",
        browser in "([a-z]{2}|;q=0\\.[0-9]|,|-|\\PC){0,20}",
        country in 0_usize..5,
        channel in 0_usize..3,
    ) {
        let wording = wording(&[("de", "{code} für {sender}")], "en");
        let channel = [Channel::Sms, Channel::WhatsApp, Channel::Voice][channel];
        let asked: Option<Locale> = asked.parse().ok();
        let chosen = wording.choose(Hints {
            locale: asked.as_ref(),
            accept_language: Some(&browser),
            country: ["+1", "+49", "+34", "+852", "+41"][country].parse().unwrap(),
        });
        let write = |chosen| wording.write(chosen, channel, &code(), Duration::from_mins(5));
        let text = write(chosen.expect("a default"));
        prop_assert!(wording.texts().any(|other| write(other) == text), "{}", text);
    }
}
