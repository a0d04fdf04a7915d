//! How many connections each client has on one worker: nobody alone can have them all. Knows nothing of what they are for.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc};

use crate::net::peer::network_of;

/// Who is here, and how often. Clones are the same. Who has gone is forgotten, so that it never holds more
/// than there are connections.
#[derive(Debug, Clone)]
pub struct Guests(Rc<Shared>);

/// One connection of a client, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    guests: Guests,
    network: IpAddr,
}

/// The client has as many connections as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

#[derive(Debug)]
struct Shared {
    most: usize,
    seated: RefCell<HashMap<IpAddr, usize>>,
}

impl Guests {
    /// Each client may have `most` connections.
    pub fn new(most: usize) -> Self {
        Self(Rc::new(Shared {
            most,
            seated: RefCell::default(),
        }))
    }

    /// One more connection of `client`.
    pub fn seat(&self, client: IpAddr) -> Result<Seat, TooMany> {
        let network = network_of(client);
        let mut seated = self.0.seated.borrow_mut();
        let count = seated.entry(network).or_default();
        if *count >= self.0.most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Seat {
            guests: self.clone(),
            network,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seated = self.guests.0.seated.borrow_mut();
        if let Some(count) = seated.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                seated.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn a_client_has_as_many_connections_as_one_may_and_others_have_theirs() {
        let guests = Guests::new(2);
        let first = guests.seat(ip("192.0.2.1"));
        let second = guests.seat(ip("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        assert!(guests.seat(ip("192.0.2.1")).is_err());
        assert!(guests.seat(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(guests.seat(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn all_addresses_of_an_ipv6_subscriber_are_one_client() {
        let guests = Guests::new(1);
        let _seat = guests.seat(ip("2001:db8:0:1::1"));
        assert!(guests.seat(ip("2001:db8:0:1:ffff::2")).is_err());
        assert!(guests.seat(ip("2001:db8:0:2::1")).is_ok());
    }

    proptest! {
        /// Against the plainest count there is.
        #[test]
        fn whoever_comes_and_goes_the_count_is_right_and_nobody_is_remembered(
            most in 1_usize..4,
            steps in vec((0_u8..3, any::<bool>()), 0..60),
        ) {
            let guests = Guests::new(most);
            let mut seats: [Vec<Seat>; 3] = [vec![], vec![], vec![]];
            for (client, comes) in steps {
                let mine = &mut seats[usize::from(client)];
                if comes {
                    let seat = guests.seat([192, 0, 2, client].into());
                    prop_assert_eq!(seat.is_ok(), mine.len() < most);
                    mine.extend(seat);
                } else {
                    mine.pop();
                }
                let here = seats.iter().filter(|seats| !seats.is_empty()).count();
                prop_assert_eq!(guests.0.seated.borrow().len(), here);
            }
        }
    }
}
