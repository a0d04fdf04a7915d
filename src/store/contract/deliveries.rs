//! Rules of the messages: queued with their challenge, claimed by one, never lost and never sent twice without a reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::domain::delivery::{AFTERMATH, Claimant, Failure, HANDOVER, Outcome, State, Status};

const LEASE: Duration = Duration::from_secs(20);

/// A message of its own name.
pub fn parcel_of(n: u64) -> Parcel {
    Parcel {
        message: message(n),
        ..parcel()
    }
}

pub fn message(n: u64) -> MessageId {
    let mut random = [8; 16];
    random[8..].copy_from_slice(&n.to_be_bytes());
    MessageId::new(random)
}

/// Each by somebody else.
pub fn claim(message: MessageId) -> Turn {
    static CLAIMS: AtomicU64 = AtomicU64::new(1000);
    Turn::Claim {
        message,
        by: Claimant(CLAIMS.fetch_add(1, Relaxed)),
        lease: LEASE,
    }
}

/// A provider has taken what was claimed.
pub fn taken(delivery: &Delivery, silence: Option<Duration>) -> Turn {
    Turn::Taken {
        ticket: delivery.ticket(),
        provider: "twilio".to_owned(),
        reference: Some("SM1".to_owned()),
        next_way: Some(1),
        silence,
    }
}

impl Stage {
    /// A send whose message is this one.
    pub async fn send_parcel(&self, account: AccountKey, start: Start, parcel: Parcel) -> Sending {
        let sent = self
            .store
            .start_challenge(account, start, vec![], UNGUARDED, *OTP, parcel);
        sent.await.unwrap()
    }

    /// A send that nothing holds back, with message `n`.
    pub async fn queue(&self, account: AccountKey, n: u64) -> Started {
        let client = u8::try_from(n % 200).unwrap() + 1;
        match self
            .send_parcel(account, start(client, n), parcel_of(n))
            .await
        {
            Sending::Started(started) => started,
            other @ (Sending::Despite(..)
            | Sending::Limited { .. }
            | Sending::Suspected(_)
            | Sending::Unpaid { .. }
            | Sending::Repeated(_)
            | Sending::Reused) => panic!("{other:?}"),
        }
    }

    pub async fn deliver(&self, started: &Started, turn: Turn) -> Turned {
        let turned = self.store.deliver(started.id, turn).await.unwrap();
        turned.unwrap()
    }

    /// What was claimed.
    pub async fn claimed(&self, started: &Started, message: MessageId) -> Delivery {
        let turned = self.deliver(started, claim(message)).await;
        assert!(matches!(turned, Turned::Claimed(_)), "{turned:?}");
        turned.delivery().clone()
    }

    pub async fn delivery(&self, started: &Started) -> Option<Delivery> {
        self.store.delivery(started.id).await.unwrap()
    }

    /// The challenges whose messages are due.
    pub async fn due(&self) -> Vec<ChallengeId> {
        let due = self.store.due(1000).await.unwrap();
        due.into_iter().map(|(challenge, _)| challenge).collect()
    }
}

pub async fn a_message_is_queued_with_its_challenge(stage: Stage) {
    let started = stage.queue(ANN, 1).await;
    let queued = stage.delivery(&started).await.unwrap();
    assert_eq!(queued, parcel_of(1).queued(&started));
    // Whoever has stored it has it to themselves for a moment.
    assert!(stage.due().await.is_empty());
    let due = stage.now() + HANDOVER;
    stage.wait_until(due.minus(Duration::from_millis(1)));
    assert!(stage.due().await.is_empty());
    stage.wait_until(due);
    let due = stage.store.due(9).await.unwrap();
    assert_eq!(due, [(started.id, message(1))]);
    // To look is not to claim.
    assert_eq!(stage.due().await, [started.id]);

    let sending = stage.claimed(&started, message(1)).await;
    assert_eq!((sending.attempt, &sending.sealed), (1, &parcel().sealed));
    assert!(stage.due().await.is_empty());
    let sent = stage.deliver(&started, taken(&sending, None)).await;
    assert_eq!(
        stage.delivery(&started).await.as_ref(),
        Some(sent.delivery())
    );
    assert_eq!(sent.delivery().status(), Status::Sent);
    let arrived = Turn::Receipt {
        message: message(1),
        reference: Some("SM1".to_owned()),
        outcome: Outcome::Arrived,
    };
    stage.deliver(&started, arrived).await;
    let delivered = stage.delivery(&started).await.unwrap();
    assert_eq!(delivered.status(), Status::Delivered);
    assert!(stage.due().await.is_empty());
}

