//! Phone login inside an axum app: the auth service under `/api/auth`, the token check and the
//! identity headers as layers around the app's own routes.
//!
//! ```text
//! cargo run --example axum
//! curl -d '{"mobile_number":"+14155550100"}' -H content-type:application/json localhost:3000/api/auth/send-otp
//! ```
//!
//! The code appears on this console.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request},
    http::HeaderMap,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use otp_gateway::{
    AuthService, AuthSpec, AuthenticateLayer, Browsers, Client, Clock, Console, Gate,
    IdentityLayer, IdentityNames, Keyring, Masters, Metrics, Outbox, Parts, Principal, Scheme, Sms,
    Store, StoreSpec, TokenSpec, Tokens,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let app = app(Sms::Console(Console::new(Box::new(io::stdout())))).await?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
