//! The gate as a layer: whose word decides, and how a refusal is answered.

use std::{convert::Infallible, time::Duration};

use http::{Method, StatusCode, header};
use serde_json::Map;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::edge::{
    gate::{Browsers, Principal},
    login_redirect::LoginRedirect,
    tests::{Stage, along, bearer, request, ring},
};
use crate::token::Lookout;

/// What the app behind the layer makes of a request: who it came from.
async fn app(request: Request<()>) -> Result<Response<Bytes>, Infallible> {
    let principal = request.extensions().get::<Principal>();
    let subject = principal.map_or("nobody", Principal::subject);
    Ok(Response::new(Bytes::copy_from_slice(subject.as_bytes())))
}

async fn ask(layer: &AuthenticateLayer, request: Request<()>) -> Response<Bytes> {
    let answer = layer.layer(service_fn(app)).oneshot(request).await;
    answer.expect("infallible")
}

fn get(lines: &[(&'static str, String)]) -> Request<()> {
    request(&Method::GET, lines)
}

fn to(destination: Destination, mut request: Request<()>) -> Request<()> {
    request.extensions_mut().insert(destination);
    request
}

#[tokio::test]
async fn a_good_token_reaches_the_app_with_its_principal() {
    let stage = Stage::new();
    let layer = AuthenticateLayer::required(stage.gate());
    let answer = ask(&layer, get(&[bearer(&stage.token(1))])).await;
    assert_eq!(*answer.body(), "subject-1");
}

#[tokio::test]
async fn a_refusal_is_answered_with_a_challenge_and_the_app_hears_nothing() {
    let stage = Stage::new();
    let layer = AuthenticateLayer::required(stage.gate());
    let missing = ask(&layer, get(&[])).await;
    assert_eq!(missing.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(missing.headers()[header::WWW_AUTHENTICATE], "Bearer");
    stage.revoke(1);
    let revoked = ask(&layer, get(&[bearer(&stage.token(1))])).await;
    assert_eq!(revoked.status(), StatusCode::UNAUTHORIZED);
    let challenge = revoked.headers()[header::WWW_AUTHENTICATE].to_str();
    let challenge = challenge.expect("text");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    for refused in [missing, revoked] {
        assert_eq!(
            refused.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert!(!refused.body().starts_with(b"subject") && *refused.body() != "nobody");
    }
}

#[tokio::test]
async fn the_route_decides_and_without_one_the_layer() {
    let stage = Stage::new();
    let required = AuthenticateLayer::required(stage.gate());
    let optional = AuthenticateLayer::optional(stage.gate());
    let open = || along(Access::None);
    let closed = || along(Access::default());
    let half = || along(Access::Optional(Demands::default()));
    for layer in [&required, &optional] {
        assert_eq!(*ask(layer, to(open(), get(&[]))).await.body(), "nobody");
        assert_eq!(*ask(layer, to(half(), get(&[]))).await.body(), "nobody");
        assert_eq!(ask(layer, to(closed(), get(&[]))).await.status(), 401);
        // On an open route not even a good token makes somebody of the caller.
        let known = || get(&[bearer(&stage.token(1))]);
        assert_eq!(*ask(layer, to(open(), known())).await.body(), "nobody");
        assert_eq!(*ask(layer, to(half(), known())).await.body(), "subject-1");
    }
    assert_eq!(ask(&required, get(&[])).await.status(), 401);
    assert_eq!(*ask(&optional, get(&[])).await.body(), "nobody");
    let nowhere = Destination::Refused(Box::new(Reject::missing_token()));
    for astray in [Destination::Auth, nowhere] {
        assert_eq!(ask(&required, to(astray, get(&[]))).await.status(), 401);
    }
}

#[tokio::test]
async fn somebody_looking_at_a_page_is_sent_to_the_login_and_a_program_is_not() {
    let stage = Stage::new();
    let layer = AuthenticateLayer::required(stage.gate_for(Browsers {
        login: Some(LoginRedirect {
            path: "/api/auth/login".to_owned(),
        }),
        ..Browsers::default()
    }));
    let page = ("accept", "text/html".to_owned());
    let answer = ask(&layer, get(std::slice::from_ref(&page))).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let location = &answer.headers()[header::LOCATION];
    assert_eq!(location, "/api/auth/login?return_to=%2F");
    // A browser whose session has ended is a person at a page, too.
    stage.revoke(1);
    let cookie = ("cookie", format!("otp_access={}", stage.token(1)));
    let answer = ask(&layer, get(&[page, cookie])).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let program = ("accept", "application/json".to_owned());
    assert_eq!(ask(&layer, get(&[program])).await.status(), 401);
}

/// What comes of it without waiting.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::ZERO, future).await.ok()
}

/// A layer with the keys of `stage`, and the lookout of whoever keeps them.
fn watched(stage: &Stage) -> (AuthenticateLayer, Lookout) {
    let lookout = Lookout::default();
    let tokens = stage.tokens(Map::new()).watched_by(lookout.clone());
    let browsers = Browsers::default();
    let gate = Gate::new(tokens, &stage.revocations, browsers, stage.clock.clone());
    (AuthenticateLayer::required(gate), lookout)
}

#[tokio::test]
async fn a_token_whose_key_came_a_moment_ago_passes_when_the_key_is_found() {
    let stage = Stage::new();
    let (layer, lookout) = watched(&stage);
    let token = stage.token(1);
    let newer = stage.keys.swap(Arc::new(ring()));
    let keeper = async {
        lookout.wanted().await;
        let look = lookout.begin();
        stage.keys.store(newer);
        drop(look);
    };
    let (answer, ()) = tokio::join!(ask(&layer, get(&[bearer(&token)])), keeper);
    assert_eq!(*answer.body(), "subject-1");
    let known = at_once(ask(&layer, get(&[bearer(&token)]))).await;
    assert_eq!(*known.expect("at once").body(), "subject-1");
}

#[tokio::test]
async fn a_token_whose_key_is_nowhere_is_refused_after_one_look() {
    let stage = Stage::new();
    let (layer, lookout) = watched(&stage);
    let token = stage.token(1);
    stage.keys.store(Arc::new(ring()));
    let keeper = async {
        lookout.wanted().await;
        drop(lookout.begin());
        at_once(lookout.wanted()).await
    };
    let page = ("accept", "text/html".to_owned());
    let asking = ask(&layer, get(&[bearer(&token), page]));
    let (answer, again) = tokio::join!(asking, keeper);
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let told = std::str::from_utf8(answer.body()).expect("text");
    assert!(told.contains("not known here"), "{told}");
    assert_eq!(again, None, "one look is enough");
}

#[tokio::test]
async fn nobody_looks_for_keys_because_of_a_token_that_is_bad_in_another_way() {
    let stage = Stage::new();
    let (layer, lookout) = watched(&stage);
    let token = stage.token(1);
    for bad in ["nonsense".to_owned(), format!("{token}x")] {
        let answer = at_once(ask(&layer, get(&[bearer(&bad)]))).await;
        assert_eq!(answer.expect("at once").status(), 401);
    }
    assert_eq!(ask(&layer, get(&[])).await.status(), 401);
    assert_eq!(at_once(lookout.wanted()).await, None);
}
