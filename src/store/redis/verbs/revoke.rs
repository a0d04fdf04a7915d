//! The end of sessions before their time: one step.

use std::time::Duration;

use super::{Ended, Reply, Run};
use crate::{
    domain::{account::AccountKey, session::SessionId},
    store::{
        Error, Revoke,
        redis::{Redis, keys::group_of, packed::Packed, reply::Nonsense, scripts},
    },
};

impl Redis {
    /// See [`crate::store::Store::revoke`].
    pub async fn revoke(
        &self,
        account: AccountKey,
        which: Revoke,
        revoked_for: Duration,
    ) -> Result<Vec<SessionId>, Error> {
        let fixed = Packed::new().span(revoked_for);
        let (which, id): (&str, &[u8]) = match &which {
            Revoke::One(id) => ("one", id.as_bytes()),
            Revoke::All => ("all", &[]),
            Revoke::Others { keep } => ("others", keep.as_bytes()),
        };
        let group = group_of(account);
        let keys = &self.shared.keys;
        let run = Run {
            script: &scripts::REVOKE,
            group,
            keys: &[keys.sessions(account), keys.revoked(group)],
            args: &[
                fixed.as_ref(),
                which.as_bytes(),
                id,
                keys.channel().as_bytes(),
            ],
        };
        let ended = self.run(run, read).await?;
        self.refuse(&ended);
        Ok(ended.ids)
    }
}

fn read(mut reply: Reply) -> Result<Ended, Nonsense> {
    let ended = match reply.word()?.as_slice() {
        b"ended" => Ended::read(&mut reply)?,
        _ => return Err(Nonsense),
    };
    reply.end(ended)
}
