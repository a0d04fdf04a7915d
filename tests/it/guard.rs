//! The conversion guard and whoever meets it: a browser that proves its work by itself, and a program that does it as the README says.

mod captcha;

use serde_json::json;

use crate::stage::{PHONE, Stage, chromium::Chromium};

const GUARDED: &[&str] = &["otp.guard.mode = \"enforce\""];

/// Somebody has codes sent to the neighbours of [`PHONE`], and answers none.
async fn pump(stage: &Stage) {
    for n in 1..=6 {
        let neighbour = format!("{}{n}000", &PHONE[..8]);
        let asked = stage.ask_for_code(&neighbour).await;
        assert_eq!(asked.status, 200, "{asked:?}");
    }
}

#[tokio::test]
async fn the_login_page_proves_its_work_by_itself() {
    let stage = Stage::with(GUARDED).await;
    pump(&stage).await;
    let chromium = Chromium::start().await;
    chromium
        .open(&format!("http://{}/api/auth/login", stage.address))
        .await;
    chromium.write("#number", PHONE).await;
    chromium.press("button[value=send]").await;
    chromium.reads("We sent 6 digits to +1********00.").await;
    let code = stage.inbox.code_for(PHONE).await;
    chromium.write("#code", &code).await;
    chromium.press("button[value=verify]").await;
    assert!(!chromium.address().await.contains("login"));
    let proved = "otp_guard_total{level=\"network\",rule=\"debt\",verdict=\"proved\"}";
    assert_eq!(stage.metric(proved).await, 1);
}

#[tokio::test]
async fn a_program_solves_puzzles_as_the_readme_says() {
    let readme = include_str!("../../README.md");
    let begin = readme.find("async function solve(").expect("the program");
    let program = &readme[begin..];
    let program = &program[..program.find("```").expect("its end")];

    let stage = Stage::with(GUARDED).await;
    pump(&stage).await;
    let refused = stage.ask_for_code(PHONE).await;
    refused.is_refused(403, "proof_required");
    let chromium = Chromium::start().await;
    chromium
        .open(&format!("http://{}/api/auth/login", stage.address))
        .await;
    let script = format!("{program}\nreturn solve({});", refused.json()["proof"]);
    let proof = chromium.run(&script).await;
    let asked = stage
        .post("/api/auth/send-otp")
        .json(&json!({ "mobile_number": PHONE, "proof": proof }))
        .send()
        .await;
    assert_eq!(asked.status, 200, "{asked:?}");
    stage.inbox.code_for(PHONE).await;
}

#[tokio::test]
async fn a_browser_without_scripts_is_told_what_is_missing() {
    let stage = Stage::with(GUARDED).await;
    pump(&stage).await;
    let page = stage
        .post("/api/auth/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .body("mobile_number=%2B14155550100&step=send")
        .send()
        .await;
    assert_eq!(page.status, 403);
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.contains("script-src 'sha256-"), "{policy}");
    assert!(page.text().contains("<noscript>"));
}
