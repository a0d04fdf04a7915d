//! What a browser meets: the login page, the cookies, and the guard against other sites.

mod scripts;

use std::time::Duration;

use serde_json::json;

use super::stage::{self, Answer, Ask, NUMBER, Stage};
use crate::{auth::Spec, net::cookies::CookieSecure};

/// What the hidden field `name` of the first form holds.
fn hidden(page: &Answer, name: &str) -> String {
    let field = format!("type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page.text().split_once(&field).expect("the hidden field");
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

/// A login through the forms, ending at `return_to`.
async fn login(stage: &Stage, return_to: &str) -> Answer {
    let sent = send(stage, return_to).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let (number, challenge) = (
        hidden(&sent, "mobile_number"),
        hidden(&sent, "challenge_id"),
    );
    let code = stage.code().await;
    stage
        .ask(Ask::form(
            "/login",
            &[
                ("step", "verify"),
                ("otp", &code),
                ("mobile_number", &number),
                ("challenge_id", &challenge),
                ("return_to", &hidden(&sent, "return_to")),
            ],
        ))
        .await
}

async fn send(stage: &Stage, return_to: &str) -> Answer {
    let fields = [
        ("step", "send"),
        ("mobile_number", "(650) 253-0000"),
        ("return_to", return_to),
    ];
    stage.ask(Ask::form("/login", &fields)).await
}

fn is_page(answer: &Answer) -> bool {
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    answer.headers["content-type"] == "text/html; charset=utf-8"
        && answer.headers["cache-control"] == "no-store"
        && answer.headers["x-content-type-options"] == "nosniff"
        && policy.starts_with("default-src 'none'; style-src 'sha256-")
        && answer.text().starts_with("<!DOCTYPE html>")
}

#[tokio::test]
async fn a_login_by_forms_ends_with_both_cookies_where_it_wanted_to_go() {
    let stage = Stage::new().await;
    let page = stage
        .ask(Ask::get("/login?return_to=%2Forders%3Fa%3D1%26b%3D2"))
        .await;
    assert_eq!(page.status, 200);
    assert!(is_page(&page));
    let return_to = hidden(&page, "return_to");
    assert_eq!(return_to, "/orders?a=1&b=2");

    let done = login(&stage, &return_to).await;
    assert_eq!(done.status, 303);
    assert_eq!(done.headers["location"], "/orders?a=1&b=2");
    assert_eq!(done.headers["cache-control"], "no-store");
    let [access, refresh] = done.cookies().try_into().expect("two cookies");
    assert_eq!(access.0, "__Host-otp_access");
    assert_eq!(
        access.2,
        "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900"
    );
    assert_eq!(refresh.0, "__Secure-otp_refresh");
    assert_eq!(
        refresh.2,
        "HttpOnly; SameSite=Lax; Secure; Path=/api/auth; Max-Age=2592000"
    );
    let me = stage
        .ask(Ask::get("/me").header("cookie", &done.jar()))
        .await;
    assert_eq!(me.json()["phone_number"], NUMBER);
}

#[tokio::test]
async fn without_tls_the_cookies_have_other_names_and_neither_stands_for_the_other() {
    let stage = Stage::new().await;
    let secure = login(&stage, "/").await;
    let access = secure.cookies()[0].1.clone();
    let plain = format!("otp_access={access}");
    let over_tls = stage.ask(Ask::get("/me").header("cookie", &plain)).await;
    assert_eq!(over_tls.refusal(), (401, "missing_token".to_owned()));
    let ask = Ask::get("/me").in_the_clear();
    let clear = stage.ask(ask.header("cookie", &plain)).await;
    assert_eq!(clear.status, 200);

    let spec = Spec {
        cookie_secure: CookieSecure::Never,
        ..stage::spec()
    };
    let stage = Stage::with(spec, 64).await;
    let done = login(&stage, "/").await;
    let [access, refresh] = done.cookies().try_into().expect("two cookies");
    assert_eq!(access.0, "otp_access");
    assert_eq!(access.2, "HttpOnly; SameSite=Lax; Path=/; Max-Age=900");
    assert_eq!(refresh.0, "otp_refresh");
}

#[tokio::test]
async fn a_wrong_code_is_said_on_the_page_with_the_status_of_the_api() {
    let stage = Stage::new().await;
    let sent = send(&stage, "/orders").await;
    assert!(is_page(&sent));
    let code = stage.code().await;
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    let challenge = hidden(&sent, "challenge_id");
    let fields = [
        ("step", "verify"),
        ("otp", wrong.as_str()),
        ("mobile_number", NUMBER),
        ("challenge_id", &challenge),
        ("return_to", "/orders"),
    ];
    let page = stage.ask(Ask::form("/login", &fields)).await;
    assert_eq!(page.status, 400);
    assert!(is_page(&page));
    assert!(page.text().contains("role=\"alert\""));
    assert!(page.text().contains("4 attempts are left."));
    assert!(page.cookies().is_empty());
    assert_eq!(hidden(&page, "challenge_id"), challenge);
    assert_eq!(hidden(&page, "return_to"), "/orders");
    assert!(!page.text().contains(&wrong), "a code never comes back");

    let mut letters = fields;
    letters[1].1 = "abc";
    let page = stage.ask(Ask::form("/login", &letters)).await;
    assert_eq!(page.status, 422);
    assert!(page.text().contains("The code must be 6 digits."));
}

#[tokio::test]
async fn a_wrong_number_is_said_on_the_page_and_can_be_corrected() {
    let stage = Stage::new().await;
    let typed = "<b>\"12\"</b>";
    let page = stage
        .ask(Ask::form("/login", &[("mobile_number", typed)]))
        .await;
    assert_eq!(page.status, 422);
    assert!(is_page(&page));
    assert!(page.text().contains("The number must be 10 to 15 digits"));
    assert!(
        page.text()
            .contains("value=\"&lt;b&gt;&quot;12&quot;&lt;/b&gt;\"")
    );
    assert!(!page.text().contains(typed));
    let abroad = stage
        .ask(Ask::form("/login", &[("mobile_number", "+37410123456")]))
        .await;
    assert_eq!(abroad.status, 403);
    assert!(
        abroad
            .text()
            .contains("Codes are not sent to numbers of this country.")
    );
}

#[tokio::test]
async fn a_limit_is_said_on_the_page_and_the_code_sent_before_can_still_be_entered() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        send(&stage, "/").await;
    }
    let page = send(&stage, "/").await;
    assert_eq!(page.status, 429);
    assert!(is_page(&page));
    assert_eq!(page.headers["retry-after"], "1800");
    assert!(page.text().contains("id=\"number\""));
    let again = [
        ("step", "send"),
        ("mobile_number", NUMBER),
        ("challenge_id", "x"),
    ];
    let page = stage.ask(Ask::form("/login", &again)).await;
    assert_eq!(page.status, 429);
    assert!(page.text().contains("id=\"code\""));
}

