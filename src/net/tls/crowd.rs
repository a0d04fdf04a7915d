//! The handshakes of one worker that are under way: a bounded crowd, in which the one that has lasted longest makes room for another.
//!
//! Who makes newcomers wait instead lets a few clients that begin and never go on keep everybody
//! out. Here they push out one another: an honest handshake is over before its turn comes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use crate::net::{ending::Reason, progress::Progress};

/// Handshakes under way, in the order in which they began. Clones are the same crowd.
#[derive(Debug, Clone)]
pub struct Crowd(Rc<Shared>);

/// A place in the crowd, until it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    number: u64,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    next: Cell<u64>,
    inside: RefCell<BTreeMap<u64, Rc<Progress>>>,
}

impl Crowd {
    /// Room for `most` handshakes.
    pub fn new(most: usize) -> Self {
        Self(Rc::new(Shared {
            most,
            next: Cell::new(0),
            inside: RefCell::default(),
        }))
    }

    /// Lets one more in; the oldest one must leave when there is no room for it.
    pub fn enter(&self, progress: Rc<Progress>) -> Place {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        let mut inside = self.0.inside.borrow_mut();
        if inside.len() >= self.0.most
            && let Some((_, oldest)) = inside.pop_first()
        {
            oldest.give_up(Reason::CrowdedOut);
        }
        inside.insert(number, progress);
        Place {
            crowd: self.clone(),
            number,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.0.inside.borrow_mut().remove(&self.number);
    }
}
