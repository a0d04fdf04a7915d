//! Captchas in place of a proof of work: whose count, for what and how often, and what happens while nobody can tell.

use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;

use super::{GUARDED, pump};
use crate::{
    races::at_once,
    stage::{
        BEHIND_A_PROXY, PHONE, Stage,
        carrier::{Carrier, Manner, saying},
        chromium::Chromium,
        client::{Answer, Call},
        siteverify::{HOST, Siteverify},
    },
};

/// A widget that is solved as soon as it is there, as far as it is where it should be.
const WIDGET: &str = "
    const place = document.querySelector('.cf-turnstile');
    if (place.dataset.sitekey === 'site-1' && place.dataset.action === 'send-otp')
        window[place.dataset.callback]('browser-token');
";

/// A gateway that takes captchas of `provider`, and at which somebody has pumped.
async fn suspicious(settings: &[String], more: &[&str]) -> Stage {
    let settings = settings.iter().map(String::as_str);
    let settings: Vec<_> = GUARDED
        .iter()
        .copied()
        .chain(settings)
        .chain(more.iter().copied())
        .collect();
    let stage = Stage::with(&settings).await;
    pump(&stage).await;
    stage
}

fn with_captcha(stage: &Stage, phone: &str, token: &str) -> Call {
    stage
        .post("/api/auth/send-otp")
        .json(&json!({ "mobile_number": phone, "captcha": token }))
}

/// Asserts that work is demanded, and tells whether a captcha would do.
#[track_caller]
fn offered(answer: &Answer) -> bool {
    answer.is_refused(403, "proof_required");
    let problem = answer.json();
    assert_eq!(problem["proof"]["algorithm"], "sha-256");
    match problem.get("captcha") {
        Some(captcha) => {
            let expected =
                json!({ "provider": "turnstile", "site_key": "site-1", "action": "send-otp" });
            assert_eq!(*captcha, expected);
            true
        }
        None => false,
    }
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"]
        .as_str()
        .expect("a detail")
        .to_owned()
}

/// The form of the login page, as it comes from a browser.
async fn submit(stage: &Stage, captcha: &str) -> Answer {
    let form = format!("mobile_number=%2B14155550100&step=send&proof=&captcha={captcha}");
    let call = stage.post("/api/auth/login").header("accept", "text/html");
    call.header("sec-fetch-site", "same-origin")
        .form(&form)
        .send()
        .await
}

#[tokio::test]
async fn whoever_solves_a_captcha_gets_the_code_without_any_work() {
    for provider in ["turnstile", "hcaptcha"] {
        let vendor = Siteverify::start("").await;
        let stage = suspicious(&vendor.settings(provider), &[BEHIND_A_PROXY]).await;
        let refused = stage.ask_for_code(PHONE).await;
        assert_eq!(refused.json()["captcha"]["provider"], provider);
        vendor.give("good");
        let asked = with_captcha(&stage, PHONE, "good").sent_from("198.51.100.7");
        assert_eq!(asked.send().await.status, 200);
        stage.inbox.code_for(PHONE).await;
        let [question] = &vendor.asked()[..] else {
            panic!("one question: {:?}", vendor.asked());
        };
        assert_eq!(question["response"], "good");
        assert_eq!(question["remoteip"], "198.51.100.7");
        let site = (provider == "hcaptcha").then_some("site-1");
        assert_eq!(question.get("sitekey").map(String::as_str), site);
        let solved = "otp_guard_total{level=\"range\",rule=\"debt\",verdict=\"solved\"}";
        assert_eq!(stage.metric(solved).await, 1);
        assert_eq!(
            stage.metric("otp_captcha_total{result=\"solved\"}").await,
            1
        );
    }
}

