//! Pages of other origins: what they may ask where a route says so, and that nobody else gains anything by it.

use http_body_util::{BodyExt, Full};
use serde_json::json;

use crate::stage::{
    PHONE, Stage,
    chromium::Chromium,
    client::{Answer, Call},
    upstream::{Upstream, reply},
};

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example";

/// A route that needs a token, open to pages of [`APP`].
const ROUTE: &str = "[[routes]]\npath = \"/\"\ncors.origins = [\"https://app.example.com\"]";

/// The same, where cookies count.
const WITH_COOKIES: &str = "[[routes]]\npath = \"/\"\n\
     cors = { origins = [\"https://app.example.com\", \"https://*.shop.example\"], credentials = true }";

#[tokio::test]
async fn what_a_browser_asks_in_advance_is_answered_without_a_token() {
    let route = "[[routes]]\npath = \"/\"\nlimits = [\"1/m per ip\"]\n\
         cors = { origins = [\"https://app.example.com\"], headers = [\"X-A\", \"Authorization\"], max_age = \"1h\" }";
    let stage = Stage::with(&[route]).await;
    for _ in 0..3 {
        let answer = preflight(&stage, "/orders", APP, "PUT").send().await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert_eq!(answer.header("access-control-allow-methods"), "PUT");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "x-a, authorization"
        );
        assert_eq!(answer.header("access-control-max-age"), "3600");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        let varies = answer.headers.get_all("vary").iter();
        let varies: Vec<_> = varies.map(|name| name.to_str().expect("text")).collect();
        assert!(varies.contains(&"origin"), "{varies:?}");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
}

#[tokio::test]
async fn options_that_is_no_such_question_needs_a_token_like_everything_else() {
    let closed = "[[routes]]\npath = \"/closed\"";
    let stage = Stage::with(&[ROUTE, closed]).await;
    let options = |path| stage.call("OPTIONS", path);
    for call in [
        options("/"),
        options("/").header("origin", APP),
        options("/").header("access-control-request-method", "GET"),
        preflight(&stage, "/", EVIL, "GET"),
        preflight(&stage, "/", "null", "GET"),
        preflight(&stage, "/", "https://app.example.com:8443", "GET"),
        preflight(&stage, "/", APP, "GET").header("origin", APP),
        preflight(&stage, "/", APP, "GET").header("access-control-request-method", "GET"),
        preflight(&stage, "/", APP, "NOT A METHOD"),
        preflight(&stage, "/", APP, "TRACE"),
        preflight(&stage, "/closed", APP, "GET"),
        preflight(&stage, "/%63losed", APP, "GET"),
        // It must be OPTIONS, too.
        stage
            .get("/")
            .header("origin", APP)
            .header("access-control-request-method", "GET"),
    ] {
        call.send().await.is_refused(401, "missing_token");
    }
    assert_eq!(stage.upstream.seen().len(), 0);
    let token = stage.log_in(PHONE).await.access;
    assert_eq!(options("/").bearer(&token).send().await.status, 200);
    assert_eq!(stage.upstream.seen().len(), 1);
}

#[tokio::test]
async fn the_rules_are_those_of_the_route_that_the_request_itself_would_take() {
    let read = "[[routes]]\nname = \"read\"\npath = \"/a\"\nmethods = [\"GET\"]\n\
         cors.origins = [\"https://app.example.com\"]";
    let write = "[[routes]]\nname = \"write\"\npath = \"/a\"\nmethods = [\"POST\"]";
    let stage = Stage::with(&[read, write]).await;
    let ask = |path, method| preflight(&stage, path, APP, method).send();
    assert_eq!(ask("/a", "GET").await.status, 204);
    ask("/a", "POST")
        .await
        .is_refused(405, "method_not_allowed");
    ask("/a", "DELETE")
        .await
        .is_refused(405, "method_not_allowed");
    ask("/b", "GET").await.is_refused(404, "not_found");
    ask("/a/../a", "GET")
        .await
        .is_refused(400, "invalid_request_target");
}

