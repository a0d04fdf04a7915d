//! What the scripts make of a meter is what the domain makes of it, to the last bit.

use std::{cell::Cell, collections::HashMap, time::Duration};

use proptest::{prelude::*, test_runner::TestRunner};

use super::{RedisServer, spec_at};
use crate::{
    clock::Clock,
    domain::fraud::{self, Bits, Credit, Meter, MeterKey, Place, Shown},
    store::{
        Answered, Sending, Spec, Store,
        contract::{ANN, BEGINNING, NAMES, OTP, Stage, debtors, login, parcel, session_id, start},
        transfer::{Entry, Source, Stamp},
    },
};

/// Something that happens to the places of a message to a client's number, and how many milliseconds
/// later the next thing does.
type Happening = (Happens, u8, u8, u64);

#[derive(Debug, Clone, Copy)]
enum Happens {
    Sent(Shown),
    Answered,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happens = prop_oneof![
        2 => (16..23u8).prop_map(|bits| Happens::Sent(Shown::Proof(Bits(bits)))),
        2 => Just(Happens::Sent(Shown::Everything)),
        2 => Just(Happens::Answered),
    ];
    let wait = prop_oneof![3 => 0..1000u64, 2 => 0..1_000_000u64, 1 => 0..200_000_000u64];
    // Some are neighbours and some are not.
    let client = prop_oneof![2 => 0..12u8, 1 => 0..240u8];
    prop::collection::vec((happens, client, 1..16u8, wait), 1..80)
}

#[test]
fn a_meter_is_the_same_to_the_last_bit() {
    let server = RedisServer::start();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let case = Cell::new(0);
    let result = runner.run(&happenings(), |happenings| {
        case.set(case.get() + 1);
        let prefix = format!("meters-{}:", case.get());
        runtime.block_on(compare(&server, &prefix, happenings));
        Ok(())
    });
    result.unwrap();
}

async fn compare(server: &RedisServer, prefix: &str, happenings: Vec<Happening>) {
    let spec = spec_at(
        &format!("redis+unix://{}", server.socket().display()),
        prefix,
    );
    let clock = Clock::manual(BEGINNING);
    let store = Store::open(&spec, NAMES, clock.clone()).await.unwrap();
    let mut model: HashMap<MeterKey, Meter> = HashMap::new();
    for (happens, client, which, wait) in happenings {
        let debtors = debtors(0, client, which);
        let known = debtors
            .iter()
            .map(|debtor| debtor.owing(model.get(&debtor.meter).cloned()));
        let mut places: Vec<Place> = known.collect();
        let now = clock.now();
        match happens {
            Happens::Sent(shown) => {
                let credit = Credit {
                    debtors: debtors.clone(),
                    expenses: vec![],
                    shown,
                };
                let sent = store.start_challenge(ANN, start(1, 1), vec![], credit, *OTP, parcel());
                let is_sent = !matches!(sent.await.unwrap(), Sending::Suspected(_));
                let admission = fraud::admit(&mut places, shown, now);
                assert_eq!(is_sent, admission.is_admitted());
                if !is_sent {
                    continue;
                }
            }
            Happens::Answered => {
                let nobody = Credit::unguarded();
                let sent = store.start_challenge(ANN, start(1, 1), vec![], nobody, *OTP, parcel());
                let Sending::Started(started) = sent.await.unwrap() else {
                    panic!("nobody is guarded");
                };
                let (answer, login) = (Stage::right(&started), login(session_id(1)));
                let answered = store.answer_challenge(ANN, answer, *OTP, login, debtors.clone());
                assert!(matches!(answered.await.unwrap(), Answered::Opened(_)));
                fraud::verify(&mut places, now);
            }
        }
        for (debtor, place) in debtors.iter().zip(places) {
            model.insert(debtor.meter, place.meter);
        }
        clock.advance(Duration::from_millis(wait));
    }
    model.retain(|_, meter| meter.dead_at() > clock.now());
    assert_eq!(meters(&spec, &clock).await, model);
}

/// All meters that a store holds.
async fn meters(spec: &Spec, clock: &Clock) -> HashMap<MeterKey, Meter> {
    let source = Source::open(spec, NAMES, clock.clone(), Stamp(1)).await;
    let mut source = source.unwrap();
    let mut meters = HashMap::new();
    while let Some(batch) = source.next().await.unwrap() {
        for entry in batch.entries {
            if let Entry::Meter { key, meter } = entry {
                meters.insert(key, meter);
            }
        }
    }
    meters
}
