//! Rules of the guard: what is sent on credit, who is suspected, and who pays.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const NO_PROOF: Shown = Shown::Proof(Bits(0));

/// The place of this name.
fn debtor(name: u8, level: Level) -> Debtor {
    Debtor {
        meter: MeterKey([name; 16]),
        level,
        tail: None,
    }
}

/// A number of the one range.
fn number(tail: u16) -> Debtor {
    Debtor {
        tail: Tail::new(tail),
        ..debtor(0x40, Level::Range)
    }
}

/// The places that a code for somebody concerns, chosen by the bits of `which`.
pub fn debtors(whose: u8, client: u8, which: u8) -> Vec<Debtor> {
    let all = [
        number(u16::from(3 * whose + client)),
        debtor(0x50 + whose / 2, Level::Block),
        debtor(0x60, Level::Country),
        debtor(0x70 + client % 3, Level::Network),
    ];
    let chosen = all.into_iter().enumerate();
    chosen
        .filter(|(bit, _)| which >> bit & 1 == 1)
        .map(|(_, debtor)| debtor)
        .collect()
}

/// What somebody shows, whether it is wanted or not.
pub fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![
        3 => Just(NO_PROOF),
        3 => (0..24u8).prop_map(|bits| Shown::Proof(Bits(bits))),
        1 => Just(Shown::Everything),
    ]
}

impl Stage {
    async fn send_on(&self, debtors: &[Debtor], shown: Shown, charges: &[Charge]) -> Sending {
        let credit = Credit {
            debtors: debtors.to_vec(),
            expenses: vec![],
            shown,
        };
        let (start, charges) = (start(1, 1), charges.to_vec());
        let sent = self
            .store
            .start_challenge(ANN, start, charges, credit, *OTP, parcel());
        sent.await.unwrap()
    }

    /// How many are sent until a place is suspected, and of what.
    async fn send_until_suspected(&self, debtors: &[Debtor], shown: Shown) -> (u32, Alarm) {
        let mut sent = 0;
        loop {
            match self.send_on(debtors, shown, &[]).await {
                Sending::Suspected(alarm) => return (sent, alarm),
                Sending::Started(_) | Sending::Despite(..) => sent += 1,
                other @ (Sending::Limited { .. }
                | Sending::Unpaid { .. }
                | Sending::Repeated(_)
                | Sending::Reused) => {
                    panic!("{other:?}")
                }
            }
        }
    }

    /// Asks for a code on this credit and answers it.
    async fn log_in_on(&self, debtors: &[Debtor], answer: fn(&Started) -> Answer) {
        let (Sending::Started(started) | Sending::Despite(started, _)) =
            self.send_on(debtors, Shown::Everything, &[]).await
        else {
            panic!("everything is shown");
        };
        let login = login(session_id(1));
        let debtors = debtors.to_vec();
        let answered = self
            .store
            .answer_challenge(ANN, answer(&started), *OTP, login, debtors);
        answered.await.unwrap();
    }
}

const fn is_sent(sending: &Sending) -> bool {
    matches!(sending, Sending::Started(_) | Sending::Despite(..))
}

pub async fn whoever_answers_nothing_is_suspected_in_the_end(stage: Stage) {
    for (name, (level, handful)) in (1..).zip([
        (Level::Range, 6),
        (Level::Block, 7),
        (Level::Country, 21),
        (Level::Network, 6),
    ]) {
        let place = [debtor(name, level)];
        let alarm = Alarm {
            level,
            rule: Rule::Debt,
            suspicion: Suspicion::Proof(Bits(16)),
        };
        let suspected = stage.send_until_suspected(&place, NO_PROOF).await;
        assert_eq!(suspected, (handful, alarm));
    }
}

pub async fn a_suspected_send_changes_nothing_and_a_proof_helps(stage: Stage) {
    let places = debtors(0, 0, 0b1111);
    let limit = [charge(1, 1, Duration::from_mins(30))];
    let (sent, alarm) = stage.send_until_suspected(&places, NO_PROOF).await;
    assert_eq!(sent, 6);
    for _ in 0..20 {
        let again = stage.send_on(&places, NO_PROOF, &limit).await;
        assert_eq!(again, Sending::Suspected(alarm));
    }
    let Suspicion::Proof(Bits(bits)) = alarm.suspicion else {
        panic!("{alarm:?}");
    };
    let too_little = Shown::Proof(Bits(bits - 1));
    let again = stage.send_on(&places, too_little, &limit).await;
    assert_eq!(again, Sending::Suspected(alarm));
    let proved = stage
        .send_on(&places, Shown::Proof(Bits(bits)), &limit)
        .await;
    assert!(
        matches!(&proved, Sending::Despite(_, notes) if notes.alarm == Some(alarm)),
        "{proved:?}"
    );
    // Now the limit is used up, and is told first.
    let limited = stage.send_on(&places, NO_PROOF, &limit).await;
    assert!(matches!(limited, Sending::Limited { .. }), "{limited:?}");
}

