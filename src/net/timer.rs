//! One timer for all deadlines of a worker, coarse and nearly free; knows nothing of what is timed.
//!
//! A gateway sets several deadlines per request and almost none ever fires. So setting one must
//! cost a memory write, not an entry in a timer wheel: each [`Alarm`] holds when it is due, and when
//! the soonest of all is due the worker looks through all of them, at most ten times a second. A
//! deadline fires up to one tick late, never early. Alarms belong to one thread.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often deadlines are looked at.
pub const TICK: Duration = Duration::from_millis(100);

/// The timer of one worker. Clones are the same timer.
#[derive(Clone)]
pub struct Timer(Rc<Shared>);

/// One deadline that can be moved, lifted and waited for by one task. Clones are the same deadline.
#[derive(Clone)]
pub struct Alarm(Rc<Entry>);

/// A moment in the life of a timer, counted in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u32);

struct Shared {
    hands: Rc<Hands>,
    entries: RefCell<Vec<Weak<Entry>>>,
    /// How many of them were still wanted when they were last looked at.
    wanted: Cell<usize>,
}

struct Hands {
    now: Cell<Moment>,
    /// No alarm is due before.
    soonest: Cell<Moment>,
}

struct Entry {
    hands: Rc<Hands>,
    due: Cell<Moment>,
    waiting: Cell<Option<Waker>>,
}

impl Moment {
    /// Never reached: 4 billion ticks are 13 years.
    pub const NEVER: Self = Self(u32::MAX);

    /// How long it is from `earlier` to this.
    pub fn since(self, earlier: Self) -> Duration {
        TICK * self.0.saturating_sub(earlier.0)
    }

    /// When `span` from this moment on is surely over.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let ticks = span.as_millis().div_ceil(TICK.as_millis());
        // One more, since the running tick has partly passed: never early.
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1);
        Self(self.0.saturating_add(ticks))
    }
}

impl Timer {
    /// A timer that stands still until [`Timer::run`] is polled.
    pub fn new() -> Self {
        Self(Rc::new(Shared {
            hands: Rc::new(Hands {
                now: Cell::new(Moment(0)),
                soonest: Cell::new(Moment::NEVER),
            }),
            entries: RefCell::new(Vec::new()),
            wanted: Cell::new(0),
        }))
    }

    /// The present.
    pub fn now(&self) -> Moment {
        self.0.hands.now.get()
    }

    /// The moment when `span` is surely over.
    pub fn after(&self, span: Duration) -> Moment {
        self.now().plus(span)
    }

    /// A new deadline, not yet set.
    pub fn alarm(&self) -> Alarm {
        let entry = Rc::new(Entry {
            hands: Rc::clone(&self.0.hands),
            due: Cell::new(Moment::NEVER),
            waiting: Cell::new(None),
        });
        self.0.entries.borrow_mut().push(Rc::downgrade(&entry));
        Alarm(entry)
    }

    /// Wakes every task that waits for an alarm, so that it looks at its world anew.
    pub fn wake_all(&self) {
        self.look(|_| true);
    }

    /// Lets time pass. Runs for ever.
    pub async fn run(self) {
        let started = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let at = ticks.tick().await;
            let passed = at.duration_since(started).as_millis() / TICK.as_millis();
            let now = Moment(u32::try_from(passed).unwrap_or(u32::MAX - 1));
            self.0.hands.now.set(now);
            if self.0.hands.soonest.get() <= now || self.is_littered() {
                self.look(Entry::is_due);
            }
        }
    }

    /// Whether most alarms may have been dropped.
    fn is_littered(&self) -> bool {
        self.0.entries.borrow().len() > 2 * self.0.wanted.get() + FEW
    }

    /// Wakes those for whom `wanted` holds and forgets the alarms that are gone.
    fn look(&self, wanted: impl Fn(&Entry) -> bool) {
        let mut entries = self.0.entries.borrow_mut();
        let mut soonest = Moment::NEVER;
        entries.retain(|entry| {
            let Some(entry) = entry.upgrade() else {
                return false;
            };
            if wanted(&entry)
                && let Some(waker) = entry.waiting.take()
            {
                waker.wake();
            }
            // Who polls one that is due already needs no tick for it.
            if !entry.is_due() {
                soonest = soonest.min(entry.due.get());
            }
            true
        });
        self.0.wanted.set(entries.len());
        self.0.hands.soonest.set(soonest);
    }
}

/// So few alarms that are gone may be left lying about.
const FEW: usize = 64;

impl Entry {
    fn is_due(&self) -> bool {
        self.due.get() <= self.hands.now.get()
    }
}

impl Alarm {
    /// Due `after` from now; whatever was set before is forgotten.
    pub fn set(&self, after: Duration) {
        self.set_before(after, Moment::NEVER);
    }

    /// Due `after` from now, or at `latest` if that comes first; whatever was set before is forgotten.
    pub fn set_before(&self, after: Duration, latest: Moment) {
        self.set_at(self.0.hands.now.get().plus(after).min(latest));
    }

