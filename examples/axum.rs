//! Phone login inside an axum app: the auth service under `/api/auth`, the token check and the
//! identity headers as layers around the app's own routes.
//!
//! ```text
//! cargo run --example axum
//! curl -d '{"mobile_number":"+14155550100"}' -H content-type:application/json \
//!     http://127.0.0.1:3000/api/auth/send-otp
//! ```
//!
//! The code appears on this console.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request},
    http::HeaderMap,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use otp_gateway::{
    AuthService, AuthenticateLayer, Backend, Browsers, Client, Clock, Console, Courier,
    CourierParts, Gate, IdentityLayer, IdentityNames, Keyring, Masters, Metrics, Parts, Principal,
    Scheme, Secret, Sms, Store, StoreSpec, Tokens, config::Loaded,
};
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let console = Sms::console(Console::new(Box::new(io::stdout())));
    // In earnest: 32 random bytes that stay the same over restarts and instances.
    let app = app(console, &Secret::new([7; 32])).await?;
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

/// The whole app: its own routes, and login in front of some of them.
pub async fn app(sms: Sms, secret: &Secret) -> Result<Router, Box<dyn Error>> {
    // The settings are those of gateway.toml, and so are the defaults of all that is not said.
    let settings: Loaded = "otp.countries = [\"+1\", \"+44\"]".parse()?;
    let live = settings.config.live;
    let clock = Clock::System;
    let metrics = Metrics::new();
    let masters = Arc::new(Masters::of(secret)?);
    let keys = Keyring::ephemeral(live.keys.algorithm)?;
    let tokens = Tokens::new(live.tokens, &masters, Arc::new(ArcSwap::from_pointee(keys)));
    let store = StoreSpec {
        backend: Backend::Memory,
        ..settings.config.fixed.store
    };
    let store = Store::open(&store, masters.pseudonyms().id(), clock.clone()).await?;
    let gate = Gate::new(
        tokens.clone(),
        &store.revocations(),
        Browsers::default(),
        clock.clone(),
    );
    let parts = CourierParts {
        sms,
        store: store.clone(),
        masters: Arc::clone(&masters),
        wording: live.auth.wording.clone(),
        length: live.auth.otp.length,
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    let (courier, rounds) = Courier::new(parts, 100);
    tokio::spawn(rounds.run(std::future::pending()));

    let auth = ServiceExt::<Request>::map_response(
        AuthService::new(Parts {
            spec: live.auth,
            store,
            tokens,
            courier,
            masters,
            captcha: None,
            metrics,
            clock,
        }),
        |reply| reply.map(axum::body::Body::new),
    );
    let members_only = ServiceBuilder::new()
        .layer(AuthenticateLayer::required(gate))
        .layer(IdentityLayer::new(IdentityNames::default()));
    Ok(Router::new()
        .route("/me", get(who_am_i))
        .route("/headers", get(what_an_old_handler_sees))
        .layer(members_only)
        .route("/", get(|| async { "Anybody may read this.\n" }))
        .fallback_service(auth)
        .layer(from_fn(tell_who_is_connected)))
}

/// New code asks for the principal.
async fn who_am_i(Extension(principal): Extension<Principal>) -> String {
    format!("You are {}.\n", principal.subject())
}

/// Old code goes on reading headers, which no client can forge.
async fn what_an_old_handler_sees(headers: HeaderMap) -> String {
    let phone = headers.get("x-auth-phone").and_then(|v| v.to_str().ok());
    format!("Your number is {}.\n", phone.unwrap_or("unknown"))
}

/// The auth service counts requests by client, so it must be told who that is. Behind a proxy,
/// this is the place to read what the proxy says.
async fn tell_who_is_connected(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = Client::new(peer.ip(), Scheme::Http);
    request.extensions_mut().insert(client);
    next.run(request).await
}