pub async fn what_is_only_watched_is_sent_and_told(stage: Stage) {
    let places = debtors(0, 0, 0b1111);
    let mut told = Vec::new();
    for _ in 0..40 {
        match stage.send_on(&places, Shown::Everything, &[]).await {
            Sending::Started(_) => assert!(told.is_empty(), "{told:?}"),
            Sending::Despite(_, notes) => told.extend(notes.alarm.map(|alarm| alarm.suspicion)),
            other @ (Sending::Limited { .. }
            | Sending::Suspected(_)
            | Sending::Unpaid { .. }
            | Sending::Repeated(_)
            | Sending::Reused) => panic!("{other:?}"),
        }
    }
    assert!(matches!(told.first(), Some(Suspicion::Proof(_))));
    assert!(matches!(told.last(), Some(Suspicion::Blocked(_))));
}

pub async fn a_right_answer_pays_for_what_was_sent(stage: Stage) {
    let places = debtors(0, 0, 0b1111);
    stage.send_until_suspected(&places, NO_PROOF).await;
    for _ in 0..3 {
        stage.log_in_on(&places, Stage::right).await;
    }
    let sending = stage.send_on(&places, NO_PROOF, &[]).await;
    assert!(matches!(sending, Sending::Started(_)), "{sending:?}");
}

pub async fn a_wrong_answer_pays_for_nothing(stage: Stage) {
    let places = debtors(0, 0, 0b1111);
    stage.send_until_suspected(&places, NO_PROOF).await;
    for _ in 0..3 {
        stage.log_in_on(&places, Stage::wrong).await;
    }
    let sending = stage.send_on(&places, NO_PROOF, &[]).await;
    assert!(matches!(sending, Sending::Suspected(_)), "{sending:?}");
}

pub async fn a_good_name_makes_up_for_the_country(stage: Stage) {
    let country = debtor(1, Level::Country);
    let (home, elsewhere) = (debtor(2, Level::Network), debtor(3, Level::Network));
    for _ in 0..3 {
        stage.log_in_on(&[home], Stage::right).await;
    }
    stage.send_until_suspected(&[country], NO_PROOF).await;
    let strange = stage.send_on(&[country, elsewhere], NO_PROOF, &[]).await;
    assert!(matches!(strange, Sending::Suspected(_)), "{strange:?}");
    let trusted = stage.send_on(&[country, home], NO_PROOF, &[]).await;
    assert!(matches!(trusted, Sending::Started(_)), "{trusted:?}");
}

pub async fn whoever_counts_through_numbers_is_suspected_however_slowly(stage: Stage) {
    let alarm = Alarm {
        level: Level::Range,
        rule: Rule::Sequence,
        suspicion: Suspicion::Proof(Bits(16)),
    };
    for n in 0..20 {
        let sending = stage.send_on(&[number(5000 + 10 * n)], NO_PROOF, &[]).await;
        if n < 3 {
            assert!(matches!(sending, Sending::Started(_)), "{n}: {sending:?}");
        } else {
            assert_eq!(sending, Sending::Suspected(alarm), "{n}");
        }
        stage.clock.advance(Duration::from_hours(6));
    }
    // Elsewhere in the range nobody is, and nobody either once somebody there has verified.
    let elsewhere = stage.send_on(&[number(4)], NO_PROOF, &[]).await;
    assert!(matches!(elsewhere, Sending::Started(_)), "{elsewhere:?}");
    stage.log_in_on(&[number(5012)], Stage::right).await;
    let neighbour = stage.send_on(&[number(5030)], NO_PROOF, &[]).await;
    assert!(matches!(neighbour, Sending::Started(_)), "{neighbour:?}");
}

pub async fn a_block_ends(stage: Stage) {
    let place = [debtor(1, Level::Range)];
    let all = Shown::Proof(Bits(22));
    let (sent, alarm) = stage.send_until_suspected(&place, all).await;
    assert_eq!(sent, 13);
    let until = BEGINNING + Duration::from_mins(15);
    assert_eq!(alarm.suspicion, Suspicion::Blocked(until));
    stage.wait_until(until.minus(MS));
    let blocked = stage.send_on(&place, all, &[]).await;
    assert_eq!(blocked, Sending::Suspected(alarm));
    stage.clock.advance(MS);
    assert!(is_sent(&stage.send_on(&place, all, &[]).await));
}

pub async fn of_a_thousand_sends_at_once_a_handful_is_sent_on_credit(stage: Stage) {
    let handles: Vec<_> = (0..10).map(|_| stage.store.for_worker()).collect();
    let sent = at_once(200, |n| {
        let store = handles[usize::from(n) % 10].clone();
        Box::pin(async move {
            let mut sent = 0;
            for _ in 0..5 {
                let credit = Credit {
                    debtors: vec![debtor(1, Level::Range), debtor(n, Level::Network)],
                    expenses: vec![],
                    shown: NO_PROOF,
                };
                let (account, start) = (account(n), start(n, n.into()));
                let sending = store.start_challenge(account, start, vec![], credit, *OTP, parcel());
                sent += u32::from(is_sent(&sending.await?));
            }
            Ok(sent)
        })
    })
    .await;
    assert_eq!(sent.iter().sum::<u32>(), 6);
}

pub async fn what_places_owe_is_forgotten_in_a_week(stage: Stage) {
    let places = debtors(0, 0, 0b1111);
    let suspected = stage.send_until_suspected(&places, NO_PROOF).await;
    stage.clock.advance(Duration::from_hours(7 * 24));
    assert_eq!(
        stage.send_until_suspected(&places, NO_PROOF).await,
        suspected
    );
}
