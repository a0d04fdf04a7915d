//! How many frames that do no work an HTTP/2 client may send: what is left of it, what it costs and how it is earned. Knows no socket.
//!
//! A frame costs the one who sends it next to nothing and us a microsecond, whether it is of use or
//! not. A parser answers for the kinds of which it keeps something; all others could be sent for ever.
//! So every frame that does no work is paid for from an allowance. Some of it comes back with time, and
//! most with work: who reads long answers acknowledges them by many small frames, and may.

use std::time::Duration;

use crate::net::{
    http2::frames::{Frame, Kind},
    timer::Moment,
};

/// What one client may still send.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    left: u32,
    refilled: Moment,
}

/// What everybody has at the beginning, and gets back when it is spent.
const BASIC: u32 = 1_000;

/// How much comes back in a second.
const PER_SECOND: u32 = 100;

/// The most that can be earned: what it takes to acknowledge a window of 16 MiB, 4 KiB at a time, for
/// the stream and for the connection.
const MOST: u32 = 8_192;

impl Allowance {
    /// That of a connection which begins `now`.
    pub const fn new(now: Moment) -> Self {
        Self {
            left: BASIC,
            refilled: now,
        }
    }

    /// Pays for `frame`; `false` when it cannot be paid for.
    pub fn pays(&mut self, frame: Frame, now: Moment) -> bool {
        let cost = cost(frame);
        if self.left < cost {
            self.refill(now);
        }
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or_default();
        left.is_some()
    }

    /// A request is answered: that it was one, and a word or two about its importance.
    pub fn answered(&mut self) {
        self.earn(3);
    }

    /// A piece of an answer goes out. It is acknowledged at least twice, if it is large by every 4 KiB.
    pub fn sent(&mut self, bytes: usize) {
        let parts = u32::try_from(bytes / 2048).unwrap_or(MOST);
        self.earn(parts.saturating_add(2));
    }

    fn earn(&mut self, earned: u32) {
        self.left = self.left.saturating_add(earned).min(MOST);
    }

    fn refill(&mut self, now: Moment) {
        let passed = now.since(self.refilled).min(Duration::from_mins(1));
        let earned = passed.as_millis() * u128::from(PER_SECOND) / 1000;
        let earned = u32::try_from(earned).unwrap_or(BASIC);
        self.left = self.left.saturating_add(earned).min(BASIC);
        self.refilled = now;
    }
}

/// What a frame costs.
const fn cost(frame: Frame) -> u32 {
    match frame.kind {
        // Data without data is padding at best.
        Kind::Data if frame.length == 0 && !frame.ends_stream => 1,
        Kind::Data => 0,
        // A request that is taken back has cost an app its time.
        Kind::Reset => 4,
        Kind::Headers
        | Kind::Priority
        | Kind::Settings
        | Kind::PushPromise
        | Kind::Ping
        | Kind::GoAway
        | Kind::WindowUpdate
        | Kind::Continuation
        | Kind::Other => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::timer::Timer;

    const fn frame(kind: Kind, length: usize) -> Frame {
        Frame {
            kind,
            length,
            ends_stream: false,
        }
    }

    /// How many of these frames are paid for, of at most 100,000.
    fn affords(allowance: &mut Allowance, frame: Frame, now: Moment) -> usize {
        (0..100_000)
            .take_while(|_| allowance.pays(frame, now))
            .count()
    }

    #[test]
    fn what_does_no_work_cannot_be_sent_for_ever() {
        let now = Timer::new().now();
        for (kind, count) in [
            (Kind::Ping, 1000),
            (Kind::Settings, 1000),
            (Kind::Priority, 1000),
            (Kind::WindowUpdate, 1000),
            (Kind::Other, 1000),
            (Kind::Headers, 1000),
            (Kind::Continuation, 1000),
            (Kind::Data, 1000),
            (Kind::Reset, 250),
        ] {
            let mut allowance = Allowance::new(now);
            assert_eq!(affords(&mut allowance, frame(kind, 0), now), count);
        }
    }

    #[test]
    fn data_can_be_sent_for_ever_in_pieces_however_small() {
        let now = Timer::new().now();
        let mut allowance = Allowance::new(now);
        assert_eq!(affords(&mut allowance, frame(Kind::Data, 1), now), 100_000);
    }

    #[test]
    fn time_gives_back_what_everybody_has() {
        let timer = Timer::new();
        let mut allowance = Allowance::new(timer.now());
        affords(&mut allowance, frame(Kind::Ping, 8), timer.now());
        let soon = timer.after(Duration::from_millis(900));
        assert_eq!(affords(&mut allowance, frame(Kind::Ping, 8), soon), 100);
        let late = timer.after(Duration::from_hours(1));
        assert_eq!(affords(&mut allowance, frame(Kind::Ping, 8), late), 1000);
    }

    #[test]
    fn who_acknowledges_what_it_reads_has_always_enough() {
        let now = Timer::new().now();
        let mut allowance = Allowance::new(now);
        // One message after the other, acknowledged one by one, twice each.
        for _ in 0..100_000 {
            allowance.sent(20);
            assert!(allowance.pays(frame(Kind::WindowUpdate, 4), now));
            assert!(allowance.pays(frame(Kind::WindowUpdate, 4), now));
        }
        // A download, acknowledged by every 4 KiB.
        for _ in 0..10_000 {
            allowance.sent(1 << 18);
            for _ in 0..2 * (1 << 18) / 4096 {
                assert!(allowance.pays(frame(Kind::WindowUpdate, 4), now));
            }
        }
    }

    #[test]
    fn requests_that_are_answered_pay_for_those_that_are_taken_back() {
        let now = Timer::new().now();
        let mut allowance = Allowance::new(now);
        for _ in 0..10_000 {
            // This one is taken back.
            assert!(allowance.pays(frame(Kind::Headers, 40), now));
            for _ in 0..3 {
                assert!(allowance.pays(frame(Kind::Headers, 40), now));
                allowance.answered();
            }
            assert!(allowance.pays(frame(Kind::Reset, 4), now));
        }
    }
}
