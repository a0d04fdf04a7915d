//! Two stores that are asked the same: whatever the rules are, and whoever asks for what, they answer alike.

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

use super::{
    turns::{Drawn, drawn},
    *,
};

/// One thing that both are asked, or time that passes for both.
#[derive(Debug, Clone)]
enum Ask {
    Send {
        whose: u8,
        client: u8,
        secrets: &'static [u8],
        limits: Vec<Index>,
        debtors: u8,
        shown: Shown,
        request: Option<u8>,
        expenses: u8,
    },
    Turn {
        /// One of the challenges that were made, for whomever.
        challenge: Index,
        drawn: Drawn,
    },
    Due,
    Answer {
        whose: u8,
        client: u8,
        /// One of the challenges that were made, for whomever.
        named: Option<Index>,
        /// Codes of sends that were made, for whomever.
        codes: Vec<Index>,
        device_info: String,
        ip: String,
        debtors: u8,
    },
    Rotate {
        whose: u8,
        session: Index,
        generation: u32,
        ip: String,
    },
    Revoke {
        whose: u8,
        session: Index,
        scope: u8,
    },
    List {
        whose: u8,
    },
    Take {
        whose: u8,
        client: u8,
        limits: Vec<Index>,
    },
    Wait(Duration),
}

/// Rules under which something is asked. They may be others the next time.
#[derive(Debug, Clone)]
struct Rules {
    otp: otp::Policy,
    session: session::Policy,
    access_ttl: Duration,
}

/// The two stores, and what they have said so far.
struct Pair {
    one: Stage,
    other: Stage,
    sent: Vec<Started>,
    opened: Vec<SessionId>,
    asked: u64,
}

/// Runs random sequences under random rules, each on two fresh stages.
pub fn two_stores_answer_alike(
    cases: u32,
    one: impl AsyncFn() -> Stage,
    other: impl AsyncFn() -> Stage,
) {
    a_moved_store_answers_alike(cases, 0, one, other, async |one, other| (one, other));
}

