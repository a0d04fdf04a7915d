//! An app that knows nothing about login: it tells what it was sent, or does what a test tells it to.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What an app may do with a request.
pub type Handler =
    dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync;
/// Its answer.
pub type Reply = Response<BoxBody<Bytes, Infallible>>;

/// A running app. Clones are the same one; it ends with the test's runtime.
#[derive(Clone)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// An app that answers with what it was sent, as JSON.
    pub async fn start() -> Self {
        Self::doing(|request| {
            Box::pin(async move {
                let told = tell(request).await;
                Response::new(Full::from(told.to_string()).boxed())
            })
        })
        .await
    }

    /// An app that does as told.
    pub async fn doing<H>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>>
            + Send
            + Sync
            + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let upstream = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let handler: Arc<Handler> = Arc::new(handler);
        tokio::spawn(upstream.clone().serve(listener, handler));
        upstream
    }

    async fn serve(self, listener: TcpListener, handler: Arc<Handler>) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (seen, handler) = (Arc::clone(&self.seen), Arc::clone(&handler));
            let service = service_fn(move |request: Request<Incoming>| {
                seen.lock().unwrap().push(head(&request));
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    /// The heads of all requests so far.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections were opened to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A whole answer with `body`.
pub fn reply(body: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(body.into()).boxed())
}

fn head(request: &Request<Incoming>) -> Value {
    let headers: Vec<Value> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "headers": headers,
    })
}

async fn tell(request: Request<Incoming>) -> Value {
    let mut told = head(&request);
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return json!({ "error": error.to_string() }),
    };
    told["body"] = json!(String::from_utf8_lossy(&body));
    told
}

/// The values of one header in what an app told.
pub fn told(answer: &Value, name: &str) -> Vec<String> {
    let headers = answer["headers"].as_array().expect("headers");
    headers
        .iter()
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].as_str().expect("text").to_owned())
        .collect()
}
