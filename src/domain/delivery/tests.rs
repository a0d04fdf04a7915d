//! Each turn alone; any sequence of them is in `sequences`.

mod sequences;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;

const MESSAGE: MessageId = MessageId::new([1; 16]);
const OTHER: MessageId = MessageId::new([2; 16]);
const LEASE: Duration = Duration::from_secs(20);
const LIFE: Duration = Duration::from_mins(5);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

fn parcel(goes: Goes) -> Parcel {
    Parcel {
        message: MESSAGE,
        sealed: b"to somebody".to_vec(),
        goes,
        once: None,
    }
}

/// A message that was asked for at second 0, and whose code dies at second 300.
fn queued() -> Delivery {
    parcel(Goes::Out).queued(&Started {
        id: crate::domain::otp::ChallengeId::new([3; 16]),
        nonce: Nonce([4; 16]),
        secret: SecretId::new([5; 4]),
        sent_at: at(0),
        expires_at: at(0) + LIFE,
    })
}

/// By whom, does not matter, but it is somebody else each time.
fn claim(message: MessageId) -> Turn {
    static CLAIMS: AtomicU64 = AtomicU64::new(1000);
    claim_by(Claimant(CLAIMS.fetch_add(1, Relaxed)), message)
}

const fn claim_by(by: Claimant, message: MessageId) -> Turn {
    Turn::Claim {
        message,
        by,
        lease: LEASE,
    }
}

/// It was taken by the `way` of two, under the name `reference`.
fn taken(ticket: Ticket, reference: &str, silence: Option<Duration>) -> Turn {
    Turn::Taken {
        ticket,
        provider: "twilio".to_owned(),
        reference: Some(reference.to_owned()),
        next_way: Some(1),
        silence,
    }
}

fn receipt(reference: Option<&str>, outcome: Outcome) -> Turn {
    Turn::Receipt {
        message: MESSAGE,
        reference: reference.map(str::to_owned),
        outcome,
    }
}

fn claimed(delivery: Delivery, now: Timestamp) -> Delivery {
    let turned = delivery.step(claim(MESSAGE), now);
    assert!(matches!(turned, Turned::Claimed(_)), "{turned:?}");
    turned.delivery().clone()
}

fn changed(delivery: Delivery, turn: Turn, now: Timestamp) -> Delivery {
    let turned = delivery.step(turn, now);
    assert!(matches!(turned, Turned::Changed(_)), "{turned:?}");
    turned.delivery().clone()
}

fn unchanged(delivery: &Delivery, turn: Turn, now: Timestamp) {
    let turned = delivery.clone().step(turn, now);
    assert_eq!(turned, Turned::Unchanged(delivery.clone()));
}

/// Sent at second 1 by the first way of two, which is given `silence`.
fn sent(silence: Option<Duration>) -> Delivery {
    let sending = claimed(queued(), at(1));
    let ticket = sending.ticket();
    changed(sending, taken(ticket, "SM1", silence), at(1))
}

#[test]
fn a_message_is_claimed_once_and_by_whoever_means_this_one() {
    let queued = queued();
    assert_eq!(queued.due_at(), Some(at(0) + HANDOVER));
    unchanged(&queued, claim(OTHER), at(3));
    // Not due yet: whoever has stored it is at it at once.
    let sending = claimed(queued, at(0));
    assert_eq!((sending.attempt, sending.due_at()), (1, Some(at(20))));
    assert_eq!(sending.status(), Status::Queued);
    unchanged(&sending, claim(MESSAGE), at(1));
}

#[test]
fn whoever_has_not_heard_that_they_have_it_may_ask_again() {
    let claim = claim_by(Claimant(7), MESSAGE);
    let first = queued().step(claim.clone(), at(1));
    assert!(matches!(first, Turned::Claimed(_)), "{first:?}");
    let sending = first.delivery().clone();
    assert_eq!(sending.clone().step(claim.clone(), at(20)), first);
    unchanged(&sending, claim_by(Claimant(8), MESSAGE), at(20));
    // But not for longer than they are waited for.
    let lapsed = changed(sending, claim.clone(), at(21));
    unchanged(&lapsed, claim, at(22));
}

