//! What a real browser makes of it all: its cookies, its rules about origins, and its scripts.

use http::header;
use http_body_util::{BodyExt, Full};

use crate::stage::{
    PHONE, Stage,
    chromium::Chromium,
    upstream::{Reply, Upstream, told},
};

use std::time::Duration;

#[tokio::test]
async fn a_person_logs_in_with_a_real_browser_and_no_other_site_can_act_for_them() {
    let stage = Stage::new().await;
    let chromium = Chromium::start().await;
    let here = |path: &str| format!("http://{}{path}", stage.address);

    chromium.open(&here("/orders?id=7")).await;
    let login = here("/api/auth/login?return_to=%2Forders%3Fid%3D7");
    assert_eq!(chromium.address().await, login);
    // The page's own style passes the page's own policy.
    let width = "return getComputedStyle(document.querySelector('main')).maxWidth";
    assert_ne!(chromium.run(width).await, "none");

    chromium.write("#number", "(415) 555-0100").await;
    chromium.press("button[value=send]").await;
    let words = chromium.words().await;
    assert!(
        words.contains("We sent 6 digits to +1********00."),
        "{words}"
    );
    let code = stage.inbox.code_for(PHONE).await;
    chromium.write("#code", &code).await;
    chromium.press("button[value=verify]").await;
    assert_eq!(chromium.address().await, here("/orders?id=7"));
    let seen = serde_json::from_str(&chromium.words().await).expect("the app's answer");
    assert_eq!(told(&seen, "x-auth-phone"), [PHONE]);
    assert_eq!(told(&seen, "cookie"), [] as [String; 0]);

    no_script_sees_the_cookies(&chromium).await;
    own_pages_may_act(&chromium).await;
    other_pages_may_not(&stage, &chromium).await;

    // The access cookie is refused from now on; the way over the login shows no page.
    stage.pass(Duration::from_mins(16));
    chromium.open(&here("/orders?id=8")).await;
    assert_eq!(chromium.address().await, here("/orders?id=8"));
}

async fn no_script_sees_the_cookies(chromium: &Chromium) {
    assert_eq!(chromium.run("return document.cookie").await, "");
    let cookies = chromium.cookies().await;
    // The refresh cookie is not there at all: it is for the auth endpoints alone.
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert_eq!(cookies[0]["name"], "otp_access");
    assert_eq!(cookies[0]["httpOnly"], true);
    assert_eq!(cookies[0]["sameSite"], "Lax");
}

async fn own_pages_may_act(chromium: &Chromium) {
    let post = "return fetch('/orders', { method: 'POST' }).then(answer => answer.status)";
    assert_eq!(chromium.run(post).await, 200);
    let refresh =
        "return fetch('/api/auth/refresh', { method: 'POST' }).then(answer => answer.text())";
    let refreshed = chromium.run(refresh).await.to_string();
    assert!(refreshed.contains("expires_in"), "{refreshed}");
    assert!(!refreshed.contains("token"), "{refreshed}");
}

/// Another port of the same machine is another origin but the same *site*: the browser sends our
/// cookies along, `SameSite` or not.
async fn other_pages_may_not(stage: &Stage, chromium: &Chromium) {
    let posts = || {
        let seen = stage.upstream.seen();
        seen.iter().filter(|head| head["method"] == "POST").count()
    };
    let before = posts();
    for target in ["/orders", "/api/auth/logout"] {
        let evil = other_site(format!("http://{}{target}", stage.address)).await;
        chromium.open(&format!("http://{}/", evil.address)).await;
        chromium.press("button").await;
        let words = chromium.words().await;
        assert!(words.contains("csrf"), "{target}: {words}");
    }
    assert_eq!(posts(), before);
}

/// A site whose button posts to ours.
async fn other_site(target: String) -> Upstream {
    Upstream::doing(move |_| {
        let page = format!(
            "<!DOCTYPE html><form method=post action=\"{target}\"><button>Win a prize</button></form>"
        );
        Box::pin(async move {
            let mut reply = Reply::new(Full::from(page).boxed());
            let html = header::HeaderValue::from_static("text/html");
            reply.headers_mut().insert(header::CONTENT_TYPE, html);
            reply
        })
    })
    .await
}
