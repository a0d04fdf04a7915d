//! Endpoints that are shown a token whose key came a moment ago.

use std::sync::Arc;

use serde_json::Value;

use super::stage::{Ask, NUMBER, Stage};
use crate::{
    auth::AuthService,
    token::{Algorithm, Keyring, Lookout},
};

/// All requests that an access token belongs to.
fn asks(login: &Value) -> Vec<Ask> {
    let session = format!("/sessions/{}", login["session_id"].as_str().unwrap());
    let asks = ["/me", "/check", "/sessions"].map(Ask::get);
    let ends = [Ask::new("DELETE", &session), Ask::new("POST", "/logout")];
    let asks = asks.into_iter().chain(ends);
    asks.map(|ask| ask.bearer(&login["access_token"])).collect()
}

#[tokio::test]
async fn every_endpoint_looks_for_a_key_before_it_refuses_it() {
    let mut stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let lookout = Lookout::default();
    stage.parts.tokens = stage.parts.tokens.clone().watched_by(lookout.clone());
    stage.service = AuthService::new(stage.parts.clone());
    let keys = Arc::clone(stage.parts.tokens.keys());
    let newer = keys.load_full();
    for ask in asks(&login) {
        // This gateway has not heard yet of the key that another one signed with.
        let older = Keyring::ephemeral(Algorithm::Es256).unwrap();
        keys.store(Arc::new(older));
        let keeper = async {
            lookout.wanted().await;
            let look = lookout.begin();
            keys.store(Arc::clone(&newer));
            drop(look);
        };
        let (answer, ()) = tokio::join!(stage.ask(ask), keeper);
        assert!(answer.status == 200 || answer.status == 204, "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_nowhere_is_refused_after_one_look() {
    let mut stage = Stage::new().await;
    let login = stage.login(NUMBER).await;
    let lookout = Lookout::default();
    stage.parts.tokens = stage.parts.tokens.clone().watched_by(lookout.clone());
    stage.service = AuthService::new(stage.parts.clone());
    let older = Keyring::ephemeral(Algorithm::Es256).unwrap();
    stage.parts.tokens.keys().store(Arc::new(older));
    for ask in asks(&login) {
        let keeper = async {
            lookout.wanted().await;
            drop(lookout.begin());
        };
        let (answer, ()) = tokio::join!(stage.ask(ask), keeper);
        assert_eq!(answer.refusal(), (401, "invalid_token".to_owned()));
    }
}
