//! What became of messages that SNS took: it writes that into `CloudWatch` Logs and tells nobody, so it is looked for there, as long as something is waited for.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html>

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::sync::Notify;

use super::logs::Logs;
use crate::{
    clock::Timestamp,
    domain::otp::ChallengeId,
    sms::{
        Accepted, Message, MessageId,
        error::Error,
        receipt::{Outcome, Reason, Receipt, Told},
    },
};

/// Where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Such as `https://logs.eu-west-1.amazonaws.com`, without a slash at its end.
    pub base_url: String,
    /// Such as `sns/eu-west-1/123456789012/DirectPublishToPhoneNumber`; failures have one beside it.
    pub group: String,
    /// The pause between two looks.
    pub every: Duration,
}

/// Messages whose fate is waited for, by what SNS calls them. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Awaited(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    messages: Mutex<HashMap<String, Sent>>,
    news: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    challenge: ChallengeId,
    message: MessageId,
    at: Timestamp,
}

/// Looks for what became of them.
#[derive(Debug)]
pub struct Status {
    logs: Logs,
    every: Duration,
    awaited: Awaited,
    readers: [Reader; 2],
}

/// How far one group has been read.
#[derive(Debug)]
struct Reader {
    group: String,
    /// Everything before this was seen.
    seen: Timestamp,
    /// Where to go on, in the middle of a look.
    middle: Option<Middle>,
}

/// A look that came to its bound.
#[derive(Debug)]
struct Middle {
    /// What leads on; it does so for one question alone.
    token: String,
    since: Timestamp,
    began: Timestamp,
}

/// What SNS writes of one message.
#[derive(Deserialize)]
struct Line {
    notification: Notification,
    status: String,
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    provider_response: Option<String>,
}

/// For how long the fate of a message is of interest: longer than any code lives.
const AWAITED_FOR: Duration = Duration::from_mins(15);

/// As many are waited for at most; what became of further ones is not looked for.
const MOST_AWAITED: usize = 10_000;

/// How far AWS's clock and ours may differ, and how late a line may come: every look goes so far
/// back behind the beginning of the last one.
const OVERLAP: Duration = Duration::from_secs(30);

/// Pages of a group that one look reads; the next one goes on where it ended.
const PAGES: usize = 5;

impl Awaited {
    /// Waits for what becomes of `message`, which SNS took at `now` and named as `accepted` says.
    pub fn add(&self, accepted: &Accepted, message: &Message, now: Timestamp) {
        let Some(reference) = &accepted.reference else {
            return;
        };
        let sent = Sent {
            challenge: message.challenge,
            message: message.id,
            at: now,
        };
        let mut messages = self.messages();
        if messages.len() < MOST_AWAITED {
            messages.insert(reference.clone(), sent);
            drop(messages);
            self.0.news.notify_one();
        }
    }

    /// When the oldest of them was sent; those that are too old are given up.
    fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let mut messages = self.messages();
        messages.retain(|_, sent| now.since(sent.at) < AWAITED_FOR);
        messages.values().map(|sent| sent.at).min()
    }

    /// What a line says, if it is about one of them; it is not waited for any more.
    fn receipt(&self, line: &str) -> Option<Receipt> {
        let (reference, told) = read(line)?;
        let sent = self.messages().remove(&reference)?;
        Some(Receipt {
            challenge: sent.challenge,
            message: sent.message,
            told,
        })
    }

    fn messages(&self) -> MutexGuard<'_, HashMap<String, Sent>> {
        // What was added or removed is whole, whoever panicked meanwhile.
        let messages = self.0.messages.lock();
        messages.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// Looks by `logs` for what became of `awaited`.
    pub fn new(spec: &Spec, logs: Logs, awaited: Awaited) -> Self {
        let reader = |group| Reader {
            group,
            seen: Timestamp::default(),
            middle: None,
        };
        Self {
            logs,
            every: spec.every,
            awaited,
            readers: [
                reader(spec.group.clone()),
                reader(format!("{}/Failure", spec.group)),
            ],
        }
    }

    /// The pause between two looks.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// Returns as soon as something is waited for.
    pub async fn wanted(&self) {
        loop {
            let news = self.awaited.0.news.notified();
            if self.awaited.since(self.logs.clock.now()).is_some() {
                return;
            }
            news.await;
        }
    }

    /// Looks once: what was found, and what kept it from looking further.
    pub async fn look(&mut self) -> (Vec<Receipt>, Result<(), Error>) {
        let mut found = Vec::new();
        let mut result = Ok(());
        for reader in &mut self.readers {
            let read = reader.read(&self.logs, &self.awaited, &mut found).await;
            result = result.and(read);
        }
        (found, result)
    }
}

impl Reader {
    async fn read(
        &mut self,
        logs: &Logs,
        awaited: &Awaited,
        found: &mut Vec<Receipt>,
    ) -> Result<(), Error> {
        for _ in 0..PAGES {
            let now = logs.clock.now();
            let Some(oldest) = awaited.since(now) else {
                return Ok(());
            };
            // Nothing leads on for ever: after a failure the next look begins anew.
            let (token, since, began) = match self.middle.take() {
                Some(middle) => (Some(middle.token), middle.since, middle.began),
                None => (None, self.seen.max(oldest.minus(OVERLAP)), now),
            };
            let page = logs.page(&self.group, since, token.as_deref()).await?;
            found.extend(page.texts().filter_map(|line| awaited.receipt(line)));
            let Some(token) = page.next else {
                self.seen = began.minus(OVERLAP);
                return Ok(());
            };
            self.middle = Some(Middle {
                token,
                since,
                began,
            });
        }
        Ok(())
    }
}

/// What a line says of the message that SNS calls so.
fn read(line: &str) -> Option<(String, Told)> {
    let line: Line = serde_json::from_str(line).ok()?;
    let outcome = match line.status.as_str() {
        "SUCCESS" => Outcome::Arrived,
        "FAILURE" => Outcome::Lost,
        _ => return None,
    };
    let reference = line.notification.message_id;
    let words = line
        .delivery
        .and_then(|delivery| delivery.provider_response);
    let told = Told {
        outcome: Some(outcome),
        reference: Some(reference.clone()),
        reason: words
            .filter(|_| outcome == Outcome::Lost)
            .and_then(|words| Reason::words(&words)),
    };
    Some((reference, told))
}

#[cfg(test)]
mod tests;
