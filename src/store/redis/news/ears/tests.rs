//! When it is said that all is known: in single cases, and against the whole past of any course of events.

use proptest::{collection::vec, prelude::*};

use super::*;

fn ears(servers: &[u8]) -> (Ears<u8>, Arc<Revocations>) {
    let revocations = Arc::default();
    let ears = Ears::new(Arc::clone(&revocations));
    ears.listen_to(&servers.iter().copied().collect());
    (ears, revocations)
}

#[tokio::test]
async fn all_are_heard_then_all_is_read_then_all_is_known() {
    let (ears, revocations) = ears(&[1, 2]);
    ears.heard(&1);
    ears.heard(&2);
    assert_eq!(revocations.freshness(), Freshness::Stale);
    let quiet = ears.quiet().await;
    assert_eq!(ears.have_read(quiet), Freshness::Fresh);
    assert_eq!(revocations.freshness(), Freshness::Fresh);
    ears.lost(&1);
    assert_eq!(revocations.freshness(), Freshness::Stale);
    ears.gap_after(quiet).await;
}

#[tokio::test]
async fn a_gap_in_the_middle_of_a_reading_makes_it_worthless() {
    let (ears, revocations) = ears(&[1]);
    ears.heard(&1);
    let quiet = ears.quiet().await;
    ears.lost(&1);
    ears.heard(&1);
    assert_eq!(ears.have_read(quiet), Freshness::Stale);
    assert_eq!(revocations.freshness(), Freshness::Stale);
    let next = ears.quiet().await;
    assert_eq!(ears.have_read(next), Freshness::Fresh);
}

#[tokio::test]
async fn the_readiness_to_listen_is_waited_for() {
    let (ears, _) = ears(&[1]);
    let ears = Arc::new(ears);
    let waiting = tokio::spawn({
        let ears = Arc::clone(&ears);
        async move { ears.quiet().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    ears.heard(&1);
    let quiet = waiting.await.expect("no panic");
    assert_eq!(ears.have_read(quiet), Freshness::Fresh);
}

#[test]
fn nobody_to_listen_to_is_no_knowledge() {
    let (ears, revocations) = ears(&[]);
    assert_eq!(ears.state.borrow().quiet(), None);
    assert_eq!(revocations.freshness(), Freshness::Stale);
}

#[tokio::test]
async fn who_stops_listening_does_not_know_any_more() {
    let (ears, revocations) = ears(&[1]);
    ears.heard(&1);
    let quiet = ears.quiet().await;
    ears.have_read(quiet);
    drop(ears);
    assert_eq!(revocations.freshness(), Freshness::Stale);
}

#[tokio::test]
async fn a_server_that_has_nothing_to_say_any_more_leaves_no_gap() {
    let (ears, revocations) = ears(&[1, 2]);
    ears.heard(&1);
    ears.heard(&2);
    let quiet = ears.quiet().await;
    ears.listen_to(&HashSet::from([1]));
    assert_eq!(ears.have_read(quiet), Freshness::Fresh);
    ears.listen_to(&HashSet::from([1]));
    assert_eq!(revocations.freshness(), Freshness::Fresh);
    ears.listen_to(&HashSet::from([3]));
    assert_eq!(revocations.freshness(), Freshness::Stale);
}

#[derive(Debug, Clone)]
enum Event {
    Expect(HashSet<u8>),
    Heard(u8),
    Lost(u8),
    BeginReading,
    EndReading,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => vec(0..3_u8, 0..3).prop_map(|list| Event::Expect(list.into_iter().collect())),
        4 => (0..3_u8).prop_map(Event::Heard),
        2 => (0..3_u8).prop_map(Event::Lost),
        4 => Just(Event::BeginReading),
        4 => Just(Event::EndReading),
    ]
}

/// Told from the whole past: the servers of now were all heard, without a break and as long as
/// they were expected, from the begin of some reading that has ended until now.
fn is_known(past: &[Event]) -> bool {
    let begins = (0..past.len()).filter(|at| matches!(past[*at], Event::BeginReading));
    begins.into_iter().any(|begin| {
        let end = past[begin + 1..]
            .iter()
            .position(|event| matches!(event, Event::BeginReading | Event::EndReading));
        let ended = end.is_some_and(|at| matches!(past[begin + 1 + at], Event::EndReading));
        ended && (begin..=past.len()).all(|now| all_heard(&past[..now]))
    })
}

fn all_heard(past: &[Event]) -> bool {
    let (mut expected, mut heard) = (HashSet::new(), HashSet::new());
    for event in past {
        match event {
            Event::Expect(servers) => {
                heard.retain(|server| servers.contains(server));
                expected.clone_from(servers);
            }
            Event::Heard(server) if expected.contains(server) => {
                heard.insert(*server);
            }
            Event::Lost(server) => {
                heard.remove(server);
            }
            Event::Heard(_) | Event::BeginReading | Event::EndReading => {}
        }
    }
    !expected.is_empty() && heard.len() == expected.len()
}

proptest! {
    /// Never "fresh" without a reason. The other way round it may take one reading more.
    #[test]
    fn it_is_said_only_when_it_is_so(events in vec(event(), 0..60)) {
        let (ears, revocations) = ears(&[]);
        let mut reading = None;
        let mut past = Vec::new();
        for event in events {
            match &event {
                Event::Expect(servers) => ears.listen_to(servers),
                Event::Heard(server) => ears.heard(server),
                Event::Lost(server) => ears.lost(server),
                Event::BeginReading => reading = ears.state.borrow().quiet(),
                Event::EndReading => {
                    if let Some(quiet) = reading.take() {
                        ears.have_read(quiet);
                    }
                }
            }
            past.push(event);
            if revocations.freshness() == Freshness::Fresh {
                prop_assert!(is_known(&past), "{:?}", past);
            }
        }
        let servers: Vec<_> = ears.state.borrow().servers.keys().copied().collect();
        for server in &servers {
            ears.heard(server);
        }
        let quiet = ears.state.borrow().quiet();
        prop_assert_eq!(quiet.is_some(), !servers.is_empty());
        if let Some(quiet) = quiet {
            prop_assert_eq!(ears.have_read(quiet), Freshness::Fresh);
        }
    }
}
