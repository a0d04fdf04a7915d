//! The endpoints that need an access token, while revocations may be missing.

use super::stage::{Ask, NUMBER, Stage, spec};
use crate::{
    auth::Spec,
    store::revocations::{Freshness, OnOutage},
};

async fn refusing() -> Stage {
    let rules = Spec {
        on_outage: OnOutage::Refuse,
        ..spec()
    };
    Stage::with(rules, 64).await
}

fn unsure() -> (u16, String) {
    (503, "store_unavailable".to_owned())
}

#[tokio::test]
async fn a_refusing_service_judges_no_token_until_it_knows_again() {
    let stage = refusing().await;
    let login = stage.login(NUMBER).await;
    let session = login["session_id"].as_str().unwrap();
    let end = format!("/sessions/{session}");
    let asked = [
        Ask::get("/me"),
        Ask::get("/check"),
        Ask::get("/sessions"),
        Ask::new("DELETE", &end),
    ]
    .map(|ask| ask.bearer(&login["access_token"]));

    stage.store.revocations().set(Freshness::Stale);
    for ask in asked.clone() {
        let answer = stage.ask(ask).await;
        assert_eq!(answer.refusal(), unsure());
        assert_eq!(answer.headers["retry-after"], "1");
    }
    stage.store.revocations().set(Freshness::Fresh);
    for (ask, status) in asked.into_iter().zip([200, 200, 200, 204]) {
        assert_eq!(stage.ask(ask).await.status, status);
    }
}

#[tokio::test]
async fn a_page_view_in_an_outage_is_not_sent_to_log_in_again() {
    let stage = refusing().await;
    let login = stage.login(NUMBER).await;
    let page = Ask::get("/check")
        .header("x-forwarded-uri", "/page")
        .header("accept", "text/html");
    assert_eq!(stage.ask(page.clone()).await.status, 303);
    stage.store.revocations().set(Freshness::Stale);
    let page = page.bearer(&login["access_token"]);
    assert_eq!(stage.ask(page).await.refusal(), unsure());
}

#[tokio::test]
async fn a_serving_service_goes_by_what_it_knows() {
    let stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    stage.store.revocations().set(Freshness::Stale);
    let me = Ask::get("/me").bearer(&login["access_token"]);
    assert_eq!(stage.ask(me).await.status, 200);
}
