//! Scripts and forms that act by cookie.

use super::*;

#[tokio::test]
async fn a_refresh_by_cookie_shows_no_token_to_scripts() {
    let stage = Stage::new().await;
    let first = login(&stage, "/").await;
    let ask = Ask::new("POST", "/refresh")
        .header("cookie", &first.jar())
        .header("origin", "https://app.example");
    let answer = stage.ask(ask).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(
        body,
        json!({
            "expires_in": 900,
            "refresh_expires_in": 30 * 86_400,
            "session_id": body["session_id"],
        })
    );
    assert_eq!(answer.cookies().len(), 2);
    let me = stage
        .ask(Ask::get("/me").header("cookie", &answer.jar()))
        .await;
    assert_eq!(me.json()["session_id"], body["session_id"]);
}

#[tokio::test]
async fn a_token_in_the_header_is_the_only_one_that_counts() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let other = stage.login("+16502530001").await;
    let both = Ask::get("/me")
        .header("cookie", &jar)
        .bearer(&other["access_token"]);
    assert_eq!(stage.ask(both).await.json()["phone_number"], "+16502530001");
    let bad = Ask::get("/me")
        .header("cookie", &jar)
        .bearer(&json!("a.b.c"));
    assert_eq!(
        stage.ask(bad).await.refusal(),
        (401, "invalid_token".to_owned())
    );
    let twice = Ask::get("/me").header("cookie", &format!("{jar}; {jar}"));
    assert_eq!(
        stage.ask(twice).await.refusal(),
        (401, "invalid_token".to_owned())
    );
}

#[tokio::test]
async fn a_logout_form_ends_the_session_and_leads_to_the_login() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let out = stage
        .ask(Ask::form("/logout", &[]).header("cookie", &jar))
        .await;
    assert_eq!(out.status, 303);
    assert_eq!(out.headers["location"], "/api/auth/login");
    assert_eq!(out.cookies().len(), 2);
    assert!(out.jar().is_empty(), "both are taken away");
    let me = stage.ask(Ask::get("/me").header("cookie", &jar)).await;
    assert_eq!(me.refusal(), (401, "session_revoked".to_owned()));
    // Once more, without anything left to end.
    let again = stage.ask(Ask::form("/logout", &[])).await;
    assert_eq!(again.status, 303);
}

#[tokio::test]
async fn a_script_that_logs_out_by_cookie_gets_no_page() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let (_, refresh) = jar.split_once("; ").unwrap();
    let ask = Ask::new("POST", "/logout").header("sec-fetch-site", "same-origin");
    let out = stage.ask(ask.clone().header("cookie", refresh)).await;
    assert_eq!(out.status, 204);
    let me = stage.ask(Ask::get("/me").header("cookie", &jar)).await;
    assert_eq!(me.refusal(), (401, "session_revoked".to_owned()));
    // Cookies of no use are taken away too.
    let junk = ask.header("cookie", "__Host-otp_access=junk");
    let out = stage.ask(junk).await;
    assert_eq!(out.status, 204);
    assert_eq!(out.cookies().len(), 2);
}

#[tokio::test]
async fn only_one_unambiguous_form_is_taken_by_the_page() {
    let stage = Stage::new().await;
    let json = stage.ask(Ask::post("/login", &json!({}))).await;
    assert_eq!(json.refusal(), (415, "unsupported_media_type".to_owned()));
    let twice = Ask::form("/login", &[("mobile_number", "1"), ("mobile_number", "2")]);
    assert_eq!(
        stage.ask(twice).await.refusal(),
        (422, "validation_failed".to_owned())
    );
}

#[tokio::test]
async fn a_browser_is_listed_by_what_it_says_about_itself() {
    let stage = Stage::new().await;
    send(&stage, "/").await;
    let code = stage.code().await;
    let fields = [
        ("step", "verify"),
        ("otp", &code),
        ("mobile_number", NUMBER),
    ];
    let agent = "x".repeat(600);
    let done = stage
        .ask(Ask::form("/login", &fields).header("user-agent", &agent))
        .await;
    assert_eq!(done.status, 303);
    let list = Ask::get("/sessions").header("cookie", &done.jar());
    let list = stage.ask(list).await.json();
    assert_eq!(list["sessions"][0]["device_info"], agent[..512]);
}
