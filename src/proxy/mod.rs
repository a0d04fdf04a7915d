//! The way to the apps: picks a connection, sends the request, streams the answer back. It knows nothing of tokens or of the auth service.

mod body;
mod error;
mod upstream;

pub use body::Download;
pub use upstream::Upstream;

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header, uri::PathAndQuery,
};
use hyper::{body::Incoming, client::conn::http1::SendRequest};

use crate::{
    body::Body,
    net::hop_by_hop,
    proxy::{body::Upload, error::Error},
    reject::Reject,
};

/// One app, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// How routes, logs and metrics call it.
    pub name: Arc<str>,
    /// Where it runs; asked in turn.
    pub servers: Vec<Server>,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For which an unused connection is kept.
    pub idle: Duration,
    /// Between two pieces of an answer's body.
    pub body_idle: Duration,
    /// Unused connections kept per worker and server.
    pub max_idle: usize,
    /// Connections per worker and server.
    pub max_connections: usize,
}

/// One place where an app runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// `host:port`, spoken to in HTTP/1.1.
    Http(String),
    /// The demo app that is part of the gateway.
    Demo,
}

impl fmt::Display for UpstreamSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at", self.name)?;
        for server in &self.servers {
            match server {
                Server::Http(authority) => write!(f, " http://{authority}")?,
                Server::Demo => f.write_str(" demo: (built in, for a first look)")?,
            }
        }
        Ok(())
    }
}

/// What a route says about one request.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Bytes the request's body may have.
    pub max_body: u64,
    /// Between two pieces of the request's body.
    pub body_idle: Duration,
    /// From the end of the request to the beginning of the answer.
    pub response_timeout: Duration,
}

/// One request on its way to an app, and its answer.
#[derive(Debug)]
pub struct Exchange {
    upstream: Rc<Upstream>,
    /// Taken while it is being sent.
    request: Option<Request<Upload>>,
    terms: Terms,
}

impl Exchange {
    /// Prepares `request` for `upstream`; refuses one that cannot be sent, before anything is.
    pub fn new(
        upstream: Rc<Upstream>,
        request: Request<Incoming>,
        terms: Terms,
    ) -> Result<Self, Reject> {
        let (mut parts, incoming) = request.into_parts();
        let upload = Upload::new(incoming, terms)?;
        to_origin_form(&mut parts)?;
        if upload.is_of_unknown_length() {
            // Said here, since hyper takes a GET that says nothing for one without a body.
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        Ok(Self {
            upstream,
            request: Some(Request::from_parts(parts, upload)),
            terms,
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
        let Some(request) = self.request.take() else {
            return Err(Error::Target);
        };
        request
            .body()
            .sent_under(lease.alarm(), self.terms.response_timeout);
        let upload = request.body().watch();
        match lease.sender().try_send_request(request).await {
            // Nobody asked for another protocol, so what follows is no answer.
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Error::Switched)
            }
            Ok(response) => {
                upload.answered();
                let body = |incoming| Download::new(incoming, lease, upload);
                Ok(Some(receive(response).map(body).map(Body::stream)))
            }
            Err(mut failed) => match failed.take_message() {
                // The app had closed the connection before the request got on it.
                Some(unsent) if lease.was_used_before() => {
                    self.request = Some(unsent);
                    Ok(None)
                }
                Some(_) | None => Err(Error::of_exchange(failed.into_error(), &lease, &upload)),
            },
        }
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

/// What requests to an app are sent with.
type Sender = SendRequest<Upload>;
