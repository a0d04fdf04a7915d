//! Rules of requests that have a name: the same one twice is one send, and another one under that name is none.

use super::*;

/// A message of its own name, for a request that may have a name: of `name`, the tens are the name, and the
/// rest what is asked for.
pub fn maybe_named(n: u64, name: Option<u8>) -> Parcel {
    name.map_or_else(|| parcel_of(n), |name| named(n, name / 10, name % 10))
}

/// A message of its own name, for a request named `key`.
pub fn named(n: u64, key: u8, request: u8) -> Parcel {
    let once = Once {
        key: OnceKey([key; 16]),
        request: [request; 8],
    };
    Parcel {
        once: Some(once),
        ..parcel_of(n)
    }
}

impl Stage {
    async fn request(&self, account: AccountKey, limit: Charge, parcel: Parcel) -> Sending {
        let (start, limits) = (start(1, 1), vec![limit]);
        let sent = self
            .store
            .start_challenge(account, start, limits, UNGUARDED, *OTP, parcel);
        sent.await.unwrap()
    }
}

fn limit(max: u32) -> Charge {
    charge(1, max, Duration::from_mins(30))
}

pub async fn the_same_request_again_takes_and_queues_nothing(stage: Stage) {
    let first = stage.request(ANN, limit(1), named(1, 5, 1)).await;
    let Sending::Started(started) = first else {
        panic!("{first:?}");
    };
    stage.clock.advance(Duration::from_secs(1));
    // Although the limit would refuse it.
    let again = stage.request(ANN, limit(1), named(2, 5, 1)).await;
    assert_eq!(again, Sending::Repeated(started.clone()));
    let kept = stage.delivery(&started).await.unwrap();
    assert_eq!(kept.message, message(1));
    let without = stage.request(ANN, limit(1), parcel_of(3)).await;
    assert!(matches!(without, Sending::Limited { .. }));
}

pub async fn another_request_under_the_same_name_is_told_so(stage: Stage) {
    let limit = limit(2);
    stage.request(ANN, limit, named(1, 5, 1)).await;
    let other = stage.request(ANN, limit, named(2, 5, 2)).await;
    assert_eq!(other, Sending::Reused);
    // Nothing was taken, and other names are other requests: of this account, or of others.
    let other = stage.request(ANN, limit, named(3, 6, 2)).await;
    assert!(matches!(other, Sending::Started(_)));
    let strange = stage.send_parcel(BOB, start(1, 1), named(4, 5, 2)).await;
    assert!(matches!(strange, Sending::Started(_)));
}

pub async fn of_sixty_four_equal_requests_at_once_one_is_sent(stage: Stage) {
    let limits = vec![limit(2), charge(2, 1000, Duration::from_mins(30))];
    let sent = at_once(64, |n| {
        let (store, limits) = (stage.store.clone(), limits.clone());
        let (start, parcel) = (start(1, n.into()), named(n.into(), 5, 1));
        Box::pin(async move {
            store
                .start_challenge(ANN, start, limits, UNGUARDED, *OTP, parcel)
                .await
        })
    })
    .await;
    let started: Vec<_> = sent
        .iter()
        .filter(|sending| matches!(sending, Sending::Started(_)))
        .collect();
    let [Sending::Started(started)] = *started else {
        panic!("{started:?}");
    };
    for sending in &sent {
        match sending {
            Sending::Repeated(same) => assert_eq!(same, started),
            // Refused while the first one was under way between several servers.
            Sending::Started(_) | Sending::Limited { .. } => {}
            Sending::Despite(..)
            | Sending::Suspected(_)
            | Sending::Unpaid { .. }
            | Sending::Reused => {
                panic!("{sending:?}")
            }
        }
    }
    // One unit is left of two.
    assert!(stage.refusal(&limits[..1]).await.is_none());
    assert!(stage.refusal(&limits[..1]).await.is_some());
}

pub async fn a_refused_request_may_come_again(stage: Stage) {
    stage.request(BOB, limit(1), parcel_of(1)).await;
    let refused = stage.request(ANN, limit(1), named(2, 5, 1)).await;
    assert!(matches!(refused, Sending::Limited { .. }));
    stage.clock.advance(Duration::from_mins(30));
    let sent = stage.request(ANN, limit(1), named(3, 5, 1)).await;
    assert!(matches!(sent, Sending::Started(_)));
}

pub async fn a_request_is_forgotten_with_its_code(stage: Stage) {
    let limit = limit(9);
    let first = stage.request(ANN, limit, named(1, 5, 1)).await;
    let Sending::Started(started) = first else {
        panic!("{first:?}");
    };
    // A right answer does not make the request another one.
    let answered = stage.answer(ANN, Stage::right(&started), 1).await;
    assert!(matches!(answered, Answered::Opened(_)));
    let last = Duration::from_millis(1);
    stage.wait_until(started.expires_at.minus(last));
    let again = stage.request(ANN, limit, named(2, 5, 1)).await;
    assert_eq!(again, Sending::Repeated(started));
    stage.clock.advance(last);
    let anew = stage.request(ANN, limit, named(3, 5, 2)).await;
    assert!(matches!(anew, Sending::Started(_)));
}
