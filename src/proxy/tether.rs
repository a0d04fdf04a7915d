//! Ties the exchanges under way to the sessions they were begun in, so that they can be cut; knows nothing of why a session ends.
//!
//! Most exchanges are over long before anybody could want to cut them. So a tether costs them no
//! more than a place in a list whose places are used again and again, and nobody looks through it
//! but [`Tethers::cut`]. Tethers belong to one thread.

use std::{cell::RefCell, fmt, mem, rc::Rc};

use crate::{domain::session::SessionId, net::timer::Alarm};

/// All tethers of one worker. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Tethers(Rc<RefCell<Places>>);

/// Held by an exchange for as long as it may be cut. That of an exchange in no session never is.
#[derive(Default)]
pub struct Tether(Option<Tied>);

/// The session that an exchange was begun in has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended")]
pub struct Cut;

struct Tied {
    tethers: Tethers,
    place: usize,
}

#[derive(Default)]
struct Places {
    all: Vec<Place>,
    free: Vec<usize>,
}

enum Place {
    Free,
    Tied {
        session: SessionId,
        /// Ends the connection to the app, and with it all that goes over it.
        end: Option<Alarm>,
    },
    Cut,
}

impl Tethers {
    /// Ties an exchange that begins now to its session.
    pub fn tie(&self, session: Option<SessionId>) -> Tether {
        Tether(session.map(|session| Tied {
            place: self.0.borrow_mut().take(session),
            tethers: self.clone(),
        }))
    }

    /// Cuts the exchanges of sessions that are over; says how many these were.
    pub fn cut(&self, mut is_over: impl FnMut(SessionId) -> bool) -> usize {
        let mut places = self.0.borrow_mut();
        let over = places.all.iter_mut().filter(|place| match place {
            Place::Tied { session, .. } => is_over(*session),
            Place::Free | Place::Cut => false,
        });
        over.map(Place::cut).count()
    }
}

impl Places {
    fn take(&mut self, session: SessionId) -> usize {
        let tied = Place::Tied { session, end: None };
        let place = self.free.pop().unwrap_or(self.all.len());
        match self.all.get_mut(place) {
            Some(free) => *free = tied,
            None => self.all.push(tied),
        }
        place
    }
}

impl Place {
    fn cut(&mut self) {
        if let Self::Tied { end: Some(end), .. } = mem::replace(self, Self::Cut) {
            end.ring();
        }
    }
}

impl Tether {
    /// Whether the exchange may go on.
    pub fn check(&self) -> Result<(), Cut> {
        let Some(tied) = &self.0 else {
            return Ok(());
        };
        match tied.tethers.0.borrow().all.get(tied.place) {
            Some(Place::Cut) => Err(Cut),
            Some(Place::Tied { .. } | Place::Free) | None => Ok(()),
        }
    }

    /// If the exchange may go on, it goes on over the connection of this alarm, which from now on
    /// rings when the tether is cut.
    pub fn hold(&self, connection: &Alarm) -> Result<(), Cut> {
        let Some(tied) = &self.0 else {
            return Ok(());
        };
        match tied.tethers.0.borrow_mut().all.get_mut(tied.place) {
            Some(Place::Cut) => return Err(Cut),
            Some(Place::Tied { end, .. }) => *end = Some(connection.clone()),
            Some(Place::Free) | None => {}
        }
        Ok(())
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        let mut places = self.tethers.0.borrow_mut();
        if let Some(place) = places.all.get_mut(self.place) {
            *place = Place::Free;
            places.free.push(self.place);
        }
    }
}

impl fmt::Debug for Tethers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.0.borrow();
        write!(f, "Tethers({})", places.all.len() - places.free.len())
    }
}

impl fmt::Debug for Tether {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tied = self.0.as_ref().map(|tied| tied.place);
        write!(f, "Tether({tied:?}, {:?})", self.check())
    }
}

#[cfg(test)]
mod tests;