/// The same, where the other one is moved somewhere else so many times in the middle of it, and the
/// one only begins again, since both forget what has expired then.
pub fn a_moved_store_answers_alike(
    cases: u32,
    times: usize,
    one: impl AsyncFn() -> Stage,
    other: impl AsyncFn() -> Stage,
    moved: impl AsyncFn(Stage, Stage) -> (Stage, Stage),
) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Mostly the first rules hold.
    let asks = vec(
        (ask(), prop_oneof![9 => Just(0), 1 => Just(1_usize)]),
        1..200,
    );
    let result = runner.run(&([rules(), rules()], asks), |(rules, asks)| {
        runtime.block_on(async {
            let mut pair = Pair {
                one: one().await,
                other: other().await,
                sent: Vec::new(),
                opened: Vec::new(),
                asked: 0,
            };
            let part = asks.len().div_ceil(times + 1);
            for (at, (ask, which)) in asks.into_iter().enumerate() {
                if at > 0 && at.is_multiple_of(part) {
                    (pair.one, pair.other) = moved(pair.one, pair.other).await;
                }
                pair.ask(ask, &rules[which]).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}

fn rules() -> impl Strategy<Value = Rules> {
    let millis = |most: u64| (0..=most).prop_map(Duration::from_millis);
    let otp = (
        millis(600_000),
        millis(900_000),
        0..6u32,
        0..12u32,
        any::<bool>(),
    );
    let session = (
        millis(5_000_000),
        millis(9_000_000),
        millis(60_000),
        0..5u32,
    );
    (otp, session, millis(900_000)).prop_map(|(otp, session, access_ttl)| Rules {
        otp: otp::Policy {
            length: Length::new(6).unwrap(),
            ttl: otp.0,
            max_age: otp.1,
            max_attempts: otp.2,
            max_failures: otp.3,
            require_challenge: otp.4,
        },
        session: session::Policy {
            idle: session.0,
            absolute: session.1,
            grace: session.2,
            max_per_subject: session.3,
        },
        access_ttl,
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    const SECRETS: [&[u8]; 4] = [&[1], &[1, 2], &[2, 1], &[2]];
    let whose = || 0..2u8;
    // More clients than one code can have challenges.
    let client = || prop_oneof![0..3u8, 0..40u8];
    let index = any::<Index>;
    // Most people wait for a moment, some until something is over, and some for days.
    let wait = prop_oneof![
        6 => 0..3_000u64,
        3 => 0..400_000u64,
        1 => 0..(2 * 86_400_000u64),
    ];
    let send = (
        whose(),
        client(),
        prop::sample::select(&SECRETS),
        vec(index(), 0..4),
        0..16u8,
        shown(),
        prop_oneof![3 => Just(None), 1 => (0..30u8).prop_map(Some)],
        which_expenses(),
    )
        .prop_map(
            |(whose, client, secrets, limits, debtors, shown, request, expenses)| Ask::Send {
                whose,
                client,
                secrets,
                limits,
                debtors,
                shown,
                request,
                expenses,
            },
        );
    let turn = (index(), drawn()).prop_map(|(challenge, drawn)| Ask::Turn { challenge, drawn });
    let answer = (
        whose(),
        client(),
        prop::option::of(index()),
        vec(index(), 0..3),
        "\\PC{0,12}",
        "[0-9a-f:.]{0,12}",
        0..16u8,
    )
        .prop_map(
            |(whose, client, named, codes, device_info, ip, debtors)| Ask::Answer {
                whose,
                client,
                named,
                codes,
                device_info,
                ip,
                debtors,
            },
        );
    let rotate = (whose(), index(), 0..4u32, "[0-9a-f:.]{0,12}").prop_map(
        |(whose, session, generation, ip)| Ask::Rotate {
            whose,
            session,
            generation,
            ip,
        },
    );
    let revoke = (whose(), index(), 0..3u8).prop_map(|(whose, session, scope)| Ask::Revoke {
        whose,
        session,
        scope,
    });
    let take =
        (whose(), client(), vec(index(), 0..4)).prop_map(|(whose, client, limits)| Ask::Take {
            whose,
            client,
            limits,
        });
    prop_oneof![
        6 => send,
        8 => answer,
        8 => turn,
        2 => Just(Ask::Due),
        6 => rotate,
        1 => revoke,
        2 => whose().prop_map(|whose| Ask::List { whose }),
        3 => take,
        6 => wait.prop_map(|millis| Ask::Wait(Duration::from_millis(millis))),
    ]
}

/// The limits that there are, of which a send may meet any, also the same one twice.
fn limits(whose: u8, client: u8) -> Vec<Charge> {
    let limit = |bucket, max, window| charge(bucket, max, Duration::from_millis(window));
    let of_phone = |bucket, max, window| {
        let charge = limit(bucket, max, window);
        let bucket = charge.bucket.beside(account(whose));
        Charge { bucket, ..charge }
    };
    vec![
        of_phone(10 + whose, 4, 90_000),
        of_phone(20 + whose, 1, 700),
        limit(30 + client, 2, 4_000),
        limit(90, 9, 600_000),
        limit(91, 40, 86_400_000),
    ]
}

impl Pair {
    async fn ask(&mut self, ask: Ask, rules: &Rules) {
        self.asked += 1;
        match ask {
            Ask::Send {
                whose,
                client,
                secrets,
                limits: which,
                debtors: guarded,
                shown,
                request,
                expenses: spends,
            } => {
                let parcel = maybe_named(self.asked, request);
                let credit = Credit {
                    debtors: debtors(whose, client, guarded),
                    expenses: expenses(whose, spends),
                    shown,
                };
                let start = made_by(secrets, start(client, self.asked));
                let limits = limits(whose, client);
                let charges: Vec<_> = which.iter().map(|index| *index.get(&limits)).collect();
                let sending = self
                    .both(|store| {
                        let (start, charges) = (start.clone(), charges.clone());
                        let credit = credit.clone();
                        store.start_challenge(
                            account(whose),
                            start,
                            charges,
                            credit,
                            rules.otp,
                            parcel.clone(),
                        )
                    })
                    .await;
                if let Sending::Started(started) | Sending::Despite(started, _) = sending {
                    self.sent.push(started);
                }
            }
            Ask::Turn { challenge, drawn } => {
                let Some(started) = (!self.sent.is_empty()).then(|| challenge.get(&self.sent))
                else {
                    return;
                };
                let kept = self.both(|store| store.delivery(started.id)).await;
                let turn = drawn.turn(kept.as_ref());
                self.both(|store| store.deliver(started.id, turn.clone()))
                    .await;
                self.both(|store| store.delivery(started.id)).await;
            }
            Ask::Due => {
                self.both(async |store| {
                    let mut due = store.due(10_000).await?;
                    due.sort_by_key(|(challenge, _)| *challenge.as_bytes());
                    Ok(due)
                })
                .await;
            }
            Ask::Answer {
                whose,
                client,
                named,
                codes,
                device_info,
                ip,
                debtors: guarded,
            } => {
                let debtors = debtors(whose, client, guarded);
                let sent = |index: Index| (!self.sent.is_empty()).then(|| index.get(&self.sent));
                let codes = codes.into_iter().filter_map(sent);
                let answer = Answer {
                    challenge: named.and_then(sent).map(|started| started.id),
                    client: ClientKey([client; 8]),
                    tags: codes.map(|started| tag(started.nonce)).collect(),
                };
                let login = Login {
                    id: self.next_session(),
                    device_info,
                    ip,
                    policy: rules.session,
                    access_ttl: rules.access_ttl,
                };
                let answered = self
                    .both(|store| {
                        let (answer, login) = (answer.clone(), login.clone());
                        let debtors = debtors.clone();
                        store.answer_challenge(account(whose), answer, rules.otp, login, debtors)
                    })
                    .await;
                if let Answered::Opened(_) = answered {
                    self.opened.push(login.id);
                }
            }
            Ask::Rotate {
                whose,
                session,
                generation,
                ip,
            } => {
                let id = self.session(session);
                self.both(|store| {
                    let (ip, policy, ttl) = (ip.clone(), rules.session, rules.access_ttl);
                    store.rotate(account(whose), id, generation, ip, policy, ttl)
                })
                .await;
            }
            Ask::Revoke {
                whose,
                session,
                scope,
            } => {
                let id = self.session(session);
                let which = match scope {
                    0 => Revoke::One(id),
                    1 => Revoke::All,
                    _ => Revoke::Others { keep: id },
                };
                self.both(|store| store.revoke(account(whose), which, rules.access_ttl))
                    .await;
            }
            Ask::Take {
                whose,
                client,
                limits: which,
            } => {
                let limits = limits(whose, client);
                let charges: Vec<_> = which.iter().map(|index| *index.get(&limits)).collect();
                self.both(|store| store.take(charges.clone())).await;
            }
            Ask::List { whose } => {
                self.both(|store| store.sessions(account(whose), rules.session))
                    .await;
            }
            Ask::Wait(span) => {
                self.one.clock.advance(span);
                self.other.clock.advance(span);
            }
        }
    }

    /// What both answer.
    async fn both<'a, T, F>(&'a self, ask: impl Fn(&'a Store) -> F) -> T
    where
        T: PartialEq + std::fmt::Debug,
        F: Future<Output = Result<T, Error>>,
    {
        let one = ask(&self.one.store).await;
        let other = ask(&self.other.store).await;
        assert_eq!(one, other);
        one.unwrap()
    }

    /// One of the sessions that are or were, or one that never was.
    fn session(&self, index: Index) -> SessionId {
        let never = session_id(0xff);
        let known = self.opened.iter().rev().take(8);
        let known: Vec<_> = known.copied().chain([never]).collect();
        *index.get(&known)
    }

    /// Ids do not stand in the order in which sessions are opened.
    fn next_session(&self) -> SessionId {
        let mixed = self.asked.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut id = [0xab; 16];
        id[8..].copy_from_slice(&mixed.to_be_bytes());
        SessionId::new(id)
    }
}
