//! Judges access tokens: whether one is good, whose it is, and whether it allows what is asked. Knows nothing of layers.

mod denied;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::{ArcSwap, Cache};
use http::{HeaderValue, Request};
use serde_json::Value;

pub use self::denied::Denied;

use crate::{
    clock::{Clock, Timestamp},
    domain::{
        route::{Access as RouteAccess, Demands},
        session::SessionId,
    },
    edge::{destination::Destination, login_redirect::LoginRedirect, token_cache::TokenCache},
    net::{
        bearer,
        cookies::{self, CookieSecure},
        introduction::header_value,
        origin,
        peer::{Client, Scheme},
        websocket::Handshake,
    },
    reject::{Code, Reject},
    store::revocations::{OnOutage, Revocations, View},
    token::{Access, Keyring, Tokens},
};

/// Who sent a request: carried in its extensions, made by [`super::authenticate`] alone.
#[derive(Clone)]
pub struct Principal {
    verified: Arc<Verified>,
    credential: Credential,
}

/// Where the token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer`.
    Header,
    /// The session cookie of a browser.
    Cookie,
}

/// A verified token, with what goes into headers made once.
#[derive(Debug)]
struct Verified {
    access: Access,
    subject: HeaderValue,
    phone: Option<HeaderValue>,
    session: HeaderValue,
}

/// Verifies access tokens and knows which sessions were ended. A verified token is remembered, but
/// no longer than it lives, than its key is known, and than its session stands.
///
/// Clones share one memory behind one lock: give every worker thread a gate of its own.
#[derive(Clone)]
pub struct Gate {
    tokens: Tokens,
    clock: Clock,
    browsers: Browsers,
    on_outage: OnOutage,
    memory: Arc<Mutex<Memory>>,
}

/// How browsers are treated, which send cookies and can be shown a page.
#[derive(Debug, Clone, Default)]
pub struct Browsers {
    /// Which of the session cookies is read.
    pub cookie_secure: CookieSecure,
    /// The site's own URL, as an origin that is accepted besides the request's own.
    pub public_url: Option<String>,
    /// Where a page view without a valid token is sent; `None` answers it with 401 like any other.
    pub login: Option<LoginRedirect>,
}

struct Memory {
    known: TokenCache<Arc<Verified>>,
    revoked: View,
    keys: Cache<Arc<ArcSwap<Keyring>>, Arc<Keyring>>,
    /// The keys that `known` was verified with.
    verified_with: Arc<Keyring>,
}

/// Tokens that one gate remembers. One takes about 2 KiB.
const REMEMBERED: usize = 2048;

impl Gate {
    /// A gate that verifies with `tokens` and refuses the sessions in `revocations`.
    pub fn new(
        tokens: Tokens,
        revocations: &Arc<Revocations>,
        browsers: Browsers,
        clock: Clock,
    ) -> Self {
        let mut keys = Cache::new(Arc::clone(tokens.keys()));
        let verified_with = Arc::clone(keys.load());
        Self {
            tokens,
            clock,
            browsers,
            on_outage: OnOutage::default(),
            memory: Arc::new(Mutex::new(Memory {
                known: TokenCache::new(REMEMBERED),
                revoked: revocations.view(),
                keys,
                verified_with,
            })),
        }
    }

    /// The same gate, with this rule for the time in which it is not known who was revoked elsewhere.
    #[must_use]
    pub const fn on_store_outage(mut self, rule: OnOutage) -> Self {
        self.on_outage = rule;
        self
    }

    /// Who sends this request, or why it may not pass. `None` is a caller who need not say.
    pub fn admit<B>(
        &self,
        request: &Request<B>,
        access: &RouteAccess,
    ) -> Result<Option<Principal>, Reject> {
        self.judge(request, access).map_err(Reject::from)
    }

    /// The same, for whoever can wait for a key that is not known; see [`Gate::look_for_keys`].
    pub fn judge<B>(
        &self,
        request: &Request<B>,
        access: &RouteAccess,
    ) -> Result<Option<Principal>, Denied> {
        let (demands, must_identify) = match access {
            RouteAccess::None => return Ok(None),
            RouteAccess::Optional(demands) => (demands, false),
            RouteAccess::Required(demands) => (demands, true),
        };
        let Some((token, credential)) = self.token_of(request)? else {
            return if must_identify {
                Err(Reject::missing_token().into())
            } else {
                Ok(None)
            };
        };
        let now = self.clock.now();
        let verified = self.verify(token, now)?;
        meets(&verified.access, demands, now)?;
        Ok(Some(Principal {
            verified,
            credential,
        }))
    }

    /// Waits until somebody has looked whether there are newer keys.
    pub async fn look_for_keys(self) {
        self.tokens.look_for_keys().await;
    }

    /// Whether `session` was ended, by anybody, before this call.
    pub fn has_ended(&self, session: SessionId) -> bool {
        self.memory().revoked.is_revoked(session, self.clock.now())
    }