#[test]
fn nothing_is_claimed_once_its_code_is_dead() {
    claimed(queued(), at(299));
    let expired = changed(queued(), claim(MESSAGE), at(300));
    assert_eq!(expired.state, State::Failed(Failure::Expired));
    assert_eq!(expired.due_at(), None);
    unchanged(&expired, claim(MESSAGE), at(301));
}

#[test]
fn whoever_is_not_heard_of_again_may_have_sent_it() {
    let sending = claimed(queued(), at(1));
    unchanged(&sending, claim(MESSAGE), at(20));
    let lapsed = changed(sending.clone(), claim(MESSAGE), at(21));
    assert!(matches!(&lapsed.state, State::Sent(sent) if sent.sure == Sure::Unsure));
    assert_eq!((lapsed.status(), lapsed.due_at()), (Status::Sent, None));
    assert_eq!(sending.clone().at(at(21)), lapsed);
    unchanged(&lapsed, claim(MESSAGE), at(22));
    // Late news is better than none.
    let ticket = sending.ticket();
    let known = changed(lapsed.clone(), taken(ticket, "SM1", None), at(30));
    assert_eq!(known.state, sent(None).state);
    let not_sent = Turn::NotSent {
        ticket,
        next_way: 0,
        again: Some(Duration::ZERO),
        why: Failure::Unavailable,
    };
    let again = changed(lapsed, not_sent.clone(), at(30));
    assert_eq!(again.state, State::Queued { due: at(30) });
    // It comes too late if somebody has tried again.
    unchanged(&claimed(again, at(31)), not_sent, at(32));
}

#[test]
fn what_was_certainly_not_sent_is_queued_again_while_its_code_lives() {
    let sending = claimed(queued(), at(1));
    let not_sent = |again| Turn::NotSent {
        ticket: sending.ticket(),
        next_way: 1,
        again,
        why: Failure::Unavailable,
    };
    let again = Some(Duration::from_secs(10));
    let waiting = changed(sending.clone(), not_sent(again), at(2));
    assert_eq!((waiting.due_at(), waiting.next_way), (Some(at(12)), 1));
    unchanged(&waiting, not_sent(again), at(3));
    assert_eq!(claimed(waiting, at(12)).attempt, 2);
    for again in [None, Some(LIFE)] {
        let failed = changed(sending.clone(), not_sent(again), at(2));
        assert_eq!(failed.state, State::Failed(Failure::Unavailable));
    }
}

#[test]
fn an_unknown_outcome_counts_as_sent_for_good() {
    let sending = claimed(queued(), at(1));
    let unsure = Turn::Unsure {
        ticket: sending.ticket(),
        provider: "twilio".to_owned(),
        next_way: Some(1),
    };
    let unsure = changed(sending, unsure, at(2));
    assert_eq!((unsure.status(), unsure.due_at()), (Status::Sent, None));
    for second in [3, 100, 400] {
        unchanged(&unsure, claim(MESSAGE), at(second));
    }
    // Unless somebody knows better.
    let lost = changed(unsure, receipt(Some("SM1"), Outcome::Lost), at(10));
    assert_eq!((lost.due_at(), lost.next_way), (Some(at(10)), 1));
}

#[test]
fn a_silence_that_was_agreed_on_leads_to_the_next_way() {
    let silence = Some(Duration::from_secs(30));
    let quiet = sent(silence);
    assert_eq!(quiet.due_at(), Some(at(31)));
    unchanged(&quiet, claim(MESSAGE), at(30));
    let second = claimed(quiet.clone(), at(31));
    assert_eq!((second.attempt, second.next_way), (2, 1));
    // Heard of in time, or too late for anything.
    let arrived = changed(quiet.clone(), receipt(None, Outcome::Arrived), at(31));
    unchanged(&arrived, claim(MESSAGE), at(32));
    assert_eq!(changed(quiet, claim(MESSAGE), at(300)).due_at(), None);
    // Where there is nothing to be done then, nobody waits.
    assert_eq!(sent(Some(LIFE)).due_at(), None);
    let sending = claimed(queued(), at(1));
    let last = Turn::Taken {
        ticket: sending.ticket(),
        provider: "sns".to_owned(),
        reference: None,
        next_way: None,
        silence,
    };
    assert_eq!(changed(sending, last, at(1)).due_at(), None);
}

