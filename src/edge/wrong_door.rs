//! Sends away who came in by the wrong door: to HTTPS from a door that only leads there, and to another connection from one whose certificate is not for the host that was asked for.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    Request,
    header::{HOST, LOCATION},
};
use tower::{Layer, Service};

use crate::{
    domain::target::canonical_host,
    edge::destination::Destination,
    net::tls::{Certificates, Shown},
    reject::{Code, Reject},
};

/// The door that a connection came in by.
#[derive(Debug, Clone)]
pub enum Entry {
    /// One that is right for every request: in the clear, or out of the hands of a trusted proxy.
    Open,
    /// One behind which a certificate was shown.
    Secured(Shown),
    /// One that only leads to HTTPS.
    ToHttps {
        /// What clients will be shown there.
        certificates: Arc<Certificates>,
        /// Where that is on the hosts of the certificates.
        port: u16,
    },
}

/// Changes [`Destination`] where a request may not come by its connection. Must stand right inside of
/// what finds the destination: what was refused there stays refused for that reason.
#[derive(Debug, Clone)]
pub struct WrongDoorLayer(Rc<Door>);

/// See [`WrongDoorLayer`].
#[derive(Debug, Clone)]
pub struct WatchDoor<S> {
    inner: S,
    door: Rc<Door>,
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    /// The last host that was found right, as it was written: most connections have only one.
    right: RefCell<String>,
}

/// Where URLs without a port lead.
const HTTPS_PORT: u16 = 443;

impl WrongDoorLayer {
    /// For the requests of one connection.
    pub fn new(entry: Entry) -> Self {
        Self(Rc::new(Door {
            entry,
            right: RefCell::default(),
        }))
    }
}

impl Door {
    /// Why a request may not come this way, if it may not.
    fn judge<B>(&self, request: &Request<B>) -> Option<Reject> {
        if let Entry::Open = self.entry {
            return None;
        }
        match request.extensions().get() {
            Some(Destination::Auth | Destination::Route(_)) => {}
            Some(Destination::Gateway | Destination::Refused(_)) | None => return None,
        }
        let host = named_host(request);
        match &self.entry {
            Entry::Open => None,
            Entry::Secured(shown) => {
                let host = host?;
                if *self.right.borrow() == host {
                    return None;
                }
                if canonical_host(host).is_some_and(|host| shown.is_for(&host)) {
                    host.clone_into(&mut self.right.borrow_mut());
                    return None;
                }
                let detail = "This connection is not for that host.";
                Some(Reject::new(Code::MisdirectedRequest, detail))
            }
            Entry::ToHttps { certificates, port } => {
                // A host is led to HTTPS only where it has a certificate: nobody else's word for
                // where people end up is taken.
                let host = host.and_then(canonical_host);
                let host = host.filter(|host| certificates.are_for(host));
                let there = host.and_then(|host| secure_url(&host, *port, request));
                Some(there.map_or_else(
                    || {
                        let detail = "There is no HTTPS for that host here.";
                        Reject::new(Code::MisdirectedRequest, detail)
                    },
                    |url| {
                        let detail = "Send this request again, to the same URL over HTTPS.";
                        Reject::new(Code::HttpsRequired, detail).header(LOCATION, &url)
                    },
                ))
            }
        }
    }
}

/// The host that a request names, as it is written.
fn named_host<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(HOST)?.to_str().ok(),
    }
}

/// The same URL over HTTPS. Its path is the canonical one, which begins with a slash: what follows the
/// host cannot become a part of it.
fn secure_url<B>(host: &str, port: u16, request: &Request<B>) -> Option<String> {
    let target = request.uri().path_and_query()?;
    Some(if port == HTTPS_PORT {
        format!("https://{host}{target}")
    } else {
        format!("https://{host}:{port}{target}")
    })
}

impl<S> Layer<S> for WrongDoorLayer {
    type Service = WatchDoor<S>;

    fn layer(&self, inner: S) -> WatchDoor<S> {
        WatchDoor {
            inner,
            door: Rc::clone(&self.0),
        }
    }
}

impl<S, B> Service<Request<B>> for WatchDoor<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(reject) = self.door.judge(&request) {
            let refused = Destination::Refused(Box::new(reject));
            request.extensions_mut().insert(refused);
        }
        self.inner.call(request)
    }
}
