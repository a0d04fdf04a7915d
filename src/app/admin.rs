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

use crate::{
    net::listen::accept,
    observe::metrics::Metrics,
    store::{
        Store,
        revocations::{Freshness, OnOutage},
    },
};

/// What operators may ask about.
#[derive(Debug, Clone)]
pub struct Admin {
    /// All counters.
    pub metrics: Metrics,
    /// Its state is part of being ready.
    pub store: Store,
    /// Whether being cut off from other gateways' news is, too.
    pub on_outage: OnOutage,
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
    /// wants to keep them can look at the details instead of the status; unless they refuse every
    /// token while revocations may be missing, which is no time to be sent any.
    async fn ready(&self) -> Response<Full<Bytes>> {
        let stopping = self.stop.is_cancelled();
        let store = self.store.ready().await;
        let revocations = self.store.revocations().freshness();
        let refuses_tokens = revocations == Freshness::Stale && self.on_outage == OnOutage::Refuse;
        let status = if stopping || store.is_err() || refuses_tokens {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        let details = json!({
            "ready": status == StatusCode::OK,
            "stopping": stopping,
            "store": if store.is_ok() { "ok" } else { "unavailable" },
            "revocations": match revocations {
                Freshness::Fresh => "fresh",
                Freshness::Stale => "stale",
            },
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::{
        clock::Clock,
        store::{Backend, Spec},
    };

    async fn admin(on_outage: OnOutage) -> Admin {
        let memory = Spec {
            backend: Backend::Memory,
            max_size: 1 << 20,
            deadline: PATIENCE,
        };
        Admin {
            metrics: Metrics::new(),
            store: Store::open(&memory, crate::secret::SecretId::new([1; 4]), Clock::System)
                .await
                .expect("a store"),
            on_outage,
            stop: CancellationToken::new(),
        }
    }

    async fn ready(admin: &Admin) -> (u16, Value) {
        let (head, body) = admin.ready().await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let details: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(details["ready"], head.status == StatusCode::OK);
        (head.status.as_u16(), details["revocations"].clone())
    }

    #[tokio::test]
    async fn a_gateway_that_misses_news_is_ready_unless_it_refuses_tokens_for_it() {
        for (on_outage, stale_status) in [(OnOutage::Serve, 200), (OnOutage::Refuse, 503)] {
            let admin = admin(on_outage).await;
            assert_eq!(ready(&admin).await, (200, "fresh".into()));
            admin.store.revocations().set(Freshness::Stale);
            assert_eq!(ready(&admin).await, (stale_status, "stale".into()));
        }
    }
}
