//! What holds in every order of sends, answers and waiting, whoever they come from.

use proptest::prelude::*;

use super::{super::*, Guess, Scene};

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(Duration),
    Send {
        client: u8,
    },
    Answer {
        client: u8,
        names: Names,
        guess: Guess,
    },
}

/// Which challenge an answer names: none, one that was never given out, or the n-th last one.
#[derive(Debug, Clone, Copy)]
enum Names {
    Nothing,
    Nonsense,
    Given(usize),
}

/// What an attacker, and the owner, can tell from outside; kept apart from the record's own books.
#[derive(Debug, Default)]
struct Books {
    given: Vec<ChallengeId>,
    /// Wrong answers that were really judged since the last right one, all and those of strangers.
    judged: Vec<Timestamp>,
    judged_of_strangers: Vec<Timestamp>,
    live: Option<Seen>,
    used_up: Vec<Nonce>,
}

/// A code, as far as it was seen from outside.
#[derive(Debug)]
struct Seen {
    nonce: Nonce,
    first_sent: Timestamp,
    last_sent: Timestamp,
    challenges: Vec<Tally<ChallengeId>>,
    strangers: Vec<Tally<u8>>,
}

/// How many wrong answers somebody has had judged.
#[derive(Debug)]
struct Tally<T> {
    whose: T,
    client: u8,
    judged: u32,
}

/// On whose account an answer goes.
#[derive(Debug, Clone, Copy)]
enum Account {
    Challenge(ChallengeId),
    Stranger(u8),
}

impl Books {
    fn names(&self, names: Names) -> Option<ChallengeId> {
        match names {
            Names::Nothing => None,
            Names::Nonsense => Some(ChallengeId::new([0xdd; 16])),
            Names::Given(back) => self.given.iter().rev().nth(back).copied(),
        }
    }

    fn sent(&mut self, client: u8, started: &Started, policy: &Policy, now: Timestamp) {
        assert!(!self.used_up.contains(&started.nonce), "sent after its use");
        self.given.push(started.id);
        let live = self.live.take().filter(|live| live.nonce == started.nonce);
        let mut live = live.unwrap_or(Seen {
            nonce: started.nonce,
            first_sent: now,
            last_sent: now,
            challenges: Vec::new(),
            strangers: Vec::new(),
        });
        live.last_sent = now;
        assert_eq!(started.expires_at, live.end(policy));
        assert!(started.expires_at > now, "sent when it was dead");
        if !live.challenges.iter().any(|c| c.whose == started.id) {
            live.challenges.push(Tally {
                whose: started.id,
                client,
                judged: 0,
            });
        }
        self.live = Some(live);
    }

    fn account(&self, client: u8, named: Option<ChallengeId>, policy: &Policy) -> Account {
        let live = self.live.iter().flat_map(|live| &live.challenges);
        // The record may have given up the first of many callers; those are strangers then.
        let mut known = live.rev().take(MAX_CHALLENGES);
        let own = match named {
            Some(id) => known.find(|c| c.whose == id),
            None if policy.require_challenge => None,
            None => known.find(|c| c.client == client),
        };
        own.map_or(Account::Stranger(client), |c| Account::Challenge(c.whose))
    }

    /// A wrong answer was judged: somebody learned that a code is not the one.
    fn judged(&mut self, account: Account, policy: &Policy, now: Timestamp) {
        let live = self.live.as_mut().expect("only a live code is judged");
        let tally = match account {
            Account::Challenge(id) => {
                let mut own = live.challenges.iter_mut();
                &mut own.find(|c| c.whose == id).expect("given out").judged
            }
            Account::Stranger(client) => {
                self.judged_of_strangers.push(now);
                &mut live.stranger(client).judged
            }
        };
        *tally += 1;
        assert!(*tally <= policy.max_attempts, "too many by {account:?}");
        self.judged.push(now);
        let max = policy.max_failures as usize;
        assert!(in_window(&self.judged, now) <= max, "too many in a day");
        let of_strangers = in_window(&self.judged_of_strangers, now);
        assert!(of_strangers <= max / 2, "too many by strangers");
    }

    /// Whether somebody with the right code must get in: all that could speak against it does not.
    fn must_admit(&mut self, account: Account, policy: &Policy, now: Timestamp) -> bool {
        let max = policy.max_failures as usize;
        let spent = in_window(&self.judged, now) >= max;
        let strangers_spent = in_window(&self.judged_of_strangers, now) >= max / 2;
        let Some(live) = self.live.as_mut().filter(|live| now < live.end(policy)) else {
            return false;
        };
        let judged = match account {
            Account::Challenge(id) => {
                let mut challenges = live.challenges.iter();
                challenges.find(|c| c.whose == id).map_or(0, |c| c.judged)
            }
            Account::Stranger(_) if policy.require_challenge || strangers_spent => return false,
            Account::Stranger(_) if live.is_burnt(policy) => return false,
            Account::Stranger(client) => live.stranger(client).judged,
        };
        !spent && judged < policy.max_attempts
    }