#[tokio::test]
async fn a_captcha_that_does_not_count_sends_nothing() {
    let vendor = Siteverify::start("").await;
    let stage = suspicious(&vendor.settings("turnstile"), &[]).await;
    vendor.give_for("elsewhere", "evil.example", "send-otp");
    vendor.give_for("for-more", HOST, "transfer-money");
    for (token, why) in [
        ("made-up", "is not vouched for by its provider"),
        ("elsewhere", "was solved for something else"),
        ("for-more", "was solved for something else"),
    ] {
        let answer = with_captcha(&stage, PHONE, token).send().await;
        assert!(offered(&answer), "{token}");
        assert!(detail(&answer).ends_with(&format!("The captcha {why}.")));
    }
    assert_eq!(stage.inbox.messages_to(PHONE), [""; 0]);
    assert_eq!(
        stage.metric("otp_captcha_total{result=\"refused\"}").await,
        1
    );
    assert_eq!(
        stage
            .metric("otp_captcha_total{result=\"elsewhere\"}")
            .await,
        2
    );
}

#[tokio::test]
async fn what_no_captcha_gives_is_a_mistake() {
    let vendor = Siteverify::start("").await;
    let stage = suspicious(&vendor.settings("turnstile"), &[]).await;
    for token in ["", "two words", "gr\u{fc}n", &"x".repeat(9000)] {
        let answer = with_captcha(&stage, PHONE, token).send().await;
        assert_eq!(answer.wrong_fields(), ["captcha"]);
    }
    let answer = stage
        .post("/api/auth/send-otp")
        .json(&json!({ "mobile_number": PHONE, "captcha": 7 }));
    assert_eq!(answer.send().await.wrong_fields(), ["captcha"]);
    assert_eq!(vendor.asked().len(), 0);
}

#[tokio::test]
async fn of_many_who_show_the_same_captcha_one_is_sent_a_code() {
    let vendor = Siteverify::start("").await;
    let stage = suspicious(&vendor.settings("turnstile"), &[]).await;
    vendor.give("once");
    let answers = at_once(&stage, |_| with_captcha(&stage, PHONE, "once")).await;
    let sent = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(sent.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.is_refused(403, "proof_required");
    }
}

#[tokio::test]
async fn a_captcha_is_not_used_up_where_nobody_asks_for_one() {
    let vendor = Siteverify::start("").await;
    let stage = suspicious(&vendor.settings("turnstile"), &[BEHIND_A_PROXY]).await;
    vendor.give("kept");
    let elsewhere = with_captcha(&stage, "+12125550100", "kept").sent_from("203.0.113.7");
    assert_eq!(elsewhere.send().await.status, 200);
    assert_eq!(vendor.asked().len(), 0);
    assert_eq!(with_captcha(&stage, PHONE, "kept").send().await.status, 200);
    assert_eq!(vendor.asked().len(), 1);
}

#[tokio::test]
async fn no_captcha_opens_what_is_blocked() {
    let vendor = Siteverify::start("").await;
    let stage = suspicious(&vendor.settings("turnstile"), &["otp.limits = []"]).await;
    for n in 0..50 {
        let token = format!("token-{n}");
        vendor.give(&token);
        let phone = format!("+141555502{n:02}");
        let answer = with_captcha(&stage, &phone, &token).send().await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.json()["violated-policies"], json!(["guard"]));
            // Nobody was asked about a captcha that could not help.
            assert_eq!(vendor.asked().len(), n);
            return;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    panic!("nothing is ever blocked");
}

/// A provider like this vouches for nobody: the work has to be done, and no captcha is offered.
async fn falls_back(manner: Manner) {
    let carrier = Carrier::start(manner).await;
    let vendor = Siteverify::start("").await;
    let mut settings = vendor.settings("turnstile").to_vec();
    let there = carrier.address;
    settings.push(format!(
        "otp.captcha.verify_url = \"http://{there}/siteverify\""
    ));
    let stage = suspicious(&settings, &["otp.captcha.timeout = \"300ms\""]).await;
    let answer = with_captcha(&stage, PHONE, "good").send().await;
    assert!(!offered(&answer));
    assert!(detail(&answer).ends_with("The captcha cannot be checked now."));
    let page = submit(&stage, "good").await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("data-puzzle"));
    assert!(!page.text().contains("cf-turnstile"));
    assert!(!page.header("content-security-policy").contains("http"));
    assert_eq!(stage.inbox.messages_to(PHONE), [""; 0]);
    assert_eq!(
        stage.metric("otp_captcha_total{result=\"unasked\"}").await,
        2
    );
}

#[tokio::test]
async fn a_provider_that_says_nothing_vouches_for_nobody() {
    falls_back(Manner::Silent).await;
}

