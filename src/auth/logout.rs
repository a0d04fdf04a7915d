//! `POST logout`: sessions end, here and on every instance, with the next request; knows nothing of how they began.
//!
//! It is enough to have been given a token once: an expired access token, or a refresh token, shows
//! which session is meant. To end *other* sessions with it, its own must still be alive, or a
//! token from an old log could log its owner out everywhere.

use http::{HeaderValue, StatusCode, header};

use crate::{
    auth::{
        call::{Call, Desk},
        cookie, derive, refresh,
        wire::{self, Fields, Reply},
    },
    domain::{account::AccountKey, session::SessionId},
    net::bearer,
    observe::audit::Event,
    reject::Reject,
    store::Revoke,
    token::{Refresh, Refusal, Tokens},
};

/// Which sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Scope {
    #[default]
    This,
    Others,
    All,
}

/// The session a token belongs to, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    account: AccountKey,
    session: SessionId,
}

impl Holder {
    fn new(desk: &Desk, subject: &str, session: SessionId) -> Self {
        let account = derive::account_key(&desk.parts.masters, subject);
        Self { account, session }
    }
}

/// Answers a logout: 204 whether or not there was something left to end.
pub async fn answer(desk: &Desk, call: &Call, mut fields: Fields) -> Result<Reply, Reject> {
    let scope = scope(&mut fields);
    let token = fields.optional("refresh_token");
    let scope = fields.finish(scope)?;
    if let Some(holder) = holder(desk, call, token.as_deref()).await? {
        let ended = end(desk, holder, scope).await?;
        desk.parts.metrics.sessions_revoked(ended.len());
        for session in ended {
            call.audit(Event::SessionRevoked, None, Some(session));
        }
    }
    let mut reply = farewell(desk, call);
    if scope != Scope::Others {
        cookie::clear(reply.headers_mut(), desk.spec(), call);
    }
    Ok(reply)
}

/// A browser that posted a form goes on to the login page.
fn farewell(desk: &Desk, call: &Call) -> Reply {
    if !call.wants_page() {
        return wire::empty(StatusCode::NO_CONTENT);
    }
    let mut reply = wire::empty(StatusCode::SEE_OTHER);
    if let Ok(login) = HeaderValue::from_str(&format!("{}/login", desk.spec().base)) {
        reply.headers_mut().insert(header::LOCATION, login);
    }
    reply
}

fn scope(fields: &mut Fields) -> Option<Scope> {
    match fields.optional("scope").as_deref() {
        None => Some(Scope::default()),
        Some("this") => Some(Scope::This),
        Some("others") => Some(Scope::Others),
        Some("all") => Some(Scope::All),
        Some(_) => {
            fields.refuse("scope", "must be this, others or all");
            None
        }
    }
}

/// Who logs out: by the header, the body or the cookies, the first that is there. `None` when what
/// is there belongs to no session that could still be ended.
async fn holder(desk: &Desk, call: &Call, in_body: Option<&str>) -> Result<Option<Holder>, Reject> {
    if let Some(token) = bearer::read(&call.head.headers)? {
        return by_access(desk, call, token).await.map(Some);
    }
    if let Some(token) = in_body {
        return by_refresh(desk, call, token);
    }
    by_cookies(desk, call).await
}

/// A browser whose cookies are of no use is to lose them all the same, so nothing is wrong with them.
async fn by_cookies(desk: &Desk, call: &Call) -> Result<Option<Holder>, Reject> {
    let access = cookie::access(desk.spec(), call)?;
    let refresh = cookie::refresh(desk.spec(), call)?;
    if access.is_none() && refresh.is_none() {
        return if call.wants_page() {
            Ok(None)
        } else {
            Err(Reject::missing_token())
        };
    }
    call.same_origin(desk.spec())?;
    let by_access = match access {
        Some(token) => by_access(desk, call, token).await.ok(),
        None => None,
    };
    let by_refresh = || by_refresh(desk, call, refresh?).ok().flatten();
    Ok(by_access.or_else(by_refresh))
}

async fn by_access(desk: &Desk, call: &Call, token: &str) -> Result<Holder, Reject> {
    let read = |tokens: &Tokens| tokens.read_access_ignoring_expiry(token, call.now);
    let access = desk.parts.tokens.with_newest_keys(read).await?;
    Ok(Holder::new(desk, &access.subject, access.session))
}

fn by_refresh(desk: &Desk, call: &Call, token: &str) -> Result<Option<Holder>, Reject> {
    match desk.parts.tokens.verify_refresh(token, call.now) {
        Ok(Refresh { grant, .. }) => Ok(Some(Holder::new(desk, &grant.subject, grant.session))),
        Err(Refusal::Expired) => Ok(None),
        Err(
            Refusal::Malformed
            | Refusal::WrongType
            | Refusal::UnknownKey
            | Refusal::WrongAlgorithm
            | Refusal::BadSignature
            | Refusal::WrongIssuer
            | Refusal::WrongAudience
            | Refusal::MissingClaim(_)
            | Refusal::NotYetValid,
        ) => Err(refresh::invalid_grant()),
    }
}

/// Ends the sessions; the ones that there were come back.
async fn end(desk: &Desk, holder: Holder, scope: Scope) -> Result<Vec<SessionId>, Reject> {
    let store = &desk.parts.store;
    let Holder { account, session } = holder;
    let which = match scope {
        Scope::This => Revoke::One(session),
        Scope::Others => Revoke::Others { keep: session },
        Scope::All => Revoke::All,
    };
    if scope != Scope::This {
        let alive = store.sessions(account, desk.spec().session).await?;
        if !alive.iter().any(|(id, _)| *id == session) {
            return Ok(Vec::new());
        }
    }
    Ok(store.revoke(account, which, desk.revoked_for()).await?)
}
