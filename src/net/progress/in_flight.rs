//! What a request holds from its head to the end of its answer, to tell how its connection comes along.

use std::{rc::Rc, time::Duration};

use super::{Phase, Progress};
use crate::net::timer::{Alarm, Moment};

/// Held by a request from its head to the end of its answer.
#[derive(Debug)]
pub struct InFlight {
    pub(super) progress: Rc<Progress>,
    /// When its head had come.
    pub(super) began: Moment,
}

/// How long a request may take from the end of its head to the end of its answer: carried by an answer,
/// as an extension, if there is a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allotted(pub Duration);

impl InFlight {
    /// The answer is asked for its next piece.
    pub fn asked(&self) {
        self.progress.asked.set(true);
    }

    /// The answer begins, and must have come to its end in time.
    pub fn answers(&self, allotted: Option<Allotted>) {
        let mut allowance = self.progress.allowance.get();
        allowance.answered();
        self.progress.allowance.set(allowance);
        if let Some(Allotted(span)) = allotted {
            self.progress.answer_due.set(self.began.plus(span));
            self.progress.set_alarm();
        }
    }

    /// The answer gives a piece of so many bytes.
    pub fn gives(&self, bytes: usize) {
        let mut allowance = self.progress.allowance.get();
        allowance.sent(bytes);
        self.progress.allowance.set(allowance);
    }

    /// `stalled` is due when the client of a tunnel does not take anything for so long from now on.
    /// It runs already if it is there.
    pub fn await_client(&self, stalled: &mut Option<Alarm>) {
        if stalled.is_none() {
            self.progress.await_client(stalled);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let progress = &self.progress;
        let left = progress.in_flight.get().saturating_sub(1);
        progress.in_flight.set(left);
        if left == 0 {
            progress.answer_due.set(Moment::NEVER);
        }
        // The end of the answer, if hyper has not written it yet.
        progress.owes.set(true);
        if progress.phase.get() != Phase::Stalled {
            progress.settle();
        }
    }
}
