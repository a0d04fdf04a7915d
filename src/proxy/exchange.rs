//! One request on its way to an app, and the way back of its answer; knows nothing of how connections are kept.

use std::{mem, rc::Rc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, uri::PathAndQuery,
};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::{
    body::Body,
    net::{fields::Reserved, grpc, hop_by_hop, patience::Pace, progress::Allotted, timer::Moment},
    proxy::{
        Terms,
        content::Content,
        download::Download,
        error::Error,
        lease::{Lease, Sent},
        personal,
        tether::Tether,
        upload::{Upload, UploadEnd, Watch},
        upstream::Upstream,
    },
    reject::Reject,
};

/// One request on its way to an app, and its answer.
#[derive(Debug)]
pub struct Exchange {
    upstream: Rc<Upstream>,
    /// Taken while it is being sent.
    request: Option<Request<Upload>>,
    terms: Terms,
    /// When the answer must have begun.
    latest: Moment,
    /// For how long the client waits, if it said so.
    patience: Option<Duration>,
    /// How often it may be sent again that the app refused to begin with.
    tries_left: u8,
    tether: Tether,
}

impl Exchange {
    /// Prepares `request` for `upstream`; refuses one that cannot be sent, before anything is.
    pub fn new(
        upstream: Rc<Upstream>,
        request: Request<Incoming>,
        mut terms: Terms,
        reserved: &Reserved,
        tether: Tether,
    ) -> Result<Self, Reject> {
        let (mut parts, incoming) = request.into_parts();
        let mut patience = None;
        if grpc::is_grpc(&parts.headers) {
            // Messages come when there is something to say, however little.
            terms.pace = Pace {
                pause: upstream.stream_idle(),
                rate: 0,
            };
            patience = grpc::timeout(&parts.headers);
        }
        let upload = Upload::new(incoming, terms, reserved).map_err(Error::Upload)?;
        to_origin_form(&mut parts)?;
        Ok(Self {
            latest: upstream.latest(&terms),
            upstream,
            request: Some(Request::from_parts(parts, upload)),
            terms,
            patience,
            tries_left: TRIES,
            tether,
        })
    }

    /// Sends the request and gives back the app's answer, or a refusal that says what failed.
    ///
    /// A request that finds its pooled connection closed is sent again on another one, but only
    /// when none of it had been sent: nothing is ever done twice.
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an async fn would have room for the exchange twice"
    )]
    pub fn run(mut self) -> impl Future<Output = Response<Body<Content>>> {
        async move {
            let answer = match self.patience {
                None => self.until_answered().await,
                Some(patience) => {
                    let answered = Box::pin(timeout(patience, self.until_answered()));
                    answered.await.unwrap_or(Err(Error::Timeout))
                }
            };
            answer.unwrap_or_else(|error| {
                let upstream = self.upstream.name();
                tracing::debug!(%upstream, %error, "no answer from the app");
                Reject::from(error).into_response()
            })
        }
    }

    async fn until_answered(&mut self) -> Result<Response<Body<Content>>, Error> {
        loop {
            if let Some(response) = self.attempt().await? {
                return Ok(response);
            }
        }
    }

    /// `None` when the request was not sent and may be tried again.
    async fn attempt(&mut self) -> Result<Option<Response<Body<Content>>>, Error> {
        let mut lease = self.upstream.lease(self.latest).await?;
        self.tether.hold(lease.alarm())?;
        let (sending, upload) = {
            // Only here, so that the future has room for it once: inside of what sends it.
            let Some(request) = self.request.take() else {
                return Err(Error::Target);
            };
            if personal::is_brought(request.headers()) {
                lease.is_for_this_alone();
            }
            let body = request.body();
            body.sent_under(lease.alarm(), self.terms.response_timeout, self.latest);
            let upload = body.watch();
            (lease.send(request), upload)
        };
        let sent = sending.await;
        // Also when there is an answer: nothing of it has gone to the client yet.
        self.tether.check()?;
        match sent {
            // Nobody asked for another protocol, so what follows is no answer.
            Sent::Answered(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Error::Switched)
            }
            Sent::Answered(response) => {
                if personal::is_offered(response.headers()) {
                    lease.is_for_this_alone();
                }
                if is_stream(response.headers()) {
                    lease.answers_in_a_stream();
                }
                upload.answered(lease.body_idle());
                let tether = mem::take(&mut self.tether);
                let body = |incoming| Download::new(incoming, lease, upload, tether);
                Ok(Some(answer(response, &self.terms, body)))
            }
            // The app had closed the connection before the request got on it.
            Sent::Unsent(request, _) if lease.was_used_before() => self.again(request),
            // The app had been asked, and had said that it would do nothing.
            Sent::Refused(request, _) if self.tries_left > 0 => {
                self.tries_left -= 1;
                self.again(request)
            }
            Sent::Unsent(_, error) | Sent::Refused(_, error) | Sent::Failed(error) => {
                Err(why(error, &lease, &upload))
            }
            Sent::Late => Err(late(&upload)),
        }
    }
}

