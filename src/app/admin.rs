//! The operators' door, on a listener of its own: health, readiness, metrics. Clients never reach it.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{net::listen::accept, observe::metrics::Metrics, store::Store};

/// What operators may ask about.
#[derive(Debug, Clone)]
pub struct Admin {
    /// All counters.
    pub metrics: Metrics,
    /// Its state is part of being ready.
    pub store: Store,
    /// Fired when the gateway is to stop: from then on it is not ready.
    pub stop: CancellationToken,
}

/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that may be open at once; there are few operators.
const MAX_CONNECTIONS: usize = 64;

impl Admin {
    /// Answers on `listener` for ever.
    pub async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                (stream, _) = accept(&listener),
                    if connections.len() < MAX_CONNECTIONS =>
                {
                    let admin = self.clone();
                    let service = service_fn(move |request| {
                        let admin = admin.clone();
                        async move { Ok::<_, Infallible>(admin.answer(&request).await) }
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(PATIENCE)
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), service);
                    connections.spawn(timeout(2 * PATIENCE, connection));
                }
                Some(_ended) = connections.join_next() => {}
            }
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            refused
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/health" => text(StatusCode::OK, "ok\n"),
            "/ready" => self.ready().await,
            "/metrics" => self.show_metrics(),
            _ => text(StatusCode::NOT_FOUND, "/health, /ready or /metrics\n"),
        }
    }

    /// Ready means: send me requests. Protected routes work without the store, so a balancer that
    /// wants to keep them can look at the details instead of the status.
    async fn ready(&self) -> Response<Full<Bytes>> {
        let stopping = self.stop.is_cancelled();
        let store = self.store.ready().await;
        let status = if stopping || store.is_err() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        let details = json!({
            "ready": status == StatusCode::OK,
            "stopping": stopping,
            "store": if store.is_ok() { "ok" } else { "unavailable" },
        });
        typed(status, "application/json", format!("{details}\n"))
    }

    fn show_metrics(&self) -> Response<Full<Bytes>> {
        let mut shown = String::new();
        match self.metrics.encode(&mut shown) {
            Ok(()) => typed(
                StatusCode::OK,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                shown,
            ),
            Err(_) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "metrics cannot be shown\n",
            ),
        }
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