pub async fn of_sixty_four_claims_at_once_one_wins(stage: Stage) {
    for n in 0..4 {
        let started = stage.queue(account(n), n.into()).await;
        let turned = at_once(64, |_| {
            let store = stage.store.clone();
            let turn = claim(message(n.into()));
            Box::pin(async move { store.deliver(started.id, turn).await })
        })
        .await;
        let won = turned
            .iter()
            .filter(|turned| matches!(turned, Some(Turned::Claimed(_))));
        assert_eq!(won.count(), 1);
        let sending = stage.delivery(&started).await.unwrap();
        assert_eq!(sending.attempt, 1);
    }
}

pub async fn a_claim_that_is_made_again_is_the_same_claim(stage: Stage) {
    let started = stage.queue(ANN, 1).await;
    let claim = claim(message(1));
    let first = stage.deliver(&started, claim.clone()).await;
    assert!(matches!(first, Turned::Claimed(_)), "{first:?}");
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.deliver(&started, claim.clone()).await, first);
    let sent = taken(first.delivery(), None);
    let sent = stage.deliver(&started, sent).await.delivery().clone();
    let late = stage.deliver(&started, claim).await;
    assert_eq!(late, Turned::Unchanged(sent));
}

pub async fn a_resend_takes_the_place_of_the_message_before_it(stage: Stage) {
    let first = stage.queue(ANN, 1).await;
    let sending = stage.claimed(&first, message(1)).await;
    stage.clock.advance(Duration::from_secs(1));
    let again = stage.send_parcel(ANN, start(2, 9), parcel_of(9)).await;
    assert!(matches!(again, Sending::Started(again) if again.id == first.id));
    let queued = stage.delivery(&first).await.unwrap();
    assert_eq!((queued.message, queued.attempt), (message(9), 0));
    // Whoever sends the first one reports on nothing.
    for late in [
        taken(&sending, Some(Duration::ZERO)),
        claim(message(1)),
        Turn::Receipt {
            message: message(1),
            reference: None,
            outcome: Outcome::Arrived,
        },
    ] {
        let turned = stage.deliver(&first, late).await;
        assert_eq!(turned, Turned::Unchanged(queued.clone()));
    }
    // Nor does the lease of the first come back.
    stage.clock.advance(LEASE);
    assert_eq!(stage.store.due(9).await.unwrap(), [(first.id, message(9))]);
    assert_eq!(stage.claimed(&first, message(9)).await.attempt, 1);
}

pub async fn what_is_due_is_told_oldest_first_and_no_more_than_was_asked_for(stage: Stage) {
    let mut sent = Vec::new();
    for n in 0..30 {
        // They lie all over the store.
        sent.push(stage.queue(account(n * 7), n.into()).await.id);
        stage.clock.advance(Duration::from_millis(3));
    }
    stage.clock.advance(HANDOVER);
    assert_eq!(stage.due().await, sent);
    let some = stage.store.due(8).await.unwrap();
    let some: Vec<_> = some.into_iter().map(|(challenge, _)| challenge).collect();
    assert_eq!(some, sent[..8]);
    assert!(stage.store.due(0).await.unwrap().is_empty());
    for (n, challenge) in (0..8).zip(&sent) {
        stage
            .store
            .deliver(*challenge, claim(message(n)))
            .await
            .unwrap();
    }
    assert_eq!(stage.due().await, sent[8..]);
}

pub async fn whoever_claims_and_falls_silent_may_have_sent_it(stage: Stage) {
    let started = stage.queue(ANN, 1).await;
    let sending = stage.claimed(&started, message(1)).await;
    stage.clock.advance(LEASE);
    assert_eq!(stage.due().await, [started.id]);
    let told = stage.delivery(&started).await.unwrap();
    assert_eq!(told.status(), Status::Sent);
    let turned = stage.deliver(&started, claim(message(1))).await;
    assert_eq!(turned, Turned::Changed(told));
    assert!(stage.due().await.is_empty());
    // It was only slow.
    let again = Turn::NotSent {
        ticket: sending.ticket(),
        next_way: 1,
        again: Some(Duration::from_secs(5)),
        why: Failure::Unavailable,
    };
    stage.deliver(&started, again).await;
    assert!(stage.due().await.is_empty());
    stage.clock.advance(Duration::from_secs(5));
    assert_eq!(stage.due().await, [started.id]);
    let sending = stage.claimed(&started, message(1)).await;
    assert_eq!((sending.attempt, sending.next_way), (2, 1));
}

