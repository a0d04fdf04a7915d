//! The auth service: a phone number in, a code by text message, the code back, tokens out. It knows nothing of routes, apps or sockets.
//!
//! | endpoint | file |
//! |---|---|
//! | `POST send-otp` | [`send_otp`] |
//! | `POST verify-otp` | [`verify_otp`] |
//! | `GET challenges/{id}` | [`challenges`] |
//! | `POST refresh` | [`refresh`] |
//! | `POST logout` | [`logout`] |
//! | `GET sessions`, `DELETE sessions/{id}` | [`sessions`] |
//! | `GET me` | [`me`] |
//! | `GET check` | [`check`] |
//! | `GET login`, `POST login` | [`login`] |
//! | `POST receipts/twilio`, `POST receipts/webhook` | [`receipts`] |
//! | `GET openapi.json` | [`openapi`] |
//! | `GET .well-known/jwks.json`, `GET .well-known/oauth-authorization-server` | [`well_known`] |
//!
//! Every endpoint is a function from a [`call::Call`] to an answer or a [`Reject`]. What happens
//! to a challenge or a session is one verb of the store, so that nothing is ever half done.

mod spec;

mod call;
mod endpoint;
mod form;
mod wire;

mod challenges;
mod check;
mod login;
mod logout;
mod me;
mod receipts;
mod refresh;
mod send_otp;
mod sessions;
mod verify_otp;
mod well_known;

mod bearer;
mod budget;
pub mod captcha;
mod chance;
mod cookie;
mod derive;
mod guard;
mod openapi;
mod page;
mod pair;
mod puzzle;
mod request_key;
mod return_to;

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, header, request::Parts as Head};
use http_body::Body as HttpBody;
use tower::Service;

pub use self::{
    call::Parts,
    spec::{Countries, Guard, Mode, Spec, SubjectKind, TestNumber},
    wire::Reply,
};
use self::{
    call::{Call, Desk},
    captcha::Captcha,
    endpoint::Endpoint,
    wire::{Fields, Limits},
};
use crate::{
    body::Body,
    net::peer::Client,
    reject::{Code, Reject},
};

/// Answers everything below the base path and its aliases, with `404` for what is no endpoint.
///
/// It is a [`tower::Service`] over any body, so it also sits in another HTTP server, an axum app
/// for example. Three things are asked of whoever does that:
///
/// * the request's URI holds the whole path, the base included;
/// * the request's extensions hold a [`Client`]. Without it every request is refused: limits per
///   client would have nobody to count;
/// * the service runs inside a tokio runtime with its timer on.
///
/// Clones are cheap and share everything.
#[derive(Clone)]
pub struct AuthService(Arc<Inner>);

struct Inner {
    desk: Desk,
    /// Whether it was logged already that requests come without a client.
    warned: AtomicBool,
}

/// What [`AuthService`] is answering with.
pub type Answering = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

impl AuthService {
    /// The service made of `parts`.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            desk: Desk::new(parts),
            warned: AtomicBool::new(false),
        }))
    }

    /// The same service for the calling thread and its runtime: what it asks the store does not
    /// wait for what other threads do.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let parts = self.0.desk.parts.clone();
        Self::new(Parts {
            store: parts.store.for_worker(),
            captcha: parts.captcha.as_ref().map(Captcha::for_worker),
            ..parts
        })
    }

    /// Whether requests for `path` are answered here.
    pub fn owns(&self, path: &str) -> bool {
        self.0.desk.spec().below(path).is_some()
    }
}

impl<B> Service<Request<B>> for AuthService
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let service = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let is_head = head.method == Method::HEAD;
            let reply = match service.read(head, body).await {
                Ok(asked) => finish(service, asked).await,
                Err(reject) => Err(reject),
            };
            let reply = seal(reply.unwrap_or_else(Reject::into_response));
            Ok(if is_head {
                without_content(reply)
            } else {
                reply
            })
        })
    }
}

