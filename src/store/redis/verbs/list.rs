//! The living sessions of an account: one step that changes nothing.

use super::{Reply, Run};
use crate::{
    domain::{
        account::AccountKey,
        session::{self, Session, SessionId},
    },
    store::{
        Error,
        redis::{Redis, keys::group_of, packed::Packed, reply::Nonsense, scripts},
    },
};

impl Redis {
    /// See [`crate::store::Store::sessions`].
    pub async fn sessions(
        &self,
        account: AccountKey,
        policy: session::Policy,
    ) -> Result<Vec<(SessionId, Session)>, Error> {
        let fixed = Packed::new().span(policy.idle).span(policy.absolute);
        let run = Run {
            script: &scripts::LIST,
            group: group_of(account),
            keys: &[self.shared.keys.sessions(account)],
            args: &[fixed.as_ref()],
        };
        self.run(run, read).await
    }
}

fn read(mut reply: Reply) -> Result<Vec<(SessionId, Session)>, Nonsense> {
    let mut sessions = match reply.word()?.as_slice() {
        b"sessions" => Vec::new(),
        _ => return Err(Nonsense),
    };
    while !reply.is_empty() {
        sessions.push((SessionId::new(reply.bytes()?), reply.session()?));
    }
    Ok(sessions)
}
