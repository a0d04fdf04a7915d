//! The messages that are due, in all groups: asked for at once, so that it takes one round trip to each server.
//!
//! No group takes more than its share of an answer, so that a busy one starves no other, and a
//! server that fails hides only its own.

use super::{Run, row};
use crate::{
    clock::Timestamp,
    domain::{delivery::MessageId, otp::ChallengeId},
    store::{
        Error,
        redis::{
            Redis,
            group::Group,
            join::join_all,
            packed::Packed,
            reply::{Nonsense, Reply},
            scripts,
        },
    },
};

/// Groups that one script looks at where it can reach several, so that others need not wait long for it.
const GROUPS: usize = 32;

/// One group gives at most one in so many of all that were asked for.
const SHARE: usize = 8;

/// A message that is due.
struct Due {
    /// Its place among those of its group.
    rank: usize,
    since: Timestamp,
    challenge: ChallengeId,
    message: MessageId,
}

/// What some groups have.
struct Found {
    pending: u64,
    due: Vec<Due>,
}

impl Redis {
    /// See [`crate::store::Store::due`].
    pub async fn due(&self, limit: usize) -> Result<Vec<(ChallengeId, MessageId)>, Error> {
        let groups: Vec<_> = Group::all().collect();
        let reach = if self.link.is_one_server() { GROUPS } else { 1 };
        let asking = groups
            .chunks(reach)
            .map(|some| self.in_a_round(self.due_in(some, limit)));
        let (mut found, mut failed) = (Vec::new(), None);
        let mut pending = 0;
        for some in join_all(asking).await {
            match some {
                Ok(some) => {
                    pending += some.pending;
                    found.extend(some.due);
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            if found.is_empty() {
                return Err(error);
            }
            tracing::warn!(%error, "some messages cannot be seen, and wait");
        } else {
            self.shared.figures.set_pending(pending);
        }
        Ok(fairly(found, limit))
    }

    async fn due_in(&self, groups: &[Group], limit: usize) -> Result<Found, Error> {
        let Some(first) = groups.first() else {
            return Err(self.nonsense());
        };
        let names = &self.shared.keys;
        let keys = groups
            .iter()
            .flat_map(|group| [names.deliveries(*group), names.queue(*group)]);
        let most = u32::try_from(limit.div_ceil(SHARE)).unwrap_or(u32::MAX);
        let most = Packed::new().count(most);
        let run = Run {
            script: &scripts::DUE,
            group: *first,
            keys: &keys.collect::<Vec<_>>(),
            args: &[most.as_ref()],
        };
        self.run(run, read).await
    }
}

/// The first of every group, then the second ones, and so on, as many as were asked for; of these the
/// oldest first.
fn fairly(mut found: Vec<Due>, limit: usize) -> Vec<(ChallengeId, MessageId)> {
    found.sort_by_key(|due| (due.rank, due.since));
    found.truncate(limit);
    found.sort_by_key(|due| due.since);
    let due = found.into_iter().map(|due| (due.challenge, due.message));
    due.collect()
}

fn read(mut reply: Reply) -> Result<Found, Nonsense> {
    reply.word()?;
    let pending = reply.number()?;
    let mut groups = reply.list()?;
    let mut due = Vec::new();
    while !groups.is_empty() {
        let mut group = groups.list()?;
        let mut rank = 0;
        while !group.is_empty() {
            let challenge = ChallengeId::new(group.bytes()?);
            let since = group.moment()?;
            let message = row::read(&group.word()?)?.message;
            due.push(Due {
                rank,
                since,
                challenge,
                message,
            });
            rank += 1;
        }
    }
    reply.end(Found { pending, due })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(group: u8, rank: usize, since: u64) -> Due {
        let challenge = ChallengeId::new([group; 16]);
        Due {
            rank,
            since: Timestamp::from_millis(since),
            challenge,
            message: MessageId::new([0; 16]),
        }
    }

    #[test]
    fn a_busy_group_starves_no_other() {
        let of_busy = (0..8).map(|rank| due(1, rank, rank as u64));
        let others = [due(2, 0, 100), due(3, 0, 200)];
        let found: Vec<_> = of_busy.chain(others).collect();
        let told = fairly(found, 4);
        let groups = told.iter().map(|(challenge, _)| challenge.as_bytes()[0]);
        // The oldest stand first all the same.
        assert_eq!(groups.collect::<Vec<_>>(), [1, 1, 2, 3]);
    }
}