#[tokio::test]
async fn no_wish_leads_away_from_this_site() {
    let stage = Stage::new().await;
    for wish in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/api/auth/login",
    ] {
        let done = login(&stage, wish).await;
        assert_eq!(done.headers["location"], "/", "{wish}");
        let jar = done.jar();
        let query: String = form_urlencoded::byte_serialize(wish.as_bytes()).collect();
        let ask = Ask::get(&format!("/login?return_to={query}"));
        let back = stage.ask(ask.header("cookie", &jar)).await;
        assert_eq!(
            (back.status.as_u16(), &back.headers["location"]),
            (303, &"/".parse().unwrap())
        );
        // Three sends per number and half hour.
        stage.clock.advance(Duration::from_mins(30));
    }
}

#[tokio::test]
async fn who_is_logged_in_goes_straight_back_and_who_must_anew_does_not() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let show = |query: &str| stage.ask(Ask::get(&format!("/login{query}")).header("cookie", &jar));
    let back = show("?return_to=/orders").await;
    assert_eq!(back.status, 303);
    assert_eq!(back.headers["location"], "/orders");
    let anew = show("?return_to=/orders&prompt=login").await;
    assert_eq!(anew.status, 200);
    assert!(is_page(&anew));
}

#[tokio::test]
async fn an_expired_access_cookie_heals_on_the_way() {
    let stage = Stage::new().await;
    let first = login(&stage, "/").await;
    stage.clock.advance(Duration::from_hours(1));
    // The browser has dropped the access cookie by now.
    let (_, refresh) = first
        .jar()
        .split_once("; ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let ask = Ask::get("/login?return_to=/orders").header("cookie", &refresh);
    let healed = stage.ask(ask.clone()).await;
    assert_eq!(healed.status, 303);
    assert_eq!(healed.headers["location"], "/orders");
    assert_eq!(
        healed.cookies().len(),
        3,
        "two tokens and the count of bounces"
    );
    let me = stage
        .ask(Ask::get("/me").header("cookie", &healed.jar()))
        .await;
    assert_eq!(me.status, 200);
    // A second tab that did the same has the same refresh token now.
    let other = stage.ask(ask).await;
    let refresh_cookie = |answer: &Answer| {
        let all = answer.cookies();
        all.into_iter()
            .find(|cookie| cookie.0.contains("refresh"))
            .unwrap()
            .1
    };
    assert_eq!(refresh_cookie(&healed), refresh_cookie(&other));
    assert_eq!(stage.messages().await.len(), 1);
}

#[tokio::test]
async fn a_refresh_cookie_of_no_use_is_taken_away_and_the_form_is_shown() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    stage.clock.advance(Duration::from_hours(31 * 24));
    let page = stage.ask(Ask::get("/login").header("cookie", &jar)).await;
    assert_eq!(page.status, 200);
    assert!(is_page(&page));
    for (name, value, attributes) in page.cookies() {
        assert!(value.is_empty(), "{name}");
        assert!(attributes.contains("Max-Age=0"), "{attributes}");
    }
    assert_eq!(page.cookies().len(), 2);
}

