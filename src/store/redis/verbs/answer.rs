//! An answer to a challenge, which opens the session if it is right: one step.

use super::{Ended, Reply, Run};
use crate::{
    clock::Timestamp,
    domain::{
        account::AccountKey,
        fraud::Debtor,
        otp::{self, Answer},
        session::Session,
    },
    store::{
        Answered, Error, Login,
        redis::{Redis, keys::group_of, packed::Packed, reply::Nonsense, scripts},
    },
};

/// What an answer was found to be.
enum Found {
    Right { opened_at: Timestamp, ended: Ended },
    Wrong { attempts_left: Option<u32> },
}

impl Redis {
    /// See [`crate::store::Store::answer_challenge`].
    pub async fn answer_challenge(
        &self,
        account: AccountKey,
        answer: Answer,
        policy: otp::Policy,
        login: Login,
        debtors: Vec<Debtor>,
    ) -> Result<Answered, Error> {
        let fixed = Packed::new()
            .span(policy.ttl)
            .span(policy.max_age)
            .count(policy.max_attempts)
            .count(policy.max_failures)
            .bytes(&[policy.require_challenge.into()])
            .bytes(&answer.client.0)
            .bytes(login.id.as_bytes())
            .span(login.policy.idle)
            .span(login.policy.absolute)
            .count(login.policy.max_per_subject)
            .span(login.access_ttl);
        let tags = answer
            .tags
            .iter()
            .fold(Packed::default(), |tags, tag| tags.bytes(&tag.0));
        let group = group_of(account);
        let (debts, others_debts) = self.debts(group, &debtors, &[]);
        let names = &self.shared.keys;
        let mut keys = vec![
            names.code(account),
            names.sessions(account),
            names.revoked(group),
            names.deliveries(group),
            names.queue(group),
        ];
        keys.extend(debts.keys());
        let run = Run {
            script: &scripts::ANSWER,
            group,
            keys: &keys,
            args: &[
                fixed.as_ref(),
                answer.challenge.as_ref().map_or(&[], |id| id.as_bytes()),
                tags.as_ref(),
                login.device_info.as_bytes(),
                login.ip.as_bytes(),
                names.channel().as_bytes(),
                &debts.levels,
            ],
        };
        match self.run(run, read).await? {
            Found::Right { opened_at, ended } => {
                self.refuse(&ended);
                self.pay(&others_debts).await;
                Ok(Answered::Opened(Session {
                    opened_at,
                    last_seen_at: opened_at,
                    device_info: login.device_info,
                    ip: login.ip,
                }))
            }
            Found::Wrong { attempts_left } => Ok(Answered::Wrong { attempts_left }),
        }
    }
}

fn read(mut reply: Reply) -> Result<Found, Nonsense> {
    let found = match reply.word()?.as_slice() {
        b"opened" => Found::Right {
            opened_at: reply.moment()?,
            ended: Ended::read(&mut reply)?,
        },
        b"wrong" => Found::Wrong {
            attempts_left: match reply.number()? {
                -1 => None,
                left => Some(u32::try_from(left).map_err(|_| Nonsense)?),
            },
        },
        _ => return Err(Nonsense),
    };
    reply.end(found)
}
