//! What a request holds from its head to the end of its answer, to tell how its connection comes along.

use std::rc::Rc;

use super::{Phase, Progress};
use crate::net::timer::Alarm;

/// Held by a request from its head to the end of its answer.
#[derive(Debug)]
pub struct InFlight(pub(super) Rc<Progress>);

impl InFlight {
    /// The answer is asked for its next piece.
    pub fn asked(&self) {
        self.0.asked.set(true);
    }

    /// The answer begins.
    pub fn answers(&self) {
        let mut allowance = self.0.allowance.get();
        allowance.answered();
        self.0.allowance.set(allowance);
    }

    /// The answer gives a piece of so many bytes.
    pub fn gives(&self, bytes: usize) {
        let mut allowance = self.0.allowance.get();
        allowance.sent(bytes);
        self.0.allowance.set(allowance);
    }

    /// `stalled` is due when the client of a tunnel does not take anything for so long from now on.
    /// It runs already if it is there.
    pub fn await_client(&self, stalled: &mut Option<Alarm>) {
        if stalled.is_none() {
            self.0.await_client(stalled);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let progress = &self.0;
        let left = progress.in_flight.get().saturating_sub(1);
        progress.in_flight.set(left);
        // The end of the answer, if hyper has not written it yet.
        progress.owes.set(true);
        if progress.phase.get() != Phase::Stalled {
            progress.settle();
        }
    }
}