    /// Due at `moment`; whatever was set before is forgotten.
    pub fn set_at(&self, moment: Moment) {
        let hands = &self.0.hands;
        hands.soonest.set(hands.soonest.get().min(moment));
        self.0.due.set(moment);
    }

    /// No longer due at all.
    pub fn lift(&self) {
        self.0.due.set(Moment::NEVER);
    }

    /// Due now, without waiting for a tick.
    pub fn ring(&self) {
        self.0.due.set(Moment(0));
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }

    /// Whether the deadline has passed.
    pub fn is_due(&self) -> bool {
        self.0.is_due()
    }

    /// Ready once the deadline has passed. The task that polled last is the one that is woken.
    pub fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_due() {
            return Poll::Ready(());
        }
        let kept = self.0.waiting.take();
        let waker = kept.filter(|waker| waker.will_wake(cx.waker()));
        self.0
            .waiting
            .set(Some(waker.unwrap_or_else(|| cx.waker().clone())));
        Poll::Pending
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alarms = self.0.entries.borrow().len();
        write!(f, "Timer({:?}, {alarms} alarms)", self.now())
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarm(due {:?})", self.0.due.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::task::{LocalSet, spawn_local};

    /// Runs `test` with a running timer under tokio's paused clock.
    fn with_timer<F: Future<Output = ()>>(test: impl FnOnce(Timer) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let timer = Timer::new();
            spawn_local(timer.clone().run());
            test(timer).await;
        });
    }

    #[test]
    fn an_alarm_is_never_early_and_at_most_two_ticks_late() {
        with_timer(|timer| async move {
            for millis in [1, 99, 100, 101, 250, 999, 30_000] {
                let after = Duration::from_millis(millis);
                let alarm = timer.alarm();
                let start = Instant::now();
                alarm.set(after);
                poll_fn(|cx| alarm.poll_due(cx)).await;
                assert!(start.elapsed() >= after, "{millis}");
                assert!(start.elapsed() <= after + 2 * TICK, "{millis}");
            }
        });
    }

    #[test]
    fn an_alarm_can_be_moved_and_lifted_while_it_is_waited_for() {
        with_timer(|timer| async move {
            let alarm = timer.alarm();
            alarm.set(Duration::from_millis(200));
            let start = Instant::now();
            let moved = poll_fn(|cx| {
                let polled = alarm.poll_due(cx);
                if start.elapsed() < Duration::from_millis(200) {
                    alarm.set(Duration::from_secs(1));
                }
                polled
            });
            moved.await;
            assert!(start.elapsed() >= Duration::from_secs(1));
            alarm.lift();
            assert!(!alarm.is_due());
        });
    }

    #[test]
    fn an_alarm_that_is_rung_waits_for_no_tick() {
        with_timer(|timer| async move {
            let alarm = timer.alarm();
            alarm.set(Duration::from_mins(1));
            let start = Instant::now();
            let waiting = spawn_local({
                let alarm = alarm.clone();
                async move { poll_fn(|cx| alarm.poll_due(cx)).await }
            });
            tokio::task::yield_now().await;
            alarm.ring();
            waiting.await.expect("no panic");
            assert_eq!(start.elapsed(), Duration::ZERO);
        });
    }

    #[test]
    fn an_alarm_that_is_set_while_others_are_far_off_is_not_missed() {
        with_timer(|timer| async move {
            let far = timer.alarm();
            far.set(Duration::from_hours(1));
            for seconds in [30, 3, 60] {
                let near = timer.alarm();
                near.set(Duration::from_secs(seconds));
                let start = Instant::now();
                poll_fn(|cx| near.poll_due(cx)).await;
                assert!(start.elapsed() <= Duration::from_secs(seconds) + 2 * TICK);
            }
            assert!(!far.is_due());
        });
    }

    #[test]
    fn nobody_looks_through_alarms_of_which_none_is_due() {
        with_timer(|timer| async move {
            let alarms: Vec<_> = (0..FEW).map(|_| timer.alarm()).collect();
            for alarm in &alarms {
                alarm.set(Duration::from_mins(1));
            }
            let soon = timer.alarm();
            soon.set(TICK);
            poll_fn(|cx| soon.poll_due(cx)).await;
            // What is left lying about shows that nobody has looked since.
            drop(alarms);
            soon.set_at(Moment::NEVER);
            tokio::time::advance(Duration::from_secs(30)).await;
            assert_eq!(timer.0.entries.borrow().len(), FEW + 1);
        });
    }

    #[test]
    fn alarms_that_are_gone_are_forgotten() {
        with_timer(|timer| async move {
            let kept = timer.alarm();
            for _ in 0..1000 {
                timer.alarm().set(Duration::from_hours(1));
            }
            kept.set(3 * TICK);
            poll_fn(|cx| kept.poll_due(cx)).await;
            assert_eq!(timer.0.entries.borrow().len(), 1);
        });
    }
}
