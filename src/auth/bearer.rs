//! Who is calling an endpoint that needs an access token; knows nothing of what is done for the caller.

use crate::{
    auth::{
        call::{Call, Desk},
        cookie,
    },
    net::bearer::{self, Unusable},
    net::cookies::Duplicate,
    reject::{Code, Reject},
    token::{Access, Tokens},
};

/// How a token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In `Authorization`, which only the caller's own code can set.
    Header,
    /// In a cookie, which a browser adds by itself.
    Cookie,
}

/// A token that was presented, not yet looked at.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    pub token: &'a str,
    pub source: Source,
}

/// Finds the access token of a call. A token in the header is the only one that counts, even if it
/// is of no use: a cookie must not step in for what the caller chose to present.
pub fn presented<'a>(desk: &Desk, call: &'a Call) -> Result<Option<Presented<'a>>, Reject> {
    if let Some(token) = bearer::read(&call.head.headers)? {
        return Ok(Some(Presented {
            token,
            source: Source::Header,
        }));
    }
    let cookie = cookie::access(desk.spec(), call)?;
    Ok(cookie.map(|token| Presented {
        token,
        source: Source::Cookie,
    }))
}

/// The holder of a valid access token of a session that has not ended.
pub async fn caller(desk: &Desk, call: &Call) -> Result<Access, Reject> {
    let presented = presented(desk, call)?.ok_or_else(Reject::missing_token)?;
    let tokens = &desk.parts.tokens;
    let verify = |tokens: &Tokens| tokens.verify_access(presented.token, call.now);
    let access = tokens.with_newest_keys(verify).await?;
    desk.check(access.session, call.now)?;
    if presented.source == Source::Cookie && !call.head.method.is_safe() {
        call.same_origin(desk.spec())?;
    }
    Ok(access)
}

impl From<Unusable> for Reject {
    fn from(unusable: Unusable) -> Self {
        let detail = match unusable {
            Unusable::Repeated => "More than one Authorization header was sent.",
            Unusable::NoToken => "The Authorization header holds no token.",
        };
        Self::token(Code::InvalidToken, detail)
    }
}

impl From<Duplicate> for Reject {
    fn from(Duplicate: Duplicate) -> Self {
        Self::token(
            Code::InvalidToken,
            "The token's cookie came more than once.",
        )
    }
}
