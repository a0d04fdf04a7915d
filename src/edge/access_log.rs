//! Measures every request to the end of its answer: counts it, and writes the access log.

use std::{
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    edge::{destination::Destination, request_id::X_REQUEST_ID},
    net::{peer::Client, progress::Allotted, tunnel::Duplex},
    observe::{
        access::{Line, Lines},
        http::Shard,
    },
    reject::{Broken, Code},
};

/// The places of [`Shard`] that are no route's; routes come behind them.
pub const PLACES_BEFORE_ROUTES: [&str; 2] = ["auth", "none"];

/// The place of what leads nowhere.
const NOWHERE: usize = 1;

/// Must stand inside of what finds the destination and outside of everything that refuses.
#[derive(Debug, Clone)]
pub struct AccessLogLayer {
    shard: Arc<Shard>,
    /// `None` when no log is wanted; requests are counted all the same.
    lines: Option<Rc<Lines>>,
}

/// See [`AccessLogLayer`].
#[derive(Debug, Clone)]
pub struct LogAccess<S> {
    inner: S,
    layer: AccessLogLayer,
}

pin_project! {
    /// Waits for the answer's head.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        record: Option<Record>,
    }
}

pin_project! {
    /// An answer's body, counted as it goes by.
    #[derive(Debug)]
    pub struct LoggedBody<B> {
        #[pin]
        body: B,
        record: Record,
    }
}

/// One request, written down when it is dropped: at the end of its answer, or where it broke off.
#[derive(Debug)]
struct Record {
    layer: AccessLogLayer,
    began: Instant,
    place: usize,
    status: StatusCode,
    bytes: u64,
    /// How long it may take, until it has come to its end.
    allotted: Option<Allotted>,
    /// Kept only when a line will be written.
    said: Option<Box<Said>>,
}

#[derive(Debug)]
struct Said {
    method: Method,
    target: Uri,
    route: Arc<str>,
    client: Option<Client>,
    request_id: Option<HeaderValue>,
    code: Option<Code>,
}

/// The status nginx made customary for a client that went away before its answer.
const CLIENT_GONE: u16 = 499;

impl AccessLogLayer {
    /// Counts into `shard` and writes to `lines`.
    pub const fn new(shard: Arc<Shard>, lines: Option<Rc<Lines>>) -> Self {
        Self { shard, lines }
    }

    /// Writes down the answer to something that never became a request.
    pub fn unread(&self, client: IpAddr, id: &HeaderValue, response: &Response<Bytes>) {
        let took = Duration::ZERO;
        self.shard.begin();
        self.shard.end(NOWHERE, response.status(), took);
        let Some(lines) = &self.lines else {
            return;
        };
        lines.push(&Line {
            time: SystemTime::now(),
            method: "-",
            path: "-",
            status: response.status().as_u16(),
            code: response.extensions().get().copied().map(Code::as_str),
            bytes: response.body().len() as u64,
            took,
            route: PLACES_BEFORE_ROUTES
                .get(NOWHERE)
                .copied()
                .unwrap_or_default(),
            client: Some(client),
            request_id: id.to_str().unwrap_or_default(),
        });
    }

    fn begin<B>(&self, request: &Request<B>) -> Record {
        self.shard.begin();
        let extensions = request.extensions();
        let (place, route) = match extensions.get::<Destination>() {
            Some(Destination::Auth) => (0, None),
            Some(Destination::Route(route)) => {
                (PLACES_BEFORE_ROUTES.len() + route.index, Some(&route.name))
            }
            Some(Destination::Gateway | Destination::Refused(_)) | None => (NOWHERE, None),
        };
        let said = self.lines.as_ref().map(|_| {
            let own = || PLACES_BEFORE_ROUTES.get(place).copied().unwrap_or_default();
            Box::new(Said {
                method: request.method().clone(),
                target: request.uri().clone(),
                route: route.map_or_else(|| Arc::from(own()), Arc::clone),
                client: extensions.get::<Client>().copied(),
                request_id: request.headers().get(X_REQUEST_ID).cloned(),
                code: None,
            })
        });
        Record {
            layer: self.clone(),
            began: Instant::now(),
            place,
            status: StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST),
            bytes: 0,
            allotted: None,
            said,
        }
    }
}

impl Record {
    fn answered<B>(&mut self, response: &Response<B>) {
        self.status = response.status();
        self.allotted = response.extensions().get().copied();
        if let Some(said) = &mut self.said {
            said.code = response.extensions().get::<Code>().copied();
        }
    }

    /// Why the answer broke off, if nobody said so but it took too long.
    fn overdue(&self, took: Duration) -> Option<Code> {
        let is_over = |Allotted(span): &Allotted| took >= *span;
        self.allotted.filter(is_over).map(|_| Code::RequestTimeout)
    }

    fn broken(&mut self, Broken(code): Broken) {
        if let Some(said) = &mut self.said {
            said.code = Some(code);
        }
    }

    /// Passes on what became of something, and writes down why it broke off if it did.
    fn watch<T>(&mut self, polled: Poll<Result<T, Broken>>) -> Poll<Result<T, Broken>> {
        if let Poll::Ready(Err(broken)) = &polled {
            self.broken(*broken);
        }
        polled
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.layer.shard.end(self.place, self.status, took);
        let (Some(said), Some(lines)) = (&self.said, &self.layer.lines) else {
            return;
        };
        let request_id = said.request_id.as_ref().and_then(|id| id.to_str().ok());
        lines.push(&Line {
            time: SystemTime::now(),
            method: said.method.as_str(),
            path: said.target.path(),
            status: self.status.as_u16(),
            code: said.code.or(self.overdue(took)).map(Code::as_str),
            bytes: self.bytes,
            took,
            route: &said.route,
            client: said.client.map(|client| client.ip),
            request_id: request_id.unwrap_or_default(),
        });
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = LogAccess<S>;

    fn layer(&self, inner: S) -> LogAccess<S> {
        LogAccess {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for LogAccess<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<LoggedBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let record = self.layer.begin(&request);
        ResponseFuture {
            inner: self.inner.call(request),
            record: Some(record),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<LoggedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let Some(mut record) = this.record.take() else {
            return Poll::Pending;
        };
        record.answered(&response);
        Poll::Ready(Ok(response.map(|body| LoggedBody { body, record })))
    }
}

impl<B: Body<Data = Bytes, Error = Broken>> Body for LoggedBody<B> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let data = frame.data_ref();
                this.record.bytes += data.map_or(0, |data| data.len() as u64);
            }
            Some(Err(broken)) => this.record.broken(*broken),
            None => {}
        }
        if this.record.allotted.is_some() && (frame.is_none() || this.body.is_end_stream()) {
            this.record.allotted = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a client says in a tunnel passes by; only what it is told is counted.
impl<B: Duplex<Error = Broken>> Duplex for LoggedBody<B> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Broken>> {
        let this = self.project();
        let written = this.body.poll_write(cx, bytes);
        this.record.watch(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let this = self.project();
        let flushed = this.body.poll_flush(cx);
        this.record.watch(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let this = self.project();
        let shut = this.body.poll_shutdown(cx);
        this.record.watch(shut)
    }
}
