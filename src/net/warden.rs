//! What all client connections of one worker share: its timer, their limits, whether it stops, and where their ends are noted.

use std::{cell::Cell, rc::Rc};

use crate::net::{Limits, ending::Endings, timer::Timer};

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
}

impl Warden {
    /// The warden of a worker that has just begun.
    pub const fn new(timer: Timer, limits: Rc<Limits>, endings: Endings) -> Self {
        Self {
            timer,
            limits,
            endings,
            draining: Cell::new(false),
        }
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