    fn admitted(&mut self) {
        let live = self.live.take().expect("only a live code is right");
        assert!(!self.used_up.contains(&live.nonce), "right twice");
        self.used_up.push(live.nonce);
        self.judged.clear();
        self.judged_of_strangers.clear();
    }
}

impl Seen {
    fn end(&self, policy: &Policy) -> Timestamp {
        (self.last_sent + policy.ttl).min(self.first_sent + policy.max_age)
    }

    /// Whether nobody has a challenge left that could be answered.
    fn is_burnt(&self, policy: &Policy) -> bool {
        let mut known = self.challenges.iter().rev().take(MAX_CHALLENGES);
        known.all(|c| c.judged >= policy.max_attempts)
    }

    fn stranger(&mut self, client: u8) -> &mut Tally<u8> {
        let at = self.strangers.iter().position(|s| s.whose == client);
        let at = at.unwrap_or_else(|| {
            self.strangers.push(Tally {
                whose: client,
                client,
                judged: 0,
            });
            self.strangers.len() - 1
        });
        &mut self.strangers[at]
    }
}

fn in_window(moments: &[Timestamp], now: Timestamp) -> usize {
    let inside = |at: &&Timestamp| now.since(**at) < FAILURE_WINDOW;
    moments.iter().filter(inside).count()
}

/// Bounds that no sequence of events may break.
fn assert_small(record: &Record, policy: &Policy) {
    let max = policy.max_failures as usize;
    assert!(record.failures.len() + record.strange_failures.len() <= max);
    assert!(record.strange_failures.len() <= max / 2);
    assert!(record.strangers.len() <= max / 2);
    if let Some(live) = &record.live {
        assert!(live.challenges.len() <= MAX_CHALLENGES);
    }
}

fn play(policy: Policy, steps: Vec<Step>) {
    let mut scene = Scene::new(policy);
    // The same number in a store that drops every record as soon as it may.
    let mut tidy = scene.clone();
    let mut books = Books::default();
    for step in steps {
        match step {
            Step::Wait(span) => {
                scene.wait(span);
                tidy.wait(span);
                if tidy.now >= tidy.record.dead_at(&policy) {
                    tidy.record = Record::default();
                }
            }
            Step::Send { client } => {
                let started = scene.send(client);
                assert_eq!(tidy.send(client), started, "dropped too early");
                books.sent(client, &started, &policy, scene.now);
            }
            Step::Answer {
                client,
                names,
                guess,
            } => {
                let challenge = books.names(names);
                let account = books.account(client, challenge, &policy);
                // Had the code been right, would it have been accepted? Only then was it judged.
                let is_judged =
                    scene.clone().guess(client, challenge, Guess::Right) == Judgement::Right;
                let must_admit = books.must_admit(account, &policy, scene.now);
                assert_eq!(is_judged, must_admit, "{account:?}");
                let judgement = scene.guess(client, challenge, guess);
                assert_eq!(tidy.guess(client, challenge, guess), judgement);
                match judgement {
                    Judgement::Right => {
                        assert_eq!(guess, Guess::Right);
                        books.admitted();
                    }
                    Judgement::Wrong { .. } if is_judged => {
                        assert_eq!(guess, Guess::Wrong);
                        books.judged(account, &policy, scene.now);
                    }
                    Judgement::Wrong { .. } => {}
                }
            }
        }
        assert_small(&scene.record, &policy);
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    (1u32..6, 1u32..24, any::<bool>(), 1u64..8, 1u64..12).prop_map(
        |(max_attempts, max_failures, require_challenge, ttl, max_age)| Policy {
            ttl: Duration::from_mins(ttl),
            max_age: Duration::from_mins(max_age),
            max_attempts,
            max_failures,
            require_challenge,
            ..super::POLICY
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let clients = || prop_oneof![3 => 0u8..3, 1 => 0u8..40];
    let wait = prop_oneof![
        6 => (0u64..120_000).prop_map(Duration::from_millis),
        2 => (0u64..12).prop_map(Duration::from_mins),
        1 => (0u64..26).prop_map(Duration::from_hours),
    ];
    let names = prop_oneof![
        2 => Just(Names::Nothing),
        1 => Just(Names::Nonsense),
        4 => (0usize..6).prop_map(Names::Given),
    ];
    let guess = prop_oneof![9 => Just(Guess::Wrong), 1 => Just(Guess::Right)];
    let answer = (clients(), names, guess).prop_map(|(client, names, guess)| Step::Answer {
        client,
        names,
        guess,
    });
    let step = prop_oneof![
        2 => wait.prop_map(Step::Wait),
        2 => clients().prop_map(|client| Step::Send { client }),
        6 => answer,
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    /// One code is right once and only while it lives; no caller, no crowd of strangers and no day
    /// sees more wrong answers judged than the policy says; whoever is within all these bounds and
    /// has the code gets in; and a record that is dropped at `dead_at` is never missed.
    #[test]
    fn the_rules_hold_in_every_order_of_events(policy in policies(), steps in steps()) {
        play(policy, steps);
    }
}
