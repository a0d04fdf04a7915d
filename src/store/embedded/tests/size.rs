//! How large the store grows: the sweep forgets what is dead, and `max_size` holds what is not.

use std::time::Duration;

use super::{figures, in_memory_stage, spec};
use crate::{
    clock::Clock,
    domain::{
        account::AccountKey,
        delivery::AFTERMATH,
        quota::{Bucket, Charge},
    },
    store::{
        Backend, Error, Revoke, Rotated, Spec, Store,
        contract::{
            ACCESS_TTL, ANN, BEGINNING, BOB, NAMES, OTP, SESSION, Stage, UNGUARDED, account,
            charge, login, parcel, session_id, start, taken,
        },
    },
};

/// Lets the sweep pass until the number of rows is `rows`; gives up after a while.
async fn sweep_down_to(stage: &Stage, rows: u64) {
    for _ in 0..2_000 {
        stage.store.ready().await.unwrap();
        if figures(&stage.store).rows() <= rows {
            break;
        }
    }
    assert_eq!(figures(&stage.store).rows(), rows);
}

#[tokio::test]
async fn the_sweep_forgets_all_that_is_dead_and_nothing_that_lives() {
    let stage = in_memory_stage().await;
    let short = Duration::from_mins(10);
    let long = Duration::from_hours(1);
    // 120 codes, 120 small windows and one of 700 events, more than one pass removes, end soon.
    for _ in 0..580 {
        stage.send_within(&[charge(200, 1000, short)]).await;
    }
    for n in 0..120 {
        let charges = vec![charge(n, 3, short), charge(200, 1000, short)];
        let sent = stage.store.start_challenge(
            account(n),
            start(1, 1),
            charges,
            UNGUARDED,
            *OTP,
            parcel(),
        );
        sent.await.unwrap();
    }
    // One window that lasts, with its events in the table.
    for _ in 0..40 {
        stage.send_within(&[charge(201, 40, long)]).await;
    }
    // Two sessions, one of them ended: its row in `revoked` lasts as long as its access tokens.
    let (kept, ended) = (stage.open(1, ANN).await, stage.open(2, BOB).await);
    stage.revoke(BOB, Revoke::All).await;

    stage.clock.advance(short);
    // The lasting window with 40 events, an account with a session, a revoked session; and what has become of the
    // messages, of which those to the 120 are still to be looked at.
    let messages = 122 + 120;
    sweep_down_to(&stage, 1 + 40 + 1 + 1 + messages).await;
    assert_eq!(stage.sessions(ANN).await, [kept]);
    assert!(stage.is_revoked(ended));
    let limited = stage.send_within(&[charge(201, 40, long)]).await;
    assert!(matches!(limited, crate::store::Sending::Limited { .. }));

    stage.wait_until(BEGINNING + ACCESS_TTL);
    sweep_down_to(&stage, 1 + 40 + 1 + messages).await;
    stage.wait_until(BEGINNING + OTP.ttl + AFTERMATH);
    sweep_down_to(&stage, 1 + 40 + 1).await;
    stage.wait_until(BEGINNING + long);
    sweep_down_to(&stage, 1).await;
    assert!(matches!(
        stage.rotate(ANN, kept, 0).await,
        Rotated::To { .. }
    ));
    stage.clock.advance(SESSION.idle);
    sweep_down_to(&stage, 0).await;
}

#[tokio::test]
async fn dead_rows_never_pile_up_however_busy_it_is() {
    let stage = in_memory_stage().await;
    let mut most = 0;
    for n in 0..10_000_u64 {
        let key = |which: u8| {
            let mut key = [which; 16];
            key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            key
        };
        // Whoever wants to fill it comes with a new number from a new network each time.
        let charges = (1..=4).map(|which| Charge {
            bucket: Bucket(key(which)),
            ..charge(0, 3, OTP.ttl)
        });
        let (account, charges) = (AccountKey(key(0)), charges.collect());
        let sent =
            stage
                .store
                .start_challenge(account, start(1, n), charges, UNGUARDED, *OTP, parcel());
        sent.await.unwrap();
        // A code and its windows live for five hundred sends, its message for two thousand.
        stage.clock.advance(OTP.ttl / 500);
        most = most.max(figures(&stage.store).rows());
    }
    // One account and four windows for each of them, a message that nobody looks at, and a third of it on top.
    assert!(most < (500 * 5 + 2000 * 2) * 4 / 3 + 100, "{most}");
}

#[tokio::test]
async fn a_full_store_adds_nothing_but_serves_who_is_in_and_recovers() {
    let clock = Clock::manual(BEGINNING);
    let spec = Spec {
        max_size: 1 << 20,
        ..spec(Backend::Memory)
    };
    let store = Store::open(&spec, NAMES, clock.clone()).await.unwrap();
    let stage = Stage {
        store,
        clock,
        _home: None,
    };
    let (kept, ended) = (stage.open(1, ANN).await, stage.open(2, BOB).await);
    let pending = stage.send(account(3), start(1, 1)).await;

    let full = fill(&stage).await;
    assert!(matches!(full, Error::Full { .. }), "{full:?}");
    let bytes = figures(&stage.store).file_bytes();
    // It grows by doubling, whatever it began with.
    assert!(bytes <= spec.max_size * 9 / 4, "{bytes}");

    assert!(matches!(
        stage.rotate(ANN, kept, 0).await,
        Rotated::To { .. }
    ));
    assert_eq!(stage.sessions(ANN).await, [kept]);
    assert_eq!(stage.revoke(BOB, Revoke::All).await, [ended]);
    stage.store.ready().await.unwrap();
    // What is queued is sent.
    let sending = stage.claimed(&pending, parcel().message).await;
    stage.deliver(&pending, taken(&sending, None)).await;
    // A login would add a session; whether the code is right is not told, and it is not used up.
    for answer in [Stage::right(&pending), Stage::wrong(&pending)] {
        let login = login(session_id(3));
        let answered = stage
            .store
            .answer_challenge(account(3), answer, *OTP, login, vec![]);
        assert!(matches!(answered.await, Err(Error::Full { .. })));
    }

    stage.clock.advance(OTP.ttl + AFTERMATH);
    // The account whose session was kept.
    sweep_down_to(&stage, 1).await;
    stage.clock.advance(Duration::from_secs(1));
    stage.open(4, account(4)).await;
    let again = fill(&stage).await;
    assert!(matches!(again, Error::Full { .. }), "{again:?}");
    let bytes = figures(&stage.store).file_bytes();
    // It grows by doubling, whatever it began with.
    assert!(bytes <= spec.max_size * 9 / 4, "{bytes}");
}

/// Sends codes to ever more phones until it is refused.
async fn fill(stage: &Stage) -> Error {
    for n in 0..100_000_u64 {
        let mut key = [0xee; 16];
        key[..8].copy_from_slice(&n.to_be_bytes());
        let sent = stage.store.start_challenge(
            AccountKey(key),
            start(1, n),
            vec![],
            UNGUARDED,
            *OTP,
            parcel(),
        );
        if let Err(error) = sent.await {
            return error;
        }
        // Time passes, so that the room is measured again.
        stage.clock.advance(Duration::from_millis(10));
    }
    panic!("it never fills");
}
