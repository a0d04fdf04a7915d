//! What is to be done about a connection when one of its deadlines has passed; knows nothing of what moves them.

use std::task::{Context, Poll, ready};

use super::{Due, Progress, phase::Phase};
use crate::net::{ending::Reason, timer::Moment};

impl Progress {
    /// Ready when the connection must go at once, of which nobody is told any more.
    pub fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<Reason> {
        loop {
            match ready!(self.poll_due(cx)) {
                Due::Go(reason) => return Poll::Ready(reason),
                Due::Rest | Due::Leave => {}
            }
        }
    }

    /// Ready when something is to be done about the connection, until it was done.
    pub fn poll_due(&self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            ready!(self.alarm.poll_due(cx));
            if let Some(due) = self.judge(self.warden.timer.now()) {
                return Poll::Ready(due);
            }
            self.set_alarm();
        }
    }

    /// What is to be done now, if anything is.
    fn judge(&self, now: Moment) -> Option<Due> {
        if let Some(reason) = self.ousted.get() {
            return Some(Due::Go(reason));
        }
        if self.head_due.get() <= now {
            self.note(Reason::Headers);
            return Some(Due::Go(Reason::Headers));
        }
        if self.word_due() <= now {
            self.note(Reason::Unanswered);
            return Some(Due::Go(Reason::Unanswered));
        }
        if self.answer_due.get() <= now {
            self.note(Reason::RequestTimeout);
            return Some(Due::Go(Reason::RequestTimeout));
        }
        if self.due.get() <= now {
            return Some(self.phase_is_over(now));
        }
        if self.retires.get() <= now {
            self.retires.set(Moment::NEVER);
            self.note(Reason::MaxAge);
            match self.phase.get() {
                Phase::Idle | Phase::Resting => self.enter(Phase::Leaving),
                Phase::Handshake
                | Phase::Opening
                | Phase::Head
                | Phase::Busy
                | Phase::HalfClosed
                | Phase::Stalled
                | Phase::Leaving => self.set_alarm(),
            }
            return Some(Due::Leave);
        }
        None
    }

    fn phase_is_over(&self, now: Moment) -> Due {
        match self.phase.get() {
            Phase::Idle if now < self.idle_due.get() => {
                self.enter(Phase::Resting);
                Due::Rest
            }
            // Between two requests nobody is in trouble, and the client had better be told.
            Phase::Idle | Phase::Resting => {
                self.note(Reason::Idle);
                self.enter(Phase::Leaving);
                Due::Leave
            }
            // Why was told when it began.
            Phase::Leaving => Due::Go(Reason::Idle),
            phase @ (Phase::Handshake
            | Phase::Opening
            | Phase::Head
            | Phase::Busy
            | Phase::HalfClosed
            | Phase::Stalled) => {
                let reason = phase.reason();
                self.note(reason);
                Due::Go(reason)
            }
        }
    }

    pub(super) fn note(&self, reason: Reason) {
        let client = self.client.get().ip();
        self.warden.endings.note(reason, client, self.version.get());
    }
}