/// A request that was read whole.
struct Asked {
    endpoint: Endpoint,
    call: Call,
    fields: Fields,
}

/// Answers, to the end: a client that hangs up in the middle cancels nothing, or its code would
/// count as sent and never go out. The store's deadline bounds how long that can take.
async fn finish(service: Arc<Inner>, asked: Asked) -> Result<Reply, Reject> {
    let answering = tokio::spawn(async move { service.answer(asked).await });
    answering.await.unwrap_or_else(|_panicked| {
        Err(Reject::new(
            Code::Internal,
            "The gateway failed to answer this request.",
        ))
    })
}

impl Inner {
    /// Finds the endpoint and reads what it takes.
    async fn read<B: HttpBody>(&self, head: Head, body: B) -> Result<Asked, Reject> {
        let desk = &self.desk;
        let path = head.uri.path().to_owned();
        let below = desk
            .spec()
            .below(&path)
            .ok_or_else(endpoint::nothing_here)?;
        let endpoint = Endpoint::find(below, &head.method)?;
        if let Endpoint::Receipt(teller) = endpoint
            && !desk.spec().tellers.include(teller)
        {
            return Err(endpoint::nothing_here());
        }
        let client = self.client(&head)?;
        let limits = Limits {
            size: desk.spec().max_body,
            deadline: desk.spec().body_timeout,
        };
        let fields = Fields::read(&head.headers, body, endpoint.accepts(), limits).await?;
        let call = Call {
            head,
            client,
            now: desk.parts.clock.now(),
        };
        Ok(Asked {
            endpoint,
            call,
            fields,
        })
    }

    async fn answer(&self, asked: Asked) -> Result<Reply, Reject> {
        let desk = &self.desk;
        let Asked {
            endpoint,
            call,
            fields,
        } = asked;
        match endpoint {
            Endpoint::SendOtp => send_otp::answer(desk, &call, fields).await,
            Endpoint::VerifyOtp => verify_otp::answer(desk, &call, fields).await,
            Endpoint::ShowChallenge(id) => challenges::show(desk, &call, &id).await,
            Endpoint::Refresh => refresh::answer(desk, &call, fields).await,
            Endpoint::Logout => logout::answer(desk, &call, fields).await,
            Endpoint::Me => me::answer(desk, &call).await,
            Endpoint::Check => check::answer(desk, &call).await,
            Endpoint::ListSessions => sessions::list(desk, &call).await,
            Endpoint::EndSession(id) => sessions::end(desk, &call, &id).await,
            Endpoint::ShowLogin => Ok(login::show(desk, &call).await),
            Endpoint::SubmitLogin => Ok(login::submit(desk, &call, fields).await),
            Endpoint::Receipt(teller) => receipts::answer(desk, &call, teller, &fields).await,
            Endpoint::OpenApi => well_known::openapi(desk),
            Endpoint::Jwks => well_known::jwks(desk),
            Endpoint::Metadata => well_known::metadata(desk, &call),
        }
    }

    /// Who asks. Nobody is let in uncounted because a layer in front was forgotten.
    fn client(&self, head: &Head) -> Result<Client, Reject> {
        if let Some(client) = head.extensions.get::<Client>() {
            return Ok(*client);
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::error!("requests reach the auth service without a client; all are refused");
        }
        Err(Reject::new(
            Code::Internal,
            "The gateway does not know who is asking.",
        ))
    }
}

impl fmt::Debug for AuthService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").finish_non_exhaustive()
    }
}

/// What every answer of ours bears, refusals too.
fn seal(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    reply
}

/// For `HEAD`: the content is left out, its length is kept (RFC 9110 §9.3.2).
fn without_content(mut reply: Reply) -> Reply {
    let length = HttpBody::size_hint(reply.body()).exact().unwrap_or(0);
    reply
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    reply.map(|_content| Body::empty())
}

#[cfg(test)]
mod tests;
