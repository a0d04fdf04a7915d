//! `POST refresh`: a refresh token is exchanged for new tokens; knows nothing of how its session began.
//!
//! With the token in the body the answer is that of `verify-otp`. With the token in the cookie the
//! new ones go into cookies too and into nothing else: the cookies are there so that no script
//! can read the tokens, and an answer that a script can read would undo that.

use http::StatusCode;

use crate::{
    auth::{
        call::{Call, Desk},
        cookie, derive,
        pair::{Generation, Pair},
        wire::{self, Fields, Reply},
    },
    observe::{audit::Event, metrics::Refresh as Counted},
    reject::{Code, FieldError, Reject},
    store::Rotated,
    token::Refresh,
};

/// Answers a refresh.
pub async fn answer(desk: &Desk, call: &Call, mut fields: Fields) -> Result<Reply, Reject> {
    let in_body = fields.optional("refresh_token");
    fields.finish(Some(()))?;
    match in_body {
        Some(token) => {
            let pair = rotate(desk, call, &token).await?;
            wire::json(StatusCode::OK, &pair.to_json())
        }
        None => by_cookie(desk, call).await,
    }
}

/// Exchanges `token` for its successor. Of everything that can be wrong with it the caller learns
/// one thing: it is of no use any more (RFC 6749 §5.2).
pub async fn rotate(desk: &Desk, call: &Call, token: &str) -> Result<Pair, Reject> {
    let counted = |result| desk.parts.metrics.refresh(result);
    // A forged token ends here: the store is not asked.
    let Ok(Refresh {
        grant, generation, ..
    }) = desk.parts.tokens.verify_refresh(token, call.now)
    else {
        counted(Counted::Invalid);
        return Err(invalid_grant());
    };
    let rotated = desk.parts.store.rotate(
        derive::account_key(&desk.parts.masters, &grant.subject),
        grant.session,
        generation,
        call.client.ip.to_string(),
        desk.spec().session,
        desk.revoked_for(),
    );
    match rotated.await? {
        Rotated::To {
            generation: number,
            issued_at,
            session,
            now,
        } => {
            counted(Counted::Rotated);
            call.audit(Event::SessionRefreshed, None, Some(grant.session));
            let generation = Generation {
                number,
                issued_at,
                opened_at: session.opened_at,
            };
            Pair::issue(desk, &grant, generation, now)
        }
        Rotated::Replayed => {
            counted(Counted::Replayed);
            call.audit(Event::SessionReplayed, None, Some(grant.session));
            Err(invalid_grant())
        }
        Rotated::Ended => {
            counted(Counted::Ended);
            Err(invalid_grant())
        }
    }
}

async fn by_cookie(desk: &Desk, call: &Call) -> Result<Reply, Reject> {
    let token = cookie::refresh(desk.spec(), call).map_err(|_| invalid_grant())?;
    let token = token.ok_or_else(|| {
        Reject::fields(vec![FieldError {
            field: "refresh_token",
            message: "is required, here or as a cookie".into(),
        }])
    })?;
    call.same_origin(desk.spec())?;
    let pair = rotate(desk, call, token).await?;
    let mut reply = wire::json(StatusCode::OK, &pair.to_json_without_tokens())?;
    cookie::set(reply.headers_mut(), desk.spec(), call, &pair);
    Ok(reply)
}

/// The one answer to every refresh token that is of no use.
pub fn invalid_grant() -> Reject {
    Reject::new(
        Code::InvalidGrant,
        "The refresh token is not valid, was replaced or has expired.",
    )
}
