//! What the model and the store are asked, as it is drawn.

use proptest::prelude::*;

use super::*;
use crate::store::contract::turns::drawn;

/// One thing that is asked, or time that passes. Numbers are folded into what exists.
#[derive(Debug, Clone)]
pub enum Ask {
    Send {
        whose: u8,
        client: u8,
        limits: u8,
        secrets: &'static [u8],
        debtors: u8,
        shown: Shown,
        request: Option<u8>,
        expenses: u8,
    },
    Turn {
        whose: u8,
        client: u8,
        drawn: Drawn,
    },
    Due,
    Answer {
        whose: u8,
        client: u8,
        named: bool,
        right: bool,
        debtors: u8,
    },
    Rotate {
        whose: u8,
        session: u8,
        generation: u32,
    },
    Revoke {
        whose: u8,
        session: u8,
        scope: u8,
    },
    List {
        whose: u8,
    },
    Take {
        whose: u8,
        client: u8,
        limits: u8,
    },
    Wait(Duration),
}

/// The master secrets of the gateways that ask. Mostly nobody replaces one.
const SECRETS: [&[u8]; 7] = [&[1], &[1], &[1], &[1], &[1, 2], &[2, 1], &[2]];

pub fn ask() -> impl Strategy<Value = Ask> {
    let wait = prop_oneof![
        0..2_000u64,
        0..600_000u64,
        Just(30_000),
        Just(300_000),
        0..(40 * 86_400_000u64)
    ];
    let secrets = prop::sample::select(&SECRETS);
    let request = prop_oneof![3 => Just(None), 1 => (0..30u8).prop_map(Some)];
    prop_oneof![
        5 => (0..3u8, 0..3u8, 0..16u8, secrets, 0..16u8, shown(), request, which_expenses())
            .prop_map(|(whose, client, limits, secrets, debtors, shown, request, expenses)| Ask::Send { whose, client, limits, secrets, debtors, shown, request, expenses }),
        5 => (0..3u8, 0..3u8, drawn()).prop_map(|(whose, client, drawn)| Ask::Turn { whose, client, drawn }),
        1 => Just(Ask::Due),
        5 => (0..3u8, 0..3u8, any::<bool>(), any::<bool>(), 0..16u8)
            .prop_map(|(whose, client, named, right, debtors)| Ask::Answer { whose, client, named, right, debtors }),
        4 => (0..3u8, any::<u8>(), 0..5u32)
            .prop_map(|(whose, session, generation)| Ask::Rotate { whose, session, generation }),
        1 => (0..3u8, any::<u8>(), 0..3u8)
            .prop_map(|(whose, session, scope)| Ask::Revoke { whose, session, scope }),
        1 => (0..3u8).prop_map(|whose| Ask::List { whose }),
        2 => (0..3u8, 0..3u8, 0..16u8)
            .prop_map(|(whose, client, limits)| Ask::Take { whose, client, limits }),
        4 => wait.prop_map(|millis| Ask::Wait(Duration::from_millis(millis))),
    ]
}

/// The limits that a send meets, chosen by the bits of `which`.
pub fn limits(whose: u8, client: u8, which: u8) -> Vec<Charge> {
    let mut of_phone = charge(10 + whose, 3, Duration::from_mins(30));
    of_phone.bucket = of_phone.bucket.beside(account(whose));
    let all = [
        of_phone,
        charge(20 + client, 5, Duration::from_mins(10)),
        charge(30, 35, Duration::from_hours(24 * 20)),
        charge(40, 2, Duration::from_secs(1)),
    ];
    let chosen = all.into_iter().enumerate();
    chosen
        .filter(|(bit, _)| which >> bit & 1 == 1)
        .map(|(_, charge)| charge)
        .collect()
}
