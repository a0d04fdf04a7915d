//! Turns as the random sequences draw them: what they mean is folded into what there is.

use proptest::prelude::*;

use super::*;
use crate::domain::delivery::{Claimant, Failure, Outcome, Ticket};

/// One turn of some message.
#[derive(Debug, Clone)]
pub struct Drawn {
    kind: Kind,
    /// Of the attempt before the last, or the message before this one.
    is_late: bool,
    span: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Claim,
    Taken,
    NotSent,
    GivenUp,
    Unsure,
    Arrived,
    Lost,
}

pub fn drawn() -> impl Strategy<Value = Drawn> {
    let kind = prop_oneof![
        6 => Just(Kind::Claim),
        4 => Just(Kind::Taken),
        2 => Just(Kind::NotSent),
        1 => Just(Kind::GivenUp),
        1 => Just(Kind::Unsure),
        1 => Just(Kind::Arrived),
        2 => Just(Kind::Lost),
    ];
    let late = prop_oneof![7 => Just(false), 1 => Just(true)];
    (kind, late, 0..120_000u64).prop_map(|(kind, is_late, millis)| Drawn {
        kind,
        is_late,
        span: Duration::from_millis(millis),
    })
}

impl Drawn {
    /// The turn, of what is kept, or of a message that never was.
    pub fn turn(&self, kept: Option<&Delivery>) -> Turn {
        let never = Ticket {
            message: message(u64::MAX),
            attempt: 1,
        };
        let last = kept.map_or(never, Delivery::ticket);
        let ticket = Ticket {
            attempt: last.attempt - u32::from(self.is_late && last.attempt > 0),
            ..last
        };
        let message = if self.is_late {
            never.message
        } else {
            last.message
        };
        let (provider, span) = ("sns".to_owned(), self.span);
        let reference = Some(format!("R{}", ticket.attempt));
        let receipt = |outcome| Turn::Receipt {
            message,
            reference: reference.clone(),
            outcome,
        };
        let not_sent = |again| Turn::NotSent {
            ticket,
            next_way: 1,
            again,
            why: Failure::Unavailable,
        };
        match self.kind {
            Kind::Claim => Turn::Claim {
                message,
                by: Claimant(u64::from(self.is_late || span.as_secs() % 2 == 0)),
                lease: span,
            },
            Kind::Taken => Turn::Taken {
                ticket,
                provider,
                reference,
                next_way: Some(2),
                silence: (span.as_millis() % 2 == 0).then_some(span),
            },
            Kind::NotSent => not_sent(Some(span)),
            Kind::GivenUp => not_sent(None),
            Kind::Unsure => Turn::Unsure {
                ticket,
                provider,
                next_way: None,
            },
            Kind::Arrived => receipt(Outcome::Arrived),
            Kind::Lost => receipt(Outcome::Lost),
        }
    }
}
