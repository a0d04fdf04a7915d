//! A use of a refresh token: one step.

use std::time::Duration;

use super::{Ended, Reply, Run};
use crate::{
    domain::{
        account::AccountKey,
        session::{self, SessionId},
    },
    store::{
        Error, Rotated,
        redis::{Redis, keys::group_of, packed::Packed, reply::Nonsense, scripts},
    },
};

impl Redis {
    /// See [`crate::store::Store::rotate`].
    pub async fn rotate(
        &self,
        account: AccountKey,
        id: SessionId,
        generation: u32,
        ip: String,
        policy: session::Policy,
        revoked_for: Duration,
    ) -> Result<Rotated, Error> {
        let fixed = Packed::new()
            .bytes(id.as_bytes())
            .count(generation)
            .span(policy.idle)
            .span(policy.absolute)
            .span(policy.grace)
            .span(revoked_for);
        let group = group_of(account);
        let keys = &self.shared.keys;
        let run = Run {
            script: &scripts::ROTATE,
            group,
            keys: &[keys.sessions(account), keys.revoked(group)],
            args: &[fixed.as_ref(), ip.as_bytes(), keys.channel().as_bytes()],
        };
        let (rotated, ended) = self.run(run, read).await?;
        self.refuse(&ended);
        Ok(rotated)
    }
}

fn read(mut reply: Reply) -> Result<(Rotated, Ended), Nonsense> {
    let mut ended = Ended::default();
    let rotated = match reply.word()?.as_slice() {
        b"to" => Rotated::To {
            generation: reply.number()?,
            issued_at: reply.moment()?,
            now: reply.moment()?,
            session: reply.session()?,
        },
        b"replayed" => {
            ended = Ended::read(&mut reply)?;
            Rotated::Replayed
        }
        b"ended" => Rotated::Ended,
        _ => return Err(Nonsense),
    };
    reply.end((rotated, ended))
}
