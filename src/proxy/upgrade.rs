//! One handshake on its way to an app, and the WebSocket or the ordinary answer that comes of it. It knows nothing of what is said in one.
//!
//! It goes over a connection of its own, in HTTP/1.1 whatever is spoken with the app otherwise, and that
//! is never used for anything else: whatever an app makes of a handshake, no other request can suffer
//! from it. Nothing that a client sends behind its handshake is read before the app has switched.

use std::rc::Rc;

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
};
use hyper::body::Incoming;
use rand::{TryRng, rngs::SysRng};

use crate::{
    body::Body,
    net::{
        fields::Reserved,
        websocket::{self, Handshake, KEY_LENGTH},
    },
    proxy::{
        Terms,
        content::Content,
        download::Download,
        error::Error,
        exchange::{answer, late, receive, to_origin_form, why},
        lease::{Lease, Sent},
        socket::Socket,
        tether::Tether,
        upload::Upload,
        upstream::Upstream,
    },
    reject::Reject,
};

/// A handshake on its way to an app.
#[derive(Debug)]
pub struct Upgrade {
    upstream: Rc<Upstream>,
    request: Request<Upload>,
    /// What the app has to prove that it has read.
    key: HeaderValue,
    asker: Asker,
    terms: Terms,
    tether: Tether,
}

/// Who asks for a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// A client for which an app that does not switch gives an answer like any other.
    Http1,
    /// A client for which every success is a switch (RFC 8441 §5).
    Http2,
}

impl Upgrade {
    /// Prepares `request`, which is this handshake, for `upstream`.
    pub fn new(
        upstream: Rc<Upstream>,
        request: Request<Incoming>,
        handshake: Handshake,
        terms: Terms,
        reserved: &Reserved,
        tether: Tether,
    ) -> Result<Self, Reject> {
        let (mut parts, incoming) = request.into_parts();
        let upload = Upload::new(incoming, terms, reserved).map_err(Error::Upload)?;
        to_origin_form(&mut parts)?;
        let (key, asker) = match handshake.key {
            Some(key) => (key, Asker::Http1),
            None => (fresh_key()?, Asker::Http2),
        };
        ask(&mut parts.headers, &key);
        Ok(Self {
            upstream,
            request: Request::from_parts(parts, upload),
            key,
            asker,
            terms,
            tether,
        })
    }

    /// Sends the handshake and gives back the app's answer, or a refusal that says what failed.
    pub async fn run(self) -> Response<Body<Content>> {
        let upstream = Rc::clone(&self.upstream);
        self.attempt().await.unwrap_or_else(|error| {
            let upstream = upstream.name();
            tracing::debug!(%upstream, %error, "no WebSocket from the app");
            Reject::from(error).into_response()
        })
    }

    async fn attempt(self) -> Result<Response<Body<Content>>, Error> {
        let latest = self.upstream.latest(&self.terms);
        let mut lease = self.upstream.lease_alone(latest).await?;
        self.tether.hold(lease.alarm())?;
        lease
            .alarm()
            .set_before(self.terms.response_timeout, latest);
        let upload = self.request.body().watch();
        let sent = lease.send(self.request).await;
        // Also when there is an answer: nothing of it has gone to the client yet.
        self.tether.check()?;
        let response = match sent {
            Sent::Answered(response) => response,
            Sent::Unsent(_, error) | Sent::Refused(_, error) | Sent::Failed(error) => {
                return Err(why(error, &lease, &upload));
            }
            Sent::Late => return Err(late(&upload)),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !accepts(response.headers(), &self.key) {
                return Err(Error::Switched);
            }
            return switch(response, lease, self.terms, self.tether).await;
        }
        if self.asker == Asker::Http2 && response.status().is_success() {
            return Err(Error::NotSwitched);
        }
        let body = |incoming| Download::new(incoming, lease, upload, self.tether);
        Ok(answer(response, &self.terms, body))
    }
}

/// The app has switched: what comes next on its connection is no HTTP any more.
async fn switch(
    mut response: Response<Incoming>,
    lease: Lease,
    terms: Terms,
    tether: Tether,
) -> Result<Response<Body<Content>>, Error> {
    let io = hyper::upgrade::on(&mut response)
        .await
        .map_err(Error::Exchange)?;
    tether.check()?;
    let mut response = receive(response);
    // There is none; who reads one would take the first words for a body.
    response.headers_mut().remove(CONTENT_LENGTH);
    let socket = Box::new(Socket::new(io, lease, terms, tether));
    Ok(response.map(|_| Body::stream(Content::Socket(socket))))
}

/// Says what was asked for in words of our own: the client's belonged to its own connection.
fn ask(headers: &mut HeaderMap, key: &HeaderValue) {
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, websocket::WEBSOCKET);
    headers.insert(SEC_WEBSOCKET_VERSION, websocket::VERSION);
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
}

/// Whether an answer of `101` switches to what was asked for, and proves it (RFC 6455 §4.1).
fn accepts(headers: &HeaderMap, key: &HeaderValue) -> bool {
    let proof = websocket::only(headers, &SEC_WEBSOCKET_ACCEPT);
    websocket::asks_for_websocket(headers)
        && websocket::lists_upgrade(headers)
        && proof.is_some_and(|proof| websocket::proves(proof, key))
}

fn fresh_key() -> Result<HeaderValue, Error> {
    let mut random = [0; KEY_LENGTH];
    SysRng
        .try_fill_bytes(&mut random)
        .map_err(|_| Error::NoChance)?;
    Ok(websocket::key(random))
}
