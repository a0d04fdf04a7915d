//! One timer for all deadlines of a worker, coarse and nearly free; knows nothing of what is timed.
//!
//! A gateway sets several deadlines per request and almost none ever fires. So setting one must
//! cost a memory write, not an entry in a timer wheel: each [`Alarm`] holds when it is due, and ten
//! times a second the worker looks through all of them. A deadline fires up to one tick late,
//! never early. Alarms belong to one thread.

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

struct Shared {
    /// Ticks since the timer was made.
    now: Rc<Cell<u32>>,
    entries: RefCell<Vec<Weak<Entry>>>,
}

struct Entry {
    now: Rc<Cell<u32>>,
    due: Cell<u32>,
    waiting: Cell<Option<Waker>>,
}

/// Never reached: 4 billion ticks are 13 years.
const NEVER: u32 = u32::MAX;

impl Timer {
    /// A timer that stands still until [`Timer::run`] is polled.
    pub fn new() -> Self {
        Self(Rc::new(Shared {
            now: Rc::new(Cell::new(0)),
            entries: RefCell::new(Vec::new()),
        }))
    }

    /// A new deadline, not yet set.
    pub fn alarm(&self) -> Alarm {
        let entry = Rc::new(Entry {
            now: Rc::clone(&self.0.now),
            due: Cell::new(NEVER),
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
            self.0.now.set(u32::try_from(passed).unwrap_or(NEVER - 1));
            self.look(Entry::is_due);
        }
    }

    /// Wakes those for whom `wanted` holds and forgets the alarms that are gone.
    fn look(&self, wanted: impl Fn(&Entry) -> bool) {
        let mut entries = self.0.entries.borrow_mut();
        entries.retain(|entry| {
            let Some(entry) = entry.upgrade() else {
                return false;
            };
            if wanted(&entry)
                && let Some(waker) = entry.waiting.take()
            {
                waker.wake();
            }
            true
        });
    }
}

impl Entry {
    fn is_due(&self) -> bool {
        self.due.get() <= self.now.get()
    }
}

impl Alarm {
    /// Due `after` from now; whatever was set before is forgotten.
    pub fn set(&self, after: Duration) {
        let ticks = after.as_millis().div_ceil(TICK.as_millis());
        // One more, since the running tick has partly passed: never early.
        let ticks = u32::try_from(ticks).unwrap_or(NEVER).saturating_add(1);
        self.0.due.set(self.0.now.get().saturating_add(ticks));
    }

    /// No longer due at all.
    pub fn lift(&self) {
        self.0.due.set(NEVER);
    }

    /// Due now, without waiting for a tick.
    pub fn ring(&self) {
        self.0.due.set(0);
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
        write!(f, "Timer({} ticks, {alarms} alarms)", self.0.now.get())
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarm(due {} of {})", self.0.due.get(), self.0.now.get())
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
    fn alarms_that_are_gone_are_forgotten() {
        with_timer(|timer| async move {
            let kept = timer.alarm();
            for _ in 0..1000 {
                timer.alarm().set(TICK);
            }
            kept.set(3 * TICK);
            poll_fn(|cx| kept.poll_due(cx)).await;
            assert_eq!(timer.0.entries.borrow().len(), 1);
        });
    }
}
