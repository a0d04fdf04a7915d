//! Gives every request an id that goes to the app, to the logs and back to the client.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::net::peer::Peer;

/// The header that carries it.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Ids of one worker: a random half that no other worker has, and a counter.
#[derive(Debug)]
pub struct Ids {
    worker: u64,
    next: Cell<u64>,
    /// Ids that were written and not given yet.
    unused: RefCell<Bytes>,
}

/// Sets `X-Request-Id` on request and response. The client's own is believed only from a trusted
/// proxy: anybody else could put words into our logs.
#[derive(Debug, Clone)]
pub struct RequestIdLayer {
    ids: Rc<Ids>,
    peer: Rc<Peer>,
}

/// See [`RequestIdLayer`].
#[derive(Debug, Clone)]
pub struct RequestId<S> {
    inner: S,
    layer: RequestIdLayer,
}

pin_project! {
    /// Adds the id to the answer.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        id: Option<HeaderValue>,
    }
}

impl Ids {
    /// Ids that begin with `worker`, which must be random.
    pub fn new(worker: u64) -> Self {
        Self {
            worker,
            next: Cell::new(0),
            unused: RefCell::new(Bytes::new()),
        }
    }

    /// An id that no other request has.
    pub fn next(&self) -> HeaderValue {
        let mut unused = self.unused.borrow_mut();
        if unused.is_empty() {
            *unused = self.write_block();
        }
        // A block holds whole ids and is not empty now.
        let id = unused.split_to(LENGTH);
        HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static("none"))
    }

    /// Many ids in one piece of memory: an id alone would be two allocations, since it is kept
    /// by the request and by its answer.
    fn write_block(&self) -> Bytes {
        let first = self.next.get();
        self.next.set(first.wrapping_add(IN_BLOCK));
        let mut block = String::with_capacity(4096);
        let worker = format!("{:016x}", self.worker);
        for count in (0..IN_BLOCK).map(|n| first.wrapping_add(n)) {
            block.push_str(&worker);
            // Writing to a string cannot fail.
            let _: fmt::Result = write!(block, "{count:016x}");
        }
        Bytes::from_owner(block)
    }
}

/// Characters of an id.
const LENGTH: usize = 32;

/// Ids that are written at a time: together 4096 bytes.
const IN_BLOCK: u64 = 128;

impl RequestIdLayer {
    /// For the requests of one connection.
    pub const fn new(ids: Rc<Ids>, peer: Rc<Peer>) -> Self {
        Self { ids, peer }
    }

    fn id_of<B>(&self, request: &Request<B>) -> HeaderValue {
        self.peer
            .is_trusted
            .then(|| request.headers().get(X_REQUEST_ID))
            .flatten()
            .filter(|id| is_plain(id.as_bytes()))
            .map_or_else(|| self.ids.next(), HeaderValue::clone)
    }
}

/// Short, and nothing in it that a log viewer could take for something else.
fn is_plain(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:=/+".contains(b))
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestId<S>;

    fn layer(&self, inner: S) -> RequestId<S> {
        RequestId {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for RequestId<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let id = self.layer.id_of(&request);
        request.headers_mut().insert(X_REQUEST_ID, id.clone());
        ResponseFuture {
            inner: self.inner.call(request),
            id: Some(id),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(id) = this.id.take() {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::peer::{Scheme, TrustedProxies};

    fn layer(trusted: &TrustedProxies) -> RequestIdLayer {
        let peer = Peer::new(
            "10.0.0.1:9".parse().expect("an address"),
            Scheme::Http,
            trusted,
        );
        RequestIdLayer::new(Rc::new(Ids::new(0xabc)), Rc::new(peer))
    }

    fn request(id: &str) -> Request<()> {
        Request::builder()
            .header(X_REQUEST_ID, id)
            .body(())
            .expect("a request")
    }

    #[test]
    fn ids_are_distinct_and_of_one_form() {
        let ids = Ids::new(0xabc);
        assert_eq!(ids.next(), "0000000000000abc0000000000000000");
        assert_eq!(ids.next(), "0000000000000abc0000000000000001");
    }

    #[test]
    fn only_a_trusted_proxy_may_name_a_request() {
        let stranger = layer(&TrustedProxies::default());
        assert_ne!(stranger.id_of(&request("abc-1")), "abc-1");
        let net = "10.0.0.0/8".parse().expect("a network");
        let proxy = layer(&TrustedProxies::new(vec![net]));
        assert_eq!(proxy.id_of(&request("abc-1")), "abc-1");
        assert_ne!(proxy.id_of(&request("a b\"")), "a b\"");
        let long = "a".repeat(129);
        assert_ne!(proxy.id_of(&request(&long)), long.as_str());
    }
}
