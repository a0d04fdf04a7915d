//! What the pages hold, and what their headers forbid.

use proptest::prelude::*;

use super::{work::WORK, *};
use crate::auth::tests::stage;

fn number_page(number: &str, trouble: Option<&str>) -> String {
    NumberForm {
        action: "/api/auth/login",
        return_to: &ReturnTo::parse(Some("/orders?a=1&b=2"), &stage::spec()),
        number,
        key: "",
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
        key: "",
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

fn work_page(number: &str) -> String {
    WorkForm {
        action: "/api/auth/login",
        return_to: &ReturnTo::parse(Some("/orders?a=1&b=2"), &stage::spec()),
        number,
        challenge: number,
        key: number,
        puzzle: "16.1800000300.AAAAAAAAAAAAAAAAAAAAAA",
        bits: 16,
        captcha: None,
    }
    .page()
    .into_string()
}

#[test]
fn the_page_of_work_may_run_its_own_script_and_nothing_else() {
    let refusal = wire::empty(StatusCode::FORBIDDEN);
    let reply = instead(refusal, html! {}, Scripts::Work(None));
    let policy = reply.headers()["content-security-policy"].to_str().unwrap();
    let allowed = format!(
        "default-src 'none'; script-src {}; style-src",
        hash_of(WORK)
    );
    assert!(policy.starts_with(&allowed), "{policy}");
    let page = work_page("+16502530000");
    assert!(page.contains(&format!("<script>{WORK}</script>")));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!WORK.contains("</") && !WORK.contains("<!"));
    assert!(page.contains("<noscript>"));
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
            (work_page(&typed), work_page("")),
        ] {
            prop_assert_eq!(tags(&page), tags(&plain), "{}", page);
            prop_assert_eq!(quotes(&page), quotes(&plain), "{}", page);
        }
    }
}