pub async fn a_silence_leads_to_the_next_way(stage: Stage) {
    let started = stage.queue(ANN, 1).await;
    let sending = stage.claimed(&started, message(1)).await;
    let silence = Some(Duration::from_secs(30));
    stage.deliver(&started, taken(&sending, silence)).await;
    stage.clock.advance(Duration::from_secs(29));
    assert!(stage.due().await.is_empty());
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.due().await, [started.id]);
    assert_eq!(stage.claimed(&started, message(1)).await.next_way, 1);
}

pub async fn a_message_dies_with_its_code_and_is_forgotten_later(stage: Stage) {
    let started = stage.queue(ANN, 1).await;
    stage.wait_until(started.expires_at);
    let expired = stage.delivery(&started).await.unwrap();
    assert_eq!(expired.state, State::Failed(Failure::Expired));
    // Somebody is to take notice of it, once.
    assert_eq!(stage.due().await, [started.id]);
    let turned = stage.deliver(&started, claim(message(1))).await;
    assert_eq!(turned, Turned::Changed(expired));
    assert!(stage.due().await.is_empty());

    let other = stage.queue(BOB, 2).await;
    stage.wait_until(started.expires_at + AFTERMATH);
    assert_eq!(stage.delivery(&started).await, None);
    // The other one was never looked at.
    assert_eq!(stage.due().await, [other.id]);
    stage.wait_until(other.expires_at + AFTERMATH);
    assert!(stage.due().await.is_empty());
    let turned = stage.store.deliver(other.id, claim(message(2))).await;
    assert_eq!(turned.unwrap(), None);
}

pub async fn a_right_answer_is_as_good_as_a_receipt(stage: Stage) {
    let mine = stage.queue(ANN, 1).await;
    let theirs = stage.queue(ANN, 2).await;
    let elsewhere = stage.queue(BOB, 3).await;
    assert_eq!(mine.nonce, theirs.nonce);
    let wrong = stage.answer(ANN, Stage::wrong(&mine), 1).await;
    assert!(matches!(wrong, Answered::Wrong { .. }));
    stage.clock.advance(HANDOVER);
    assert_eq!(stage.due().await.len(), 3);
    let answered = stage.answer(ANN, Stage::right(&mine), 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
    for (started, n) in [(&mine, 1), (&theirs, 2)] {
        let delivered = stage.delivery(started).await.unwrap();
        assert_eq!(delivered.status(), Status::Delivered);
        let turned = stage.deliver(started, claim(message(n))).await;
        assert_eq!(turned, Turned::Unchanged(delivered));
    }
    assert_eq!(stage.due().await, [elsewhere.id]);
}

pub async fn what_goes_nowhere_is_kept_and_never_due(stage: Stage) {
    let nowhere = Parcel {
        goes: Goes::Nowhere,
        ..parcel_of(1)
    };
    let sent = stage.send_parcel(ANN, start(1, 1), nowhere.clone()).await;
    let Sending::Started(started) = sent else {
        panic!("{sent:?}");
    };
    let kept = stage.delivery(&started).await.unwrap();
    assert_eq!(kept, nowhere.queued(&started));
    assert_eq!(kept.status(), Status::Sent);
    stage.clock.advance(HANDOVER);
    assert!(stage.due().await.is_empty());
    let turned = stage.deliver(&started, claim(message(1))).await;
    assert_eq!(turned, Turned::Unchanged(kept));
}

pub async fn a_refused_send_queues_nothing(stage: Stage) {
    let limit = [charge(1, 1, Duration::from_mins(30))];
    let sent = stage.send_within(&limit).await;
    let Sending::Started(started) = sent else {
        panic!("{sent:?}");
    };
    stage.claimed(&started, parcel().message).await;
    let before = stage.delivery(&started).await;
    let refused = stage.send_within(&limit).await;
    assert!(matches!(refused, Sending::Limited { .. }));
    assert_eq!(stage.delivery(&started).await, before);
    let never = ChallengeId::new([0xaa; 16]);
    assert_eq!(stage.store.delivery(never).await.unwrap(), None);
    let turned = stage.store.deliver(never, Turn::Answered).await;
    assert_eq!(turned.unwrap(), None);
}
