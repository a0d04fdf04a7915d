//! What must never have happened, looked for in the records of what did.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::record::{Event, Record};

/// At most `max` events in any window of this length.
#[derive(Clone, Copy)]
pub struct Limit {
    pub max: usize,
    pub window: Duration,
}

/// What the fleet was told to keep to.
pub struct Rules {
    pub per_phone: Limit,
    pub per_address: Limit,
    /// After so long an ended session opens no door any more.
    pub revoked_within: Duration,
}

impl Rules {
    /// Everything that is wrong with `records`, in words.
    pub fn violations(&self, records: &[Record]) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.too_many_sends(records));
        found.extend(codes_used_twice(records));
        found.extend(forks(records));
        found.extend(self.late_passages(records));
        found.extend(losses(records));
        found
    }

    fn too_many_sends(&self, records: &[Record]) -> Vec<String> {
        let mut by_phone: HashMap<&str, Vec<&Record>> = HashMap::new();
        let mut by_address: HashMap<&str, Vec<&Record>> = HashMap::new();
        for record in records {
            if let Event::Sent { phone, address } = &record.event {
                by_phone.entry(phone).or_default().push(record);
                by_address.entry(address).or_default().push(record);
            }
        }
        let phones = by_phone.iter().map(|of| (of, self.per_phone));
        let addresses = by_address.iter().map(|of| (of, self.per_address));
        phones
            .chain(addresses)
            .filter(|((_, sends), limit)| limit.is_exceeded(sends))
            .map(|((whose, sends), _)| format!("too many of {} sends: {whose}", sends.len()))
            .collect()
    }

    fn late_passages(&self, records: &[Record]) -> Vec<String> {
        let mut ended: HashMap<&str, Instant> = HashMap::new();
        for record in records {
            if let Event::Ended { session } = &record.event {
                let at = ended.entry(session).or_insert(record.to);
                *at = record.to.min(*at);
            }
        }
        let mut found = Vec::new();
        for record in records {
            if let Event::Passed { session } = &record.event
                && let Some(end) = ended.get(session.as_str())
                && record.from > *end + self.revoked_within
            {
                let late = record.from - *end;
                found.push(format!("{session} passed {late:?} after its end"));
            }
        }
        found
    }
}

impl Limit {
    /// Whether there is a window that more events lie in than it allows, whenever exactly each of
    /// them happened.
    fn is_exceeded(self, events: &[&Record]) -> bool {
        events.iter().any(|first| {
            let end = first.from + self.window;
            let inside = |event: &&&Record| event.from >= first.from && event.to < end;
            events.iter().filter(inside).count() > self.max
        })
    }
}

fn codes_used_twice(records: &[Record]) -> Vec<String> {
    let mut used = HashSet::new();
    let mut found = Vec::new();
    for record in records {
        if let Event::Opened {
            phone,
            code,
            session,
        } = &record.event
            && !used.insert((phone, code))
        {
            found.push(format!("the code of {phone} opened {session}, too"));
        }
    }
    found
}

fn forks(records: &[Record]) -> Vec<String> {
    let mut successors: HashMap<&str, &str> = HashMap::new();
    let mut found = Vec::new();
    for record in records {
        if let Event::Rotated { old, new, session } = &record.event
            && successors
                .insert(old, new)
                .is_some_and(|other| other != new)
        {
            found.push(format!("a refresh token has two successors: {session}"));
        }
    }
    found
}

fn losses(records: &[Record]) -> Vec<String> {
    let mut found = Vec::new();
    for record in records {
        if let Event::Lost { session } = &record.event {
            found.push(format!("the session {session} is gone"));
        }
    }
    found
}

mod tests {
    use super::*;

    const RULES: Rules = Rules {
        per_phone: Limit {
            max: 2,
            window: Duration::from_secs(10),
        },
        per_address: Limit {
            max: 3,
            window: Duration::from_secs(10),
        },
        revoked_within: Duration::from_secs(1),
    };

    /// The events, each at its second and as short as a blink.
    fn violations(events: &[(u64, Event)]) -> usize {
        let begin = Instant::now();
        let record = |(second, event): &(u64, Event)| Record {
            from: begin + Duration::from_secs(*second),
            to: begin + Duration::from_secs(*second) + Duration::from_millis(1),
            event: event.clone(),
        };
        let records: Vec<Record> = events.iter().map(record).collect();
        RULES.violations(&records).len()
    }

    fn sent(phone: &str, address: &str) -> Event {
        let (phone, address) = (phone.to_owned(), address.to_owned());
        Event::Sent { phone, address }
    }

    fn opened(code: &str) -> Event {
        Event::Opened {
            phone: "+1".to_owned(),
            code: code.to_owned(),
            session: "s".to_owned(),
        }
    }

    fn rotated(old: &str, new: &str) -> Event {
        Event::Rotated {
            session: "s".to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }
    }

    #[test]
    fn a_send_too_many_is_found_wherever_the_window_lies() {
        let within = [
            (0, sent("a", "x")),
            (9, sent("a", "y")),
            (10, sent("a", "z")),
        ];
        assert_eq!(violations(&within), 0);
        let beyond = [
            (1, sent("a", "x")),
            (9, sent("a", "y")),
            (10, sent("a", "z")),
        ];
        assert_eq!(violations(&beyond), 1);
        let at_one_address = ["a", "b", "c", "d"].map(|phone| (5, sent(phone, "x")));
        assert_eq!(violations(&at_one_address), 1);
    }

    #[test]
    fn a_code_that_opens_twice_is_found() {
        assert_eq!(violations(&[(0, opened("1")), (1, opened("2"))]), 0);
        assert_eq!(violations(&[(0, opened("1")), (1, opened("1"))]), 1);
    }

    #[test]
    fn a_fork_is_found() {
        let same = [
            (0, rotated("1", "2")),
            (1, rotated("1", "2")),
            (2, rotated("2", "3")),
        ];
        assert_eq!(violations(&same), 0);
        assert_eq!(
            violations(&[(0, rotated("1", "2")), (1, rotated("1", "3"))]),
            1
        );
    }

    #[test]
    fn a_door_that_opens_long_after_the_end_is_found() {
        let ended = Event::Ended {
            session: "s".to_owned(),
        };
        let passed = Event::Passed {
            session: "s".to_owned(),
        };
        let other = Event::Passed {
            session: "t".to_owned(),
        };
        let soon = [(1, ended.clone()), (2, passed.clone()), (9, other)];
        assert_eq!(violations(&soon), 0);
        assert_eq!(violations(&[(1, ended), (3, passed)]), 1);
    }

    #[test]
    fn a_session_that_is_gone_is_found() {
        assert_eq!(
            violations(&[(
                0,
                Event::Lost {
                    session: "s".to_owned()
                }
            )]),
            1
        );
    }
}
