//! The HTTP client for what the gateway itself asks, besides apps: connections are kept, every wait and every reply is bounded, redirects are not followed. It knows nobody whom it asks.
//!
//! What it tells for certain is whether a request may have reached anybody: a body is asked for
//! before the first byte of its request is written, so while it has not been, nothing was sent.

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::sleep;

/// How somebody is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Until a connection stands; what TLS takes on it counts towards `timeout` alone.
    pub connect_timeout: Duration,
    /// From the beginning of a request to the end of its answer.
    pub timeout: Duration,
    /// Who may vouch for servers; `None` is whom the system trusts.
    pub authorities: Option<Authorities>,
}

/// Certificates of authorities; never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Arc<[CertificateDer<'static>]>);

/// Nobody can vouch for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Text that holds no certificate of an authority.
    #[error("holds no certificates in PEM")]
    NoCertificates,
    /// A system without authorities.
    #[error("this system trusts no certificate authorities; `ca` can name some")]
    NobodyTrusted,
    /// A library that has no protocol in common with itself.
    #[error("TLS cannot be set up")]
    NoTls,
}

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    https: HttpsConnector<HttpConnector>,
    pool: Arc<Pool>,
    timeout: Duration,
    longest_reply: usize,
}

/// Connections that are kept.
type Pool = legacy::Client<HttpsConnector<HttpConnector>, Watched>;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// What it says at once.
    pub status: StatusCode,
    /// How long to wait, if it says so in seconds.
    pub retry_after: Option<Duration>,
    /// What it says at length; `None` when it was too much, too slow, or broke off.
    pub body: Option<Bytes>,
}

/// A request without an answer.
#[derive(Debug)]
pub struct Failure {
    /// Whether it may have reached anybody.
    pub sent: Sent,
    /// What happened.
    pub why: Why,
}

/// What happened to a request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No connection could be made.
    NoConnection(String),
    /// The connection broke.
    Broken(String),
    /// There was no answer in time.
    Deadline,
}

/// Whether a request may have reached anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not a byte of it.
    No,
    /// It may have, in part or whole.
    Perhaps,
}

/// Bytes of a reply that are read; hardly anybody who is asked needs more.
const LONGEST_REPLY: usize = 64 << 10;

/// For how long a connection is kept without use. Those who are asked close theirs later, so that a
/// request seldom meets one that is just being closed.
const IDLE: Duration = Duration::from_secs(20);

/// Connections that are kept, per host.
const MAX_IDLE: usize = 32;

impl Authorities {
    /// From the content of a PEM file.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Untrusted> {
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Untrusted::NoCertificates)?;
        let (added, ignored) =
            RootCertStore::empty().add_parsable_certificates(certificates.clone());
        if added == 0 || ignored > 0 {
            return Err(Untrusted::NoCertificates);
        }
        Ok(Self(certificates.into()))
    }
}

impl Client {
    /// A client that trusts whom `line` names. Reads the system's files.
    pub fn new(line: &Line) -> Result<Self, Untrusted> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(line.connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(line.authorities.as_ref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(Self::over(https, line.timeout))
    }

    /// One with connections of its own, for another runtime: each is driven by that which made it.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self::over(self.https.clone(), self.timeout).reading(self.longest_reply)
    }

    /// The same for one who has more to say than others: so many bytes of a reply are read.
    #[must_use]
    pub fn reading(self, longest_reply: usize) -> Self {
        Self {
            longest_reply,
            ..self
        }
    }

    fn over(https: HttpsConnector<HttpConnector>, timeout: Duration) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(https.clone());
        Self {
            https,
            pool: Arc::new(pool),
            timeout,
            longest_reply: LONGEST_REPLY,
        }
    }

    /// Sends `request` and reads its answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Reply, Failure> {
        let asked_for = Arc::new(AtomicBool::new(false));
        let request = request.map(|content| Watched {
            content: Some(content).filter(|content| !content.is_empty()),
            asked_for: Arc::clone(&asked_for),
        });
        let failed = |why| Failure {
            sent: if asked_for.load(Ordering::Acquire) {
                Sent::Perhaps
            } else {
                Sent::No
            },
            why,
        };
        let mut deadline = pin!(sleep(self.timeout));
        let response = tokio::select! {
            response = self.pool.request(request) => response,
            () = &mut deadline => return Err(failed(Why::Deadline)),
        };
        let response = response.map_err(|error| {
            failed(if error.is_connect() {
                Why::NoConnection(innermost(&error))
            } else {
                Why::Broken(innermost(&error))
            })
        })?;
        let (head, body) = response.into_parts();
        let body = tokio::select! {
            body = Limited::new(body, self.longest_reply).collect() => body.ok(),
            () = &mut deadline => None,
        };
        Ok(Reply {
            status: head.status,
            retry_after: retry_after(&head.headers),
            body: body.map(http_body_util::Collected::to_bytes),
        })
    }
}

impl Reply {
    /// What it says at length, as far as it is text.
    pub fn text(&self) -> &str {
        let body = self.body.as_deref().unwrap_or_default();
        str::from_utf8(body).unwrap_or_default()
    }
}

/// A request body that knows whether it was asked for.
struct Watched {
    content: Option<Bytes>,
    asked_for: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked_for.store(true, Ordering::Release);
        Poll::Ready(self.content.take().map(|content| Ok(Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.content
                .as_ref()
                .map_or(0, |content| content.len() as u64),
        )
    }
}

fn tls(authorities: Option<&Authorities>) -> Result<ClientConfig, Untrusted> {
    let trusted = match authorities {
        Some(Authorities(certificates)) => certificates.to_vec(),
        // Some of a system's files may be broken; only without any there is nobody to trust.
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(trusted);
    if added == 0 {
        return Err(Untrusted::NobodyTrusted);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Untrusted::NoTls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3). A date is not read: our clock may be another one.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// What an error says at its root: the layers above repeat what is known here.
fn innermost(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(why) => write!(f, "no connection: {why}"),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::Deadline => f.write_str("no answer in time"),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
