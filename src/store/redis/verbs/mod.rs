//! The verbs: what each gives its script and how it reads the answer; what a step means is said in `lua/` and in `domain`.

mod across;
mod answer;
mod deliver;
mod due;
mod guard;
mod list;
mod ready;
mod revoke;
mod rotate;
pub mod row;
mod start;
mod take;

pub use self::{
    guard::read_meter,
    ready::{FORM, Plate, UNFINISHED},
};

use super::{
    Redis,
    group::Group,
    reply::{Nonsense, Reply},
    script::Script,
};
use crate::{
    clock::{Clock, Timestamp},
    domain::session::SessionId,
    store::Error,
};

/// One run of a script, but for the time, which every script is told first.
struct Run<'a> {
    script: &'a Script,
    group: Group,
    keys: &'a [String],
    args: &'a [&'a [u8]],
}

/// Sessions that a script has ended, and until when their access tokens are refused.
#[derive(Debug, Default)]
struct Ended {
    ids: Vec<SessionId>,
    until: Timestamp,
}

impl Redis {
    /// Runs a script on keys that are ours.
    async fn run<T>(
        &self,
        run: Run<'_>,
        read: impl FnOnce(Reply) -> Result<T, Nonsense>,
    ) -> Result<T, Error> {
        self.is_ours().await?;
        self.run_unchecked(run, read).await
    }

    /// Runs a script and reads its answer.
    async fn run_unchecked<T>(
        &self,
        run: Run<'_>,
        read: impl FnOnce(Reply) -> Result<T, Nonsense>,
    ) -> Result<T, Error> {
        let Run {
            script,
            group,
            keys,
            args,
        } = run;
        let now = self.now();
        let args = [&[now.as_bytes()], args].concat();
        let answer = self
            .link
            .call(script, group, keys, &args)
            .await
            .and_then(|value| {
                Reply::new(value)
                    .and_then(read)
                    .map_err(|Nonsense| self.nonsense())
            });
        self.shared.figures.count(&answer);
        answer
    }

    /// What scripts are told of the time: nothing, since they ask their server, which is the same
    /// for all gateways. Only where a test moves the time are they told.
    fn now(&self) -> String {
        match &self.shared.clock {
            Clock::System => String::new(),
            clock @ Clock::Manual(_) => clock.now().as_millis().to_string(),
        }
    }

    /// Lets this gateway refuse ended sessions from now on, ahead of what the server tells all.
    fn refuse(&self, ended: &Ended) {
        let now = self.shared.clock.now();
        for id in &ended.ids {
            self.shared.revocations.add(*id, ended.until, now);
        }
    }

    fn nonsense(&self) -> Error {
        let name = &self.shared.name;
        Error::Unavailable(
            format!("store {name}: it gives answers that no script of ours gives").into(),
        )
    }
}

impl Ended {
    /// As scripts tell it: until when, and the ids.
    fn read(reply: &mut Reply) -> Result<Self, Nonsense> {
        Ok(Self {
            until: reply.moment()?,
            ids: reply.session_ids()?,
        })
    }
}
