//! A proxy in front that asks for every request whether it may pass, as Traefik, Caddy and nginx do.

use crate::stage::{BEHIND_A_PROXY, PHONE, Stage, browser::Browser, client::Call, jwt};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn a_proxy_in_front_learns_who_is_calling() {
    let stage = Stage::new().await;
    let tokens = stage.log_in(PHONE).await;
    let check = || stage.get("/api/auth/check");
    check().send().await.is_refused(401, "missing_token");
    let cookie = format!("otp_access={}", tokens.access);
    for call in [
        check().bearer(&tokens.access),
        check().header("cookie", &cookie),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-auth-phone"), PHONE);
        assert_eq!(answer.header("x-auth-session"), tokens.session);
        let subject = &jwt::claims(&tokens.access)["sub"];
        assert_eq!(answer.header("x-auth-subject"), subject);
    }
    // What the client says about itself is not repeated.
    let forged = check().header("x-auth-subject", "admin").send().await;
    forged.is_refused(401, "missing_token");
    assert!(!forged.headers.contains_key("x-auth-subject"));

    stage
        .post("/api/auth/logout")
        .bearer(&tokens.access)
        .send()
        .await;
    let answer = check().bearer(&tokens.access).send().await;
    answer.is_refused(401, "session_revoked");
}

#[tokio::test]
async fn a_proxy_in_front_learns_it_by_the_names_that_apps_know() {
    let stage = Stage::with(&[
        "identity.subject = \"X-User\"",
        "identity.phone = \"X-Phone\"",
        "identity.session = \"X-Login\"",
        "identity.claims = { tenant = \"X-Tenant\", none = \"X-None\" }",
        "tokens.claims = { tenant = \"acme\" }",
    ])
    .await;
    let tokens = stage.log_in(PHONE).await;
    let check = stage.get("/api/auth/check").bearer(&tokens.access);
    let answer = check.send().await;
    assert_eq!(answer.status, 200);
    let subject = &jwt::claims(&tokens.access)["sub"];
    assert_eq!(answer.header("x-user"), subject);
    assert_eq!(answer.header("x-phone"), PHONE);
    assert_eq!(answer.header("x-login"), tokens.session);
    assert_eq!(answer.header("x-tenant"), "acme");
    for absent in ["x-none", "x-auth-subject", "x-auth-phone", "x-auth-session"] {
        assert!(!answer.headers.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn somebody_looking_at_a_page_is_led_to_the_login_on_the_host_they_are_on() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let answer = asked(&stage, "GET", "/orders?id=7").header(HTML.0, HTML.1);
    let answer = answer.send().await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.header("location"),
        "/api/auth/login?return_to=%2Forders%3Fid%3D7"
    );
    // Nowhere else, whatever the address that was asked for looks like.
    let evil = asked(&stage, "GET", "//evil.example").header(HTML.0, HTML.1);
    assert_eq!(
        evil.send().await.header("location"),
        "/api/auth/login?return_to=%2F"
    );
}

#[tokio::test]
async fn programs_and_proxies_that_name_no_page_get_401() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let html = |call: Call| call.header(HTML.0, HTML.1);
    for call in [
        asked(&stage, "GET", "/orders"),
        html(asked(&stage, "POST", "/orders")),
        html(asked(&stage, "GET", "/orders")).header("sec-fetch-mode", "cors"),
        // nginx takes every answer but 2xx, 401 and 403 for a failure.
        html(stage.get("/api/auth/check")),
    ] {
        call.send().await.is_refused(401, "missing_token");
    }
    let bad = html(asked(&stage, "GET", "/orders")).bearer("x");
    bad.send().await.is_refused(401, "invalid_token");
}

#[tokio::test]
async fn another_site_changes_nothing_behind_such_a_proxy_either() {
    let stage = Stage::with(&[BEHIND_A_PROXY]).await;
    let cookie = format!("otp_access={}", stage.log_in(PHONE).await.access);
    let by_cookie = |method: &str| asked(&stage, method, "/orders").header("cookie", &cookie);
    for method in ["POST", "PUT", "DELETE", "no method"] {
        for forged in [
            by_cookie(method),
            by_cookie(method).header("origin", "https://evil.example"),
            by_cookie(method).header("sec-fetch-site", "cross-site"),
            by_cookie(method).header("sec-fetch-site", "same-site"),
            // The name of the endpoint's own host, which is not the one the app is on.
            by_cookie(method).header("origin", &format!("http://{}", stage.address)),
        ] {
            forged.send().await.is_refused(403, "csrf");
        }
        for own in [
            by_cookie(method).header("origin", "http://app.example.com"),
            by_cookie(method).header("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(own.send().await.status, 200, "{method}");
        }
    }
    let link = by_cookie("GET").header("sec-fetch-site", "cross-site");
    assert_eq!(link.send().await.status, 200);
}

#[tokio::test]
async fn where_the_proxy_names_no_method_a_foreign_origin_is_enough() {
    let stage = Stage::new().await;
    let mut browser = Browser::new(&stage);
    browser.log_in(&stage, PHONE, "/").await;
    let check = || browser.call("GET", "/api/auth/check");
    let forged = check().header("origin", "https://evil.example").send();
    forged.await.is_refused(403, "csrf");
    let own = check().header("origin", &format!("http://{}", stage.address));
    assert_eq!(own.send().await.status, 200);
    let link = check().header("sec-fetch-site", "cross-site").send().await;
    assert_eq!(link.status, 200);
}

/// What Traefik asks about a request for `app.example.com`.
fn asked(stage: &Stage, method: &str, uri: &str) -> Call {
    stage
        .get("/api/auth/check")
        .sent_from("203.0.113.9")
        .header("x-forwarded-host", "app.example.com")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-method", method)
        .header("x-forwarded-uri", uri)
}
