//! What the model knows of messages, and of the requests that they were for.

use super::*;

impl Model {
    /// A send that may have a name, and queues its message.
    pub fn request(
        &mut self,
        whose: u8,
        start: &Start,
        charges: &[Charge],
        credit: &Credit,
        parcel: &Parcel,
        now: Timestamp,
    ) -> Sending {
        let name = parcel.once.map(|once| (whose, once.key));
        if let Some((once, name)) = parcel.once.zip(name)
            && let Some((request, started)) = self.requests.get(&name)
            && started.expires_at > now
        {
            return if *request == once.request {
                Sending::Repeated(started.clone())
            } else {
                Sending::Reused
            };
        }
        let sending = self.send(whose, start, charges, credit, now);
        if let Sending::Started(started) | Sending::Despite(started, _) = &sending {
            self.messages.insert(started.id, parcel.queued(started));
            if let Some((once, name)) = parcel.once.zip(name) {
                self.requests.insert(name, (once.request, started.clone()));
            }
        }
        sending
    }

    /// The code of these challenges is known to somebody.
    pub fn answered(&mut self, challenges: &[ChallengeId], now: Timestamp) {
        for challenge in challenges {
            if let Some(kept) = self.message(*challenge, now) {
                let answered = kept.step(Turn::Answered, now);
                self.messages
                    .insert(*challenge, answered.delivery().clone());
            }
        }
    }

    pub async fn check_turn(&mut self, stage: &Stage, challenge: ChallengeId, drawn: &Drawn) {
        let now = stage.now();
        let kept = self.message(challenge, now);
        let turn = drawn.turn(kept.as_ref());
        let expected = kept.map(|kept| kept.step(turn.clone(), now));
        if let Some(turned) = &expected {
            self.messages.insert(challenge, turned.delivery().clone());
        }
        let turned = stage.store.deliver(challenge, turn).await;
        assert_eq!(turned.unwrap(), expected);
        let kept = stage.store.delivery(challenge).await.unwrap();
        assert_eq!(kept, expected.map(|turned| turned.delivery().clone()));
    }

    pub async fn check_due(&self, stage: &Stage) {
        let now = stage.now();
        let is_due = |id: &ChallengeId| {
            let kept = self.message(*id, now);
            let due = kept.and_then(|kept| kept.due_at());
            due.is_some_and(|due| due <= now)
        };
        let expected = self.messages.keys().copied().filter(is_due);
        let sorted = |mut due: Vec<ChallengeId>| {
            due.sort_unstable_by_key(|id| *id.as_bytes());
            due
        };
        assert_eq!(sorted(stage.due().await), sorted(expected.collect()));
    }

    /// The message that is kept of a challenge, if it is not forgotten.
    fn message(&self, challenge: ChallengeId, now: Timestamp) -> Option<Delivery> {
        let kept = self.messages.get(&challenge);
        kept.filter(|kept| kept.dead_at() > now).cloned()
    }
}