#[tokio::test]
async fn a_browser_is_not_sent_round_in_circles() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let mut bounces = String::new();
    for round in 0..5 {
        let cookies = format!("{jar}; {bounces}");
        let back = stage
            .ask(Ask::get("/login").header("cookie", &cookies))
            .await;
        assert_eq!(back.status, 303, "{round}");
        let (name, value, attributes) = back.cookies().pop().unwrap();
        assert!(attributes.contains("Max-Age=30"), "{attributes}");
        bounces = format!("{name}={value}");
    }
    let cookies = format!("{jar}; {bounces}");
    let page = stage
        .ask(Ask::get("/login").header("cookie", &cookies))
        .await;
    assert_eq!(page.status, 200);
    assert!(is_page(&page));
}

#[tokio::test]
async fn another_site_cannot_act_through_the_browser() {
    let stage = Stage::new().await;
    let jar = login(&stage, "/").await.jar();
    let session = stage
        .ask(Ask::get("/me").header("cookie", &jar))
        .await
        .json();
    let path = format!("/sessions/{}", session["session_id"].as_str().unwrap());
    let foreign = [
        None,
        Some(("sec-fetch-site", "cross-site")),
        Some(("sec-fetch-site", "same-site")),
        Some(("origin", "https://evil.example")),
        Some(("origin", "http://app.example")),
        Some(("origin", "null")),
    ];
    for header in foreign {
        for (method, path) in [
            ("POST", "/refresh"),
            ("POST", "/logout"),
            ("DELETE", path.as_str()),
        ] {
            let mut ask = Ask::new(method, path).header("cookie", &jar);
            if let Some((name, value)) = header {
                ask = ask.header(name, value);
            }
            let answer = stage.ask(ask).await;
            assert_eq!(
                answer.refusal(),
                (403, "csrf".to_owned()),
                "{method} {path} {header:?}"
            );
        }
    }
    let form = Ask::new("POST", "/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://evil.example")
        .body("mobile_number=%2B16502530001");
    let page = stage.ask(form).await;
    assert_eq!(page.status, 403);
    assert!(is_page(&page));
    assert_eq!(stage.messages().await.len(), 1);
    let me = stage.ask(Ask::get("/me").header("cookie", &jar)).await;
    assert_eq!(me.status, 200);
}