impl Exchange {
    /// Makes ready for another line, which may not speak as the one before did.
    fn again(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Option<Response<Body<Content>>>, Error> {
        let (mut parts, upload) = request.into_parts();
        to_origin_form(&mut parts)?;
        self.request = Some(Request::from_parts(parts, upload));
        Ok(None)
    }
}

/// How often a request is sent again that an app refused to begin with.
const TRIES: u8 = 2;

/// Whether an answer may be silent for long: of events, or of gRPC.
fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_events = kind
        .and_then(|kind| kind.split_at_checked(EVENTS.len()))
        .is_some_and(|(kind, _)| kind.eq_ignore_ascii_case(EVENTS));
    is_events || grpc::is_grpc(headers)
}

const EVENTS: &[u8] = b"text/event-stream";

/// Whose fault it was that `lease`'s connection gave no answer.
pub fn why(error: hyper::Error, lease: &Lease, upload: &Watch) -> Error {
    match upload.end() {
        UploadEnd::Bad(bad) => Error::Upload(bad),
        UploadEnd::Open | UploadEnd::Complete if lease.alarm().is_due() => late(upload),
        UploadEnd::Open | UploadEnd::Complete => Error::Exchange(error),
    }
}

/// Who it was that took too long.
pub fn late(upload: &Watch) -> Error {
    if upload.is_awaited() {
        Error::Unfinished
    } else {
        Error::Timeout
    }
}

/// An app's answer as it goes on to the client, and within which time it does.
pub fn answer(
    response: Response<Incoming>,
    terms: &Terms,
    body: impl FnOnce(Incoming) -> Download,
) -> Response<Body<Content>> {
    let mut response = receive(response);
    if let Some(span) = terms.request_timeout {
        response.extensions_mut().insert(Allotted(span));
    }
    response.map(|incoming| Body::stream(Content::Download(body(incoming))))
}

/// Takes off what belongs to the app's connection.
pub fn receive<B>(response: Response<B>) -> Response<B> {
    let (mut parts, body) = response.into_parts();
    hop_by_hop::strip(&mut parts.headers);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, body)
}

/// An HTTP/1.1 request names its host in `Host`, which is empty when there is none, and only path and
/// query in its target (RFC 9112 §3.2), in whatever form it came.
pub fn to_origin_form(parts: &mut http::request::Parts) -> Result<(), Error> {
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Error::Target)?;
        parts.headers.insert(header::HOST, host);
        let target = parts
            .uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(target);
    } else if parts.version == Version::HTTP_10 && !parts.headers.contains_key(header::HOST) {
        parts
            .headers
            .insert(header::HOST, HeaderValue::from_static(""));
    }
    parts.version = Version::HTTP_11;
    // Ours to answer: hyper has said "continue" when the body was first asked for.
    parts.headers.remove(header::EXPECT);
    join_cookies(&mut parts.headers);
    Ok(())
}

/// HTTP/2 clients may send a cookie in crumbs; HTTP/1.1 allows one line (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let joined = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect::<Vec<_>>()
        .join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, value);
    }
}