    /// The token of a request. A header goes before a cookie: a browser adds cookies by itself, a
    /// header somebody meant.
    fn token_of<'a, B>(
        &self,
        request: &'a Request<B>,
    ) -> Result<Option<(&'a str, Credential)>, Reject> {
        let headers = request.headers();
        match bearer::read(headers) {
            Ok(Some(token)) => return Ok(Some((token, Credential::Header))),
            Ok(None) => {}
            Err(_) => {
                return Err(Reject::token(
                    Code::InvalidToken,
                    "Send exactly one Authorization header with one token.",
                ));
            }
        }
        if !headers.contains_key(http::header::COOKIE) {
            return Ok(None);
        }
        let scheme = request
            .extensions()
            .get::<Client>()
            .map_or(Scheme::Http, |client| client.scheme);
        let name = self.browsers.cookie_secure.flavour(scheme).access();
        let Some(token) = cookies::read(headers, name).map_err(|_| {
            Reject::token(
                Code::InvalidToken,
                "The session cookie came more than once.",
            )
        })?
        else {
            return Ok(None);
        };
        if !request.method().is_safe() || is_handshake(request) {
            self.refuse_cross_origin(request, scheme)?;
        }
        Ok(Some((token, Credential::Cookie)))
    }

    /// The way to the login page, where a refusal may be answered with it.
    pub const fn login(&self) -> Option<&LoginRedirect> {
        self.browsers.login.as_ref()
    }

    fn refuse_cross_origin<B>(&self, request: &Request<B>, scheme: Scheme) -> Result<(), Reject> {
        let sent = origin::Sent {
            uri: request.uri(),
            headers: request.headers(),
            scheme,
        };
        let route_trusts = || match request.extensions().get::<Destination>()? {
            Destination::Route(route) => route.cors.as_ref()?.trusts(sent.origin()?).then_some(()),
            Destination::Auth | Destination::Gateway | Destination::Refused(_) => None,
        };
        sent.check(self.browsers.public_url.as_deref())
            .or_else(|cross_origin| route_trusts().ok_or(cross_origin))
            .map_err(|_| {
                Reject::new(
                    Code::Csrf,
                    "A request that changes something by cookie must come from this site.",
                )
            })
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Verified>, Denied> {
        let mut memory = self.memory();
        memory.forget_on_new_keys();
        let verified = match memory.known.get(token) {
            Some(known) if now < known.access.expires_at + self.tokens.spec().leeway => known,
            Some(_) | None => {
                let access = self.tokens.verify_access(token, now)?;
                let verified = Arc::new(Verified::try_from(access)?);
                memory.known.insert(token, Arc::clone(&verified));
                verified
            }
        };
        let session = verified.access.session;
        memory.revoked.check(session, self.on_outage, now)?;
        Ok(verified)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Taken by one thread only, but for a gate that is shared on purpose; a panic inside
        // cannot leave it half changed.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn forget_on_new_keys(&mut self) {
        let keys = self.keys.load();
        if !Arc::ptr_eq(keys, &self.verified_with) {
            self.verified_with = Arc::clone(keys);
            self.known.clear();
        }
    }
}

/// Whether a valid token shows all that is demanded.
fn meets(access: &Access, demands: &Demands, now: Timestamp) -> Result<(), Reject> {
    if let Some(max_age) = demands.max_auth_age {
        let is_fresh = |login| now.since(login) <= max_age;
        if !access.auth_time.is_some_and(is_fresh) {
            return Err(Reject::token(
                Code::InsufficientUserAuthentication,
                "This needs a more recent login.",
            ));
        }
    }
    if demands.scopes.is_empty() && demands.claims.is_empty() {
        return Ok(());
    }
    let scope = access.claims.get("scope").and_then(Value::as_str);
    let has_scope =
        |wanted: &String| scope.is_some_and(|scope| scope.split(' ').any(|one| one == wanted));
    let has_claim = |(name, values): &(String, Vec<Value>)| {
        let held = access.claims.get(name);
        held.is_some_and(|held| match held.as_array() {
            Some(list) => list.iter().any(|one| values.contains(one)),
            None => values.contains(held),
        })
    };
    if demands.scopes.iter().all(has_scope) && demands.claims.iter().all(has_claim) {
        Ok(())
    } else {
        Err(Reject::token(
            Code::InsufficientScope,
            "The token does not carry what this route asks for.",
        ))
    }
}

/// A handshake is a GET that opens a channel for everything (RFC 6455 §10.2). One that came in HTTP/2
/// has no `Upgrade`; one that nobody has read yet has nothing else.
fn is_handshake<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(http::header::UPGRADE)
        || request.extensions().get::<Handshake>().is_some()
}

impl TryFrom<Access> for Verified {
    type Error = Reject;

    /// A subject that no header can carry would reach the app as somebody else or as nobody.
    fn try_from(access: Access) -> Result<Self, Reject> {
        let subject = header_value(&access.subject).ok_or_else(|| {
            Reject::token(Code::InvalidToken, "The token's subject is not usable.")
        })?;
        Ok(Self {
            subject,
            phone: access.phone.as_deref().and_then(header_value),
            session: header_value(&access.session.to_string())
                .unwrap_or(HeaderValue::from_static("")),
            access,
        })
    }
}

impl Principal {
    /// `sub`: who the caller is, stable over logins.
    pub fn subject(&self) -> &str {
        &self.verified.access.subject
    }

    /// `sid`: which login.
    pub fn session(&self) -> SessionId {
        self.verified.access.session
    }

    /// Everything the token says.
    pub fn access(&self) -> &Access {
        &self.verified.access
    }

    /// Where the token came from.
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The subject as a header value.
    pub fn subject_value(&self) -> &HeaderValue {
        &self.verified.subject
    }

    /// The phone number as a header value; tokens of other issuers may have none.
    pub fn phone_value(&self) -> Option<&HeaderValue> {
        self.verified.phone.as_ref()
    }

    /// The session as a header value.
    pub fn session_value(&self) -> &HeaderValue {
        &self.verified.session
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.subject())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("browsers", &self.browsers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
