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
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// What an app may do with a request.
pub type Handler =
    dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync;
/// Its answer.
pub type Reply = Response<BoxBody<Bytes, Infallible>>;

/// What an app speaks.
#[derive(Clone, Copy, Debug)]
pub enum Speaks {
    Http1,
    /// With so many streams at once on a connection.
    Http2(u32),
}

/// How an app is reached.
#[derive(Clone)]
enum Reached {
    Plainly(Speaks),
    /// What is spoken then is agreed on.
    ByTls(TlsAcceptor),
}

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
        Self::speaking(Speaks::Http1).await
    }

    /// The same, in the words it is asked in.
    pub async fn speaking(speaks: Speaks) -> Self {
        Self::reached(Reached::Plainly(speaks), Arc::new(telling)).await
    }

    /// The same, by TLS.
    pub async fn secured(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::reached(Reached::ByTls(acceptor), Arc::new(telling)).await
    }

    /// An app that does as told.
    pub async fn doing<H>(handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>>
            + Send
            + Sync
            + 'static,
    {
        Self::speaking_and_doing(Speaks::Http1, handler).await
    }

    /// An app that does as told, in the words it is asked in.
    pub async fn speaking_and_doing<H>(speaks: Speaks, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>>
            + Send
            + Sync
            + 'static,
    {
        Self::reached(Reached::Plainly(speaks), Arc::new(handler)).await
    }

    async fn reached(reached: Reached, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let upstream = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        tokio::spawn(upstream.clone().accept(listener, reached, handler));
        upstream
    }

    async fn accept(self, listener: TcpListener, reached: Reached, handler: Arc<Handler>) {
        while let Ok((stream, _)) = listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (upstream, handler) = (self.clone(), Arc::clone(&handler));
            match reached.clone() {
                Reached::Plainly(speaks) => {
                    tokio::spawn(upstream.serve(stream, speaks, handler));
                }
                Reached::ByTls(acceptor) => {
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else {
                            return;
                        };
                        let speaks = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Speaks::Http2(100),
                            Some(_) | None => Speaks::Http1,
                        };
                        upstream.serve(stream, speaks, handler).await;
                    });
                }
            }
        }
    }

    async fn serve<S>(self, stream: S, speaks: Speaks, handler: Arc<Handler>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let seen = self.seen;
        let service = service_fn(move |request: Request<Incoming>| {
            seen.lock().unwrap().push(head(&request));
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let io = TokioIo::new(stream);
        // However it ends: the tests see what came of it at the other side.
        match speaks {
            Speaks::Http1 => drop(http1::Builder::new().serve_connection(io, service).await),
            Speaks::Http2(streams) => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams);
                drop(builder.serve_connection(io, service).await);
            }
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
        "version": format!("{:?}", request.version()),
        "headers": headers,
    })
}

/// What an app does that has not been told anything.
fn telling(request: Request<Incoming>) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
    Box::pin(async move { reply(tell(request).await.to_string()) })
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