#[tokio::test]
async fn answers_and_refusals_may_be_read_by_the_pages_that_are_named_and_by_no_others() {
    let upstream = Upstream::doing(|_| {
        Box::pin(async {
            let mut reply = reply("ok");
            for (name, value) in [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-credentials", "true"),
                ("access-control-expose-headers", "x-secret"),
                ("vary", "accept"),
            ] {
                reply
                    .headers_mut()
                    .insert(name, value.parse().expect("a value"));
            }
            reply
        })
    })
    .await;
    let route =
        format!("{ROUTE}\ncors.expose = [\"X-Total\", \"RateLimit\"]\nlimits = [\"2/m per ip\"]");
    let stage = Stage::over(upstream, &[&route]).await;
    let token = stage.log_in(PHONE).await.access;
    let from = |origin| {
        stage
            .get("/")
            .bearer(&token)
            .header("origin", origin)
            .send()
    };

    let answer = from(APP).await;
    assert_eq!(answer.status, 200);
    may_be_read_by(&answer, Some(APP));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        "x-total, ratelimit"
    );
    assert!(
        !answer
            .headers
            .contains_key("access-control-allow-credentials")
    );
    let answer = from(EVIL).await;
    assert_eq!(answer.status, 200);
    may_be_read_by(&answer, None);

    for (status, code) in [(429, "rate_limited"), (401, "missing_token")] {
        let call = stage.get("/").header("origin", APP);
        let refused = call.send().await;
        refused.is_refused(status, code);
        may_be_read_by(&refused, Some(APP));
        let refused = stage.get("/").header("origin", EVIL).send().await;
        may_be_read_by(&refused, None);
        stage.pass(std::time::Duration::from_mins(1));
    }
    // A request that comes from no page at all is told nothing.
    let answer = stage.get("/").bearer(&token).send().await;
    may_be_read_by(&answer, None);
}

