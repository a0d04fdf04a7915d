//! Any turns in any order: what was handed over is never handed over again but for a reason.

use proptest::prelude::*;

use super::*;

/// What somebody does: each may come late, twice, about another message or another attempt.
#[derive(Debug, Clone)]
enum Act {
    Claim { message: u8, by: u64 },
    Taken { attempt: u32, silence: Option<u64> },
    NotSent { attempt: u32, again: Option<u64> },
    Unsure { attempt: u32 },
    Lost { attempt: Option<u32> },
    Arrived,
    Answered,
}

/// What is known of the outside world, whatever the gateway thinks.
#[derive(Debug, Default)]
struct World {
    /// The last attempt that was handed over, and may be on its way.
    at_large: Option<u32>,
    /// By whom.
    by: Option<u64>,
    /// From when on another one is agreed on.
    agreed: Option<Timestamp>,
    arrived: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let again = prop::option::of(0..400u64);
    prop_oneof![
        4 => (0..4u8, 0..3u64).prop_map(|(n, by)| Act::Claim { message: u8::from(n == 0) + 1, by }),
        3 => (1..5u32, prop::option::of(0..400u64))
            .prop_map(|(attempt, silence)| Act::Taken { attempt, silence }),
        3 => (1..5u32, again).prop_map(|(attempt, again)| Act::NotSent { attempt, again }),
        1 => (1..5u32).prop_map(|attempt| Act::Unsure { attempt }),
        2 => prop::option::of(1..5u32).prop_map(|attempt| Act::Lost { attempt }),
        1 => Just(Act::Arrived),
        1 => Just(Act::Answered),
    ]
}

fn ticket(attempt: u32) -> Ticket {
    Ticket {
        message: MESSAGE,
        attempt,
    }
}

fn turn(act: &Act) -> Turn {
    match *act {
        Act::Claim { message, by } => claim_by(Claimant(by), MessageId::new([message; 16])),
        Act::Taken { attempt, silence } => taken(
            ticket(attempt),
            &format!("SM{attempt}"),
            silence.map(Duration::from_secs),
        ),
        Act::NotSent { attempt, again } => Turn::NotSent {
            ticket: ticket(attempt),
            next_way: 1,
            again: again.map(Duration::from_secs),
            why: Failure::Unavailable,
        },
        Act::Unsure { attempt } => Turn::Unsure {
            ticket: ticket(attempt),
            provider: "twilio".to_owned(),
            next_way: Some(1),
        },
        Act::Lost { attempt } => {
            let reference = attempt.map(|attempt| format!("SM{attempt}"));
            receipt(reference.as_deref(), Outcome::Lost)
        }
        Act::Arrived => receipt(None, Outcome::Arrived),
        Act::Answered => Turn::Answered,
    }
}

impl World {
    /// What the outside learns when the gateway takes a turn.
    fn watch(&mut self, act: &Act, turned: &Turned, now: Timestamp) {
        match act {
            Act::Claim { by, .. } => {
                if let Turned::Claimed(delivery) = turned {
                    if self.at_large == Some(delivery.attempt) {
                        assert_eq!(self.by, Some(*by), "it is somebody else's");
                        return;
                    }
                    let is_agreed = self.agreed.is_some_and(|from| from <= now);
                    assert!(self.at_large.is_none() || is_agreed, "it is sent twice");
                    assert!(!self.arrived, "it has arrived and is sent once more");
                    assert!(now < at(0) + LIFE, "its code is dead");
                    assert_eq!(delivery.message, MESSAGE);
                    self.at_large = Some(delivery.attempt);
                    self.by = Some(*by);
                    self.agreed = None;
                }
            }
            Act::Taken { attempt, silence } if self.at_large == Some(*attempt) => {
                let silence = silence.map(Duration::from_secs);
                if let Turned::Changed(_) = turned {
                    self.agreed = silence.map(|silence| now + silence);
                }
            }
            // Whoever says so knows it.
            Act::NotSent { attempt, .. } if self.at_large == Some(*attempt) => {
                self.at_large = None;
            }
            Act::Lost { attempt } => {
                let is_only_one = self.at_large == Some(1);
                if is_only_one || (attempt.is_some() && self.at_large == *attempt) {
                    self.at_large = None;
                }
            }
            Act::Arrived | Act::Answered => self.arrived = true,
            Act::Taken { .. } | Act::NotSent { .. } | Act::Unsure { .. } => {}
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_handed_over_twice_without_a_reason(
        acts in prop::collection::vec((act(), 0..40u64), 0..40),
    ) {
        let (mut delivery, mut world, mut second) = (queued(), World::default(), 0);
        for (act, wait) in acts {
            second += wait;
            let before = delivery.clone();
            let turned = delivery.step(turn(&act), at(second));
            world.watch(&act, &turned, at(second));
            delivery = turned.delivery().clone();

            // What names it and makes its code is never touched.
            prop_assert_eq!(
                (delivery.message, delivery.nonce, delivery.expires_at, &delivery.sealed),
                (before.message, before.nonce, before.expires_at, &before.sealed),
            );
            match &turned {
                Turned::Claimed(_) if delivery == before => {}
                Turned::Claimed(_) => prop_assert_eq!(delivery.attempt, before.attempt + 1),
                Turned::Changed(_) => prop_assert_ne!(&delivery, &before),
                Turned::Unchanged(_) => prop_assert_eq!(&delivery, &before),
            }
            // Time has nothing to add to what was just looked at.
            prop_assert_eq!(delivery.clone().at(at(second)), delivery.clone());
        }
    }

    #[test]
    fn a_turn_for_another_message_is_as_good_as_none(
        acts in prop::collection::vec((act(), 0..40u64), 0..20),
        another in act(),
    ) {
        let (mut delivery, mut second) = (queued(), 0);
        for (act, wait) in acts {
            second += wait;
            delivery = delivery.step(turn(&act), at(second)).delivery().clone();
        }
        delivery.message = OTHER;
        let alien = turn(&another);
        let is_meant = alien == Turn::Answered
            || matches!(alien, Turn::Claim { message, .. } if message == OTHER);
        if !is_meant {
            unchanged(&delivery, alien, at(second));
        }
    }

    #[test]
    fn whatever_waits_is_looked_at_in_the_end(
        acts in prop::collection::vec((act(), 0..40u64), 0..20),
    ) {
        let (mut delivery, mut second) = (queued(), 0);
        for (act, wait) in acts {
            second += wait;
            delivery = delivery.step(turn(&act), at(second)).delivery().clone();
        }
        // Whoever looks when it is due, and is never heard of again, comes to an end of it.
        for _ in 0..4 {
            let Some(due) = delivery.due_at() else { break };
            let turned = delivery.clone().step(claim(MESSAGE), due.max(at(second)));
            prop_assert!(!matches!(turned, Turned::Unchanged(_)));
            delivery = turned.delivery().clone();
        }
        prop_assert_eq!(delivery.due_at(), None);
        prop_assert_ne!(delivery.status(), Status::Queued);
    }
}
