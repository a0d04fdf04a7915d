//! What all client connections of one worker share: its timer, their limits, whether it stops, and where their ends are noted.

use std::{cell::Cell, rc::Rc, time::Duration};

use crate::net::{
    Limits,
    ending::Endings,
    timer::{Moment, Timer},
};

/// Watches over the connections of one worker.
#[derive(Debug)]
pub struct Warden {
    /// All their deadlines.
    pub timer: Timer,
    /// What each of them may take.
    pub limits: Rc<Limits>,
    /// Where it is noted why one was ended.
    pub endings: Endings,
    draining: Cell<bool>,
    /// Connections there were.
    count: Cell<u32>,
}

impl Warden {
    /// The warden of a worker that has just begun.
    pub const fn new(timer: Timer, limits: Rc<Limits>, endings: Endings) -> Self {
        Self {
            timer,
            limits,
            endings,
            draining: Cell::new(false),
            count: Cell::new(0),
        }
    }

    /// When a connection that begins now is old enough. Those that begin together must not end
    /// together, so each may be up to an eighth younger: by multiples of the golden ratio, which
    /// spread more evenly than chance would.
    pub fn retirement(&self) -> Moment {
        let Some(max_age) = self.limits.max_age else {
            return Moment::NEVER;
        };
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let golden = u64::from(count.wrapping_mul(0x9E37_79B9));
        let eighth = u64::try_from(max_age.as_millis() / 8).unwrap_or(u64::MAX >> 32);
        let younger = eighth.saturating_mul(golden) >> 32;
        self.timer
            .after(max_age.saturating_sub(Duration::from_millis(younger)))
    }

    /// Whether the worker is to stop.
    pub const fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Tells every connection that the worker is to stop.
    pub fn drain(&self) {
        self.draining.set(true);
        self.timer.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{net::patience::Pace, observe::metrics::Metrics};

    fn warden(max_age: Option<Duration>) -> Warden {
        const SECOND: Duration = Duration::from_secs(1);
        let limits = Limits {
            handshake: SECOND,
            first_byte: SECOND,
            headers: SECOND,
            idle: SECOND,
            pace: Pace {
                pause: SECOND,
                rate: 0,
            },
            ping: SECOND,
            half_closed: SECOND,
            tunnel_idle: SECOND,
            max_age,
            drain: SECOND,
            max_header_bytes: 8192,
            max_headers: 100,
            max_streams: 100,
            max_handshakes: 1,
            max_connections: 1,
            max_connections_per_client: 1,
        };
        let endings = Endings::new(Metrics::new());
        Warden::new(Timer::new(), Rc::new(limits), endings)
    }

    #[test]
    fn connections_that_begin_together_do_not_end_together() {
        let warden = warden(Some(Duration::from_hours(1)));
        let now = warden.timer.now();
        let mut ages: Vec<_> = (0..100).map(|_| warden.retirement().since(now)).collect();
        ages.sort_unstable();
        let (first, last) = (ages[0], ages[99]);
        assert!(first >= Duration::from_hours(1) * 7 / 8, "{first:?}");
        assert!(
            last <= Duration::from_hours(1) + Duration::from_secs(1),
            "{last:?}"
        );
        let widest = ages.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max();
        assert!(widest < Some(Duration::from_secs(15)), "{widest:?}");
    }

    #[test]
    fn without_a_limit_nobody_is_ever_too_old() {
        assert_eq!(warden(None).retirement(), Moment::NEVER);
    }
}
