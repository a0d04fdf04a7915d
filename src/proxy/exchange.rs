//! One request on its way to an app, and the way back of its answer; knows nothing of how connections are kept.

use std::{mem, rc::Rc};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, uri::PathAndQuery,
};
use hyper::body::Incoming;

use crate::{
    body::Body,
    net::hop_by_hop,
    proxy::{
        Terms,
        download::Download,
        error::Error,
        lease::{Lease, Sent},
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
    tether: Tether,
}

impl Exchange {
    /// Prepares `request` for `upstream`; refuses one that cannot be sent, before anything is.
    pub fn new(
        upstream: Rc<Upstream>,
        request: Request<Incoming>,
        terms: Terms,
        tether: Tether,
    ) -> Result<Self, Reject> {
        let (mut parts, incoming) = request.into_parts();
        let upload = Upload::new(incoming, terms).map_err(Error::Upload)?;
        to_origin_form(&mut parts)?;
        Ok(Self {
            upstream,
            request: Some(Request::from_parts(parts, upload)),
            terms,
            tether,
        })
    }

    /// Sends the request and gives back the app's answer, or a refusal that says what failed.
    ///
    /// A request that finds its pooled connection closed is sent again on another one, but only
    /// when none of it had been sent: nothing is ever done twice.
    pub async fn run(&mut self) -> Response<Body<Download>> {
        loop {
            match self.attempt().await {
                Ok(Some(response)) => return response,
                Ok(None) => {}
                Err(error) => {
                    let upstream = self.upstream.name();
                    tracing::debug!(%upstream, %error, "no answer from the app");
                    return Reject::from(error).into_response();
                }
            }
        }
    }

    /// `None` when the request was not sent and may be tried again.
    async fn attempt(&mut self) -> Result<Option<Response<Body<Download>>>, Error> {
        let mut lease = self.upstream.lease().await?;
        self.tether.hold(lease.alarm())?;
        let Some(request) = self.request.take() else {
            return Err(Error::Target);
        };
        request
            .body()
            .sent_under(lease.alarm(), self.terms.response_timeout);
        let upload = request.body().watch();
        let sent = lease.send(request).await;
        // Also when there is an answer: nothing of it has gone to the client yet.
        self.tether.check()?;
        match sent {
            // Nobody asked for another protocol, so what follows is no answer.
            Sent::Answered(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Error::Switched)
            }
            Sent::Answered(response) => {
                upload.answered();
                let tether = mem::take(&mut self.tether);
                let body = |incoming| Download::new(incoming, lease, upload, tether);
                Ok(Some(receive(response).map(body).map(Body::stream)))
            }
            // The app had closed the connection before the request got on it.
            Sent::Unsent(request, _) if lease.was_used_before() => {
                self.request = Some(request);
                Ok(None)
            }
            Sent::Unsent(_, error) | Sent::Failed(error) => Err(why(error, &lease, &upload)),
            Sent::Late => Err(Error::Timeout),
        }
    }
}

/// Whose fault it was that `lease`'s connection gave no answer.
fn why(error: hyper::Error, lease: &Lease, upload: &Watch) -> Error {
    match upload.end() {
        UploadEnd::Bad(bad) => Error::Upload(bad),
        UploadEnd::Open | UploadEnd::Complete if lease.alarm().is_due() => Error::Timeout,
        UploadEnd::Open | UploadEnd::Complete => Error::Exchange(error),
    }
}

/// Takes off what belongs to the app's connection.
fn receive<B>(response: Response<B>) -> Response<B> {
    let (mut parts, body) = response.into_parts();
    hop_by_hop::strip(&mut parts.headers);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, body)
}

/// An HTTP/1.1 request names its host in `Host`, which is empty when there is none, and only path and
/// query in its target (RFC 9112 §3.2), in whatever form it came.
fn to_origin_form(parts: &mut http::request::Parts) -> Result<(), Error> {
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