#[test]
fn a_receipt_of_a_loss_leads_to_the_next_way_if_it_means_this_attempt() {
    let first = sent(None);
    unchanged(&first, receipt(Some("SM9"), Outcome::Lost), at(5));
    let second = changed(first.clone(), receipt(Some("SM1"), Outcome::Lost), at(5));
    assert_eq!((second.due_at(), second.next_way), (Some(at(5)), 1));
    unchanged(&second, receipt(Some("SM1"), Outcome::Lost), at(6));

    let second = claimed(second, at(6));
    // Early or late: which of them, nobody can say as yet.
    unchanged(&second, receipt(Some("SM1"), Outcome::Lost), at(7));
    let by_sns = Turn::Taken {
        ticket: second.ticket(),
        provider: "sns".to_owned(),
        reference: Some("SNS2".to_owned()),
        next_way: None,
        silence: None,
    };
    let second = changed(second, by_sns, at(7));
    unchanged(&second, receipt(Some("SM1"), Outcome::Lost), at(8));
    unchanged(&second, receipt(None, Outcome::Lost), at(8));
    let lost = changed(second, receipt(Some("SNS2"), Outcome::Lost), at(8));
    assert_eq!(lost.state, State::Failed(Failure::Undelivered));
    // Without a code there is nothing to be sent.
    let late = changed(first, receipt(Some("SM1"), Outcome::Lost), at(300));
    assert_eq!(late.state, State::Failed(Failure::Undelivered));
}

#[test]
fn a_message_has_arrived_whichever_attempt_it_was() {
    let sending = claimed(queued(), at(1));
    let lost = changed(sent(None), receipt(None, Outcome::Lost), at(5));
    for delivery in [sending.clone(), sent(None), lost] {
        for turn in [receipt(Some("SM1"), Outcome::Arrived), Turn::Answered] {
            let arrived = changed(delivery.clone(), turn.clone(), at(6));
            assert_eq!(arrived.status(), Status::Delivered);
            assert_eq!(arrived.due_at(), None);
            for late in [
                claim(MESSAGE),
                taken(sending.ticket(), "SM1", None),
                receipt(Some("SM1"), Outcome::Lost),
                turn,
            ] {
                unchanged(&arrived, late, at(7));
            }
        }
    }
}

#[test]
fn what_goes_nowhere_counts_as_sent_and_is_never_claimed() {
    let started = Started {
        id: crate::domain::otp::ChallengeId::new([3; 16]),
        nonce: Nonce([4; 16]),
        secret: SecretId::new([5; 4]),
        sent_at: at(0),
        expires_at: at(0) + LIFE,
    };
    let nowhere = parcel(Goes::Nowhere).queued(&started);
    assert_eq!((nowhere.status(), nowhere.due_at()), (Status::Sent, None));
    unchanged(&nowhere, claim(MESSAGE), at(5));
    unchanged(&nowhere, taken(nowhere.ticket(), "SM1", None), at(5));
    unchanged(&nowhere, receipt(None, Outcome::Lost), at(5));
}

#[test]
fn a_message_is_read_by_the_name_it_is_written_with() {
    let name = MESSAGE.to_string();
    assert_eq!(name, "msg_01010101010101010101010101010101");
    assert_eq!(name.parse(), Ok(MESSAGE));
    for text in ["", "msg_", "01010101010101010101010101010101", "msg_01"] {
        assert_eq!(text.parse::<MessageId>(), Err(InvalidId), "{text}");
    }
}