#[tokio::test]
async fn everybody_may_read_what_is_for_everybody_but_not_with_cookies() {
    let route = "[[routes]]\npath = \"/\"\nauth = \"none\"\ncors.origins = [\"*\"]";
    let stage = Stage::with(&[route]).await;
    for origin in [APP, EVIL, "null"] {
        let answer = stage.get("/").header("origin", origin).send().await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        assert!(!answer.headers.contains_key("vary"));
        assert_eq!(
            preflight(&stage, "/", origin, "PUT").send().await.status,
            204
        );
    }
    // A cache may give everybody the answer to somebody who did not say where they come from.
    let answer = stage.get("/").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn where_cookies_count_the_named_pages_may_act_by_them_and_others_may_not() {
    let stage = Stage::with(&[WITH_COOKIES]).await;
    let token = stage.log_in(PHONE).await.access;
    let cookie = format!("otp_access={token}");
    let post = |origin: &str, site: Option<&str>| {
        let call = stage
            .post("/")
            .header("cookie", &cookie)
            .header("origin", origin);
        match site {
            Some(site) => call.header("sec-fetch-site", site),
            None => call,
        }
    };
    for origin in [APP, "https://eu.shop.example"] {
        for site in [None, Some("same-site"), Some("cross-site")] {
            let answer = post(origin, site).send().await;
            assert_eq!(answer.status, 200, "{origin} {site:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
            may_be_read_by(&answer, Some(origin));
        }
    }
    for origin in [
        EVIL,
        "null",
        "https://shop.example",
        "https://evilshop.example",
    ] {
        for site in [None, Some("same-site"), Some("cross-site")] {
            let answer = post(origin, site).send().await;
            answer.is_refused(403, "csrf");
            may_be_read_by(&answer, None);
        }
    }
    // Two origins are none.
    post(APP, None)
        .header("origin", EVIL)
        .send()
        .await
        .is_refused(403, "csrf");
}

#[tokio::test]
async fn where_they_do_not_count_no_other_page_acts_by_a_cookie() {
    let stage = Stage::with(&[ROUTE]).await;
    let token = stage.log_in(PHONE).await.access;
    let cookie = format!("otp_access={token}");
    for origin in [APP, EVIL] {
        let post = stage
            .post("/")
            .header("cookie", &cookie)
            .header("origin", origin);
        post.send().await.is_refused(403, "csrf");
    }
}

#[tokio::test]
async fn a_page_elsewhere_logs_in_for_tokens_and_never_by_cookies() {
    let stage = Stage::with(&["auth.cors.origins = [\"https://app.example.com\"]"]).await;
    let asked = preflight(&stage, "/api/auth/send-otp", APP, "POST")
        .send()
        .await;
    assert_eq!(asked.status, 204);
    assert_eq!(
        asked.header("access-control-allow-headers"),
        "authorization, content-type, idempotency-key"
    );
    let sent = stage.send_otp(PHONE).header("origin", APP).send().await;
    assert_eq!(sent.status, 200);
    may_be_read_by(&sent, Some(APP));
    let code = stage.inbox.code_for(PHONE).await;
    let answered = stage
        .verify_otp(PHONE, &code)
        .header("origin", APP)
        .send()
        .await;
    assert_eq!(answered.status, 200);
    may_be_read_by(&answered, Some(APP));
    let wrong = stage
        .verify_otp(PHONE, &code)
        .header("origin", APP)
        .send()
        .await;
    wrong.is_refused(400, "invalid_otp");
    may_be_read_by(&wrong, Some(APP));

    let refresh = answered.json()["refresh_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let by_cookie = stage
        .post("/api/auth/refresh")
        .header("origin", APP)
        .header("cookie", &format!("otp_refresh={refresh}"));
    by_cookie.send().await.is_refused(403, "csrf");
    let in_body = stage
        .post("/api/auth/refresh")
        .header("origin", APP)
        .json(&json!({ "refresh_token": refresh }));
    assert_eq!(in_body.send().await.status, 200);
    // The routes are not opened by that.
    let route = preflight(&stage, "/", APP, "GET").send().await;
    route.is_refused(401, "missing_token");
}

#[tokio::test]
async fn the_endpoints_say_nothing_of_other_origins_unless_told_to() {
    let stage = Stage::with(&[ROUTE]).await;
    let sent = stage.send_otp(PHONE).header("origin", APP).send().await;
    assert!(!sent.headers.contains_key("access-control-allow-origin"));
    let asked = preflight(&stage, "/api/auth/send-otp", APP, "POST")
        .send()
        .await;
    asked.is_refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_page_in_a_real_browser_reads_what_it_may_and_nothing_else() {
    let (page, stranger) = (page().await, page().await);
    let here = |page: &Upstream| format!("http://{}", page.address);
    let origins = format!("cors.origins = [\"{}\"]", here(&page));
    let route = format!("[[routes]]\npath = \"/\"\n{origins}");
    let stage = Stage::with(&[&format!("auth.{origins}"), &route]).await;
    let token = stage.log_in(PHONE).await.access;
    let chromium = Chromium::start().await;
    let fetch = |path: &str, options: &str| {
        format!(
            "return fetch('http://{}{path}', {options}).then(a => a.text(), e => 'kept: ' + e.name)",
            stage.address
        )
    };
    let bearer = format!("{{ method: 'PUT', headers: {{ authorization: 'Bearer {token}' }} }}");
    let ask_for_code = "{ method: 'POST', headers: { 'content-type': 'application/json' }, \
                body: '{\"mobile_number\": \"+14155550101\"}' }";
    let other = "{ method: 'PUT', headers: { 'x-other': '1' } }";

    chromium.open(&here(&page)).await;
    let run = async |script: String| chromium.run(&script).await.to_string();
    let seen = run(fetch("/orders", &bearer)).await;
    assert!(seen.contains("x-auth-subject"), "{seen}");
    // Why a request was refused can be read.
    let refused = run(fetch("/orders", "{}")).await;
    assert!(refused.contains("missing_token"), "{refused}");
    let sent = run(fetch("/api/auth/send-otp", ask_for_code)).await;
    assert!(sent.contains("challenge_id"), "{sent}");
    assert_eq!(run(fetch("/orders", other)).await, "\"kept: TypeError\"");

    chromium.open(&here(&stranger)).await;
    let before = stage.upstream.seen().len();
    for script in [
        fetch("/orders", &bearer),
        fetch("/orders", "{}"),
        fetch("/api/auth/send-otp", ask_for_code),
    ] {
        assert_eq!(run(script).await, "\"kept: TypeError\"");
    }
    assert_eq!(stage.upstream.seen().len(), before);
}

/// A site of its own, with an empty page.
async fn page() -> Upstream {
    Upstream::doing(|_| {
        Box::pin(async {
            let page = Full::from("<!DOCTYPE html><title>elsewhere</title>");
            let mut reply = http::Response::new(page.boxed());
            let html = http::HeaderValue::from_static("text/html");
            reply.headers_mut().insert("content-type", html);
            reply
        })
    })
    .await
}

fn preflight(stage: &Stage, path: &str, origin: &str, method: &str) -> Call {
    stage
        .call("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization")
}

/// Asserts whose pages a browser would let read the answer, and that no cache mixes them up.
#[track_caller]
fn may_be_read_by(answer: &Answer, origin: Option<&str>) {
    let allowed = answer.headers.get("access-control-allow-origin");
    assert_eq!(
        allowed.map(|value| value.to_str().expect("text")),
        origin,
        "{answer:?}"
    );
    let mut varies = answer.headers.get_all("vary").iter();
    assert!(varies.any(|name| name == "origin"), "{answer:?}");
    if origin.is_none() {
        let mut names = answer.headers.keys();
        assert!(!names.any(|name| name.as_str().starts_with("access-control-")));
    }
}