#[tokio::test]
async fn a_provider_that_breaks_off_vouches_for_nobody() {
    falls_back(Manner::Breaks(String::new())).await;
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\": true";
    falls_back(Manner::Breaks(half.to_owned())).await;
}

#[tokio::test]
async fn a_provider_that_talks_in_other_words_or_without_end_vouches_for_nobody() {
    falls_back(saying("200 OK", "", "<html>success: true</html>")).await;
    falls_back(saying("503 Service Unavailable", "", "")).await;
    falls_back(saying("302 Found", "location: /yes\r\n", "")).await;
    let endless =
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{\"success\": true, \"x\": \"";
    falls_back(Manner::Chatters(endless.to_owned())).await;
}

#[tokio::test]
async fn a_provider_that_refuses_our_settings_vouches_for_nobody() {
    let ours = "{\"success\": false, \"error-codes\": [\"invalid-input-secret\"]}";
    falls_back(saying("200 OK", "", ours)).await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_vouches_for_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = listener.local_addr().expect("an address");
    drop(listener);
    let vendor = Siteverify::start("").await;
    let mut settings = vendor.settings("turnstile").to_vec();
    settings.push(format!("otp.captcha.verify_url = \"http://{nowhere}/\""));
    let stage = suspicious(&settings, &[]).await;
    assert!(!offered(&with_captcha(&stage, PHONE, "good").send().await));
}

#[tokio::test]
async fn the_page_loads_what_the_provider_needs_and_nothing_of_anybody_else() {
    let vendor = Siteverify::start("").await;
    let there = format!("http://{}", vendor.address);
    let stage = suspicious(&vendor.settings("turnstile"), &[]).await;
    let page = submit(&stage, "").await;
    assert_eq!(page.status, 403);
    let policy = page.header("content-security-policy");
    let theirs = format!("https://challenges.cloudflare.com {there}");
    let frames = format!("frame-src {theirs}; style-src 'sha256-");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("' {theirs}; {frames}")),
        "{policy}"
    );
    assert!(policy.ends_with("; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"));
    for part in [
        "class=\"cf-turnstile\"",
        "data-sitekey=\"site-1\"",
        &format!("data-script=\"{there}/api.js\""),
        "<noscript>",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    // No other page is any wider for it.
    let login = stage.get("/api/auth/login").send().await;
    assert!(!login.header("content-security-policy").contains("http"));
    assert!(!login.text().contains("captcha"));
}

#[tokio::test]
async fn a_browser_shows_the_widget_and_sends_what_it_gives() {
    let vendor = Siteverify::start(WIDGET).await;
    vendor.give("browser-token");
    let stage = suspicious(&vendor.settings("turnstile"), &[]).await;
    let chromium = Chromium::start().await;
    ask_in(&chromium, &stage).await;
    let solved = "otp_guard_total{level=\"network\",rule=\"debt\",verdict=\"solved\"}";
    assert_eq!(stage.metric(solved).await, 1);
}

#[tokio::test]
async fn a_browser_that_gets_no_widget_does_the_work() {
    let vendor = Siteverify::start("").await;
    let mut settings = vendor.settings("hcaptcha").to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = listener.local_addr().expect("an address");
    drop(listener);
    settings.push(format!("otp.captcha.script_url = \"http://{nowhere}/\""));
    let stage = suspicious(&settings, &[]).await;
    let chromium = Chromium::start().await;
    ask_in(&chromium, &stage).await;
    let proved = "otp_guard_total{level=\"network\",rule=\"debt\",verdict=\"proved\"}";
    assert_eq!(stage.metric(proved).await, 1);
    assert_eq!(vendor.asked().len(), 0);
}

/// Asks for a code on the login page, and waits until it is sent, however that is brought about.
async fn ask_in(chromium: &Chromium, stage: &Stage) {
    let page = format!("http://{}/api/auth/login", stage.address);
    chromium.open(&page).await;
    chromium.write("#number", PHONE).await;
    chromium.press("button[value=send]").await;
    chromium.reads("We sent 6 digits to +1********00.").await;
    stage.inbox.code_for(PHONE).await;
}
