//! The contract as a whole: whatever is asked in whatever order, the store answers as a simple model does.

use std::collections::{HashMap, HashSet};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::{
    domain::{
        otp::{Judgement, PhoneRecord},
        session::Rotation,
    },
    store::Revoke,
};

/// One thing that is asked, or time that passes. Numbers are folded into what exists.
#[derive(Debug, Clone)]
enum Ask {
    Send {
        phone: u8,
        client: u8,
        limits: u8,
    },
    Answer {
        phone: u8,
        client: u8,
        named: bool,
        right: bool,
        subject: u8,
    },
    Rotate {
        session: u8,
        generation: u32,
    },
    Revoke {
        session: u8,
        subject: u8,
        scope: u8,
    },
    List {
        subject: u8,
    },
    Wait(Duration),
}

/// What the store ought to know, kept the simple way: nothing is ever forgotten.
#[derive(Default)]
struct Model {
    phones: HashMap<u8, PhoneRecord>,
    events: HashMap<Bucket, Vec<Timestamp>>,
    sessions: HashMap<SessionId, Session>,
    revoked: HashMap<SessionId, Timestamp>,
    /// What sends were answered, the latest one of each phone and client.
    sent: HashMap<(u8, u8), Started>,
    /// Every session that ever was.
    opened: Vec<SessionId>,
    asked: u64,
}

/// Runs random sequences, each on a fresh stage.
pub fn answers_are_those_of_the_model(cases: u32, stage: impl AsyncFn() -> Stage) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asks = prop::collection::vec(ask(), 1..150);
    let result = runner.run(&asks, |asks| {
        runtime.block_on(async {
            let stage = stage().await;
            let mut model = Model::default();
            for ask in asks {
                model.check(&stage, ask).await;
            }
            model.check_revocations(&stage);
        });
        Ok(())
    });
    result.unwrap();
}

fn ask() -> impl Strategy<Value = Ask> {
    let wait = prop_oneof![
        0..2_000u64,
        0..600_000u64,
        Just(30_000),
        Just(300_000),
        0..(40 * 86_400_000u64)
    ];
    prop_oneof![
        4 => (0..3u8, 0..3u8, 0..16u8).prop_map(|(phone, client, limits)| Ask::Send { phone, client, limits }),
        4 => (0..3u8, 0..3u8, any::<bool>(), any::<bool>(), 0..2u8)
            .prop_map(|(phone, client, named, right, subject)| Ask::Answer { phone, client, named, right, subject }),
        4 => (any::<u8>(), 0..5u32).prop_map(|(session, generation)| Ask::Rotate { session, generation }),
        1 => (any::<u8>(), 0..2u8, 0..3u8).prop_map(|(session, subject, scope)| Ask::Revoke { session, subject, scope }),
        1 => (0..2u8).prop_map(|subject| Ask::List { subject }),
        4 => wait.prop_map(|millis| Ask::Wait(Duration::from_millis(millis))),
    ]
}

/// The limits that a send meets, chosen by the bits of `which`.
fn limits(phone: u8, client: u8, which: u8) -> Vec<Charge> {
    let all = [
        charge(10 + phone, 3, Duration::from_mins(30)),
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

fn subject_name(subject: u8) -> String {
    format!("subject {subject}")
}

impl Model {
    async fn check(&mut self, stage: &Stage, ask: Ask) {
        let now = stage.now();
        self.asked += 1;
        match ask {
            Ask::Wait(span) => stage.clock.advance(span),
            Ask::Send {
                phone: p,
                client,
                limits: which,
            } => {
                let (charges, begun) = (limits(p, client, which), start(client, self.asked));
                let expected = self.send(p, &begun, &charges, now);
                let sent = stage.store.start_challenge(phone(p), begun, charges, *OTP);
                assert_eq!(sent.await.unwrap(), expected);
                if let Sending::Started(started) = expected {
                    self.sent.insert((p, client), started);
                }
            }
            Ask::Answer {
                phone: p,
                client,
                named,
                right,
                subject,
            } => {
                let answer = self.an_answer(p, client, named, right);
                let login = stage.login(self.next_session(), &subject_name(subject));
                let expected = self.answer(p, &answer, &login, now);
                let answered = stage.store.answer_challenge(phone(p), answer, *OTP, login);
                assert_eq!(answered.await.unwrap(), expected);
            }
            Ask::Rotate {
                session,
                generation,
            } => {
                let id = self.session(session);
                let expected = self.rotate(id, generation, now);
                assert_eq!(stage.rotate(id, generation).await, expected);
            }
            Ask::Revoke {
                session,
                subject,
                scope,
            } => {
                let (id, subject) = (self.session(session), subject_name(subject));
                let which = match scope {
                    0 => Revoke::One { id, subject },
                    1 => Revoke::AllOf { subject },
                    _ => Revoke::Others { subject, keep: id },
                };
                let expected = self.revoke(&which, now);
                let mut ended = stage.store.revoke(which, ACCESS_TTL).await.unwrap();
                ended.sort();
                assert_eq!(ended, expected);
            }
            Ask::List { subject } => {
                let subject = subject_name(subject);
                let mut expected = self.living(&subject, now);
                expected.sort_by_key(|(id, s)| (std::cmp::Reverse(s.last_seen_at), *id));
                let listed = stage.store.sessions(subject, SESSION).await.unwrap();
                assert_eq!(listed, expected);
            }
        }
    }

    /// Every session that must be refused is, and no other.
    fn check_revocations(&self, stage: &Stage) {
        let mut view = stage.store.revocations().view();
        for id in &self.opened {
            match self.revoked.get(id) {
                Some(until) if *until > stage.now() => {
                    assert!(view.is_revoked(*id, stage.now()));
                }
                // What has expired may or may not have been forgotten.
                Some(_) => {}
                None => assert!(!view.is_revoked(*id, stage.now())),
            }
        }
    }

    fn send(&mut self, phone: u8, start: &Start, charges: &[Charge], now: Timestamp) -> Sending {
        let mut refused = Vec::new();
        for (charge, Charge { bucket, quota }) in charges.iter().enumerate() {
            let events = self.events.entry(*bucket).or_default();
            let inside: Vec<_> = events
                .iter()
                .filter(|at| **at + quota.window > now)
                .collect();
            let max = quota.max.get() as usize;
            if inside.len() >= max {
                let until = *inside[inside.len() - max] + quota.window;
                refused.push((charge, until));
            }
        }
        let longest = refused.iter().map(|(_, until)| *until).max();
        if let Some(&(charge, until)) = refused.iter().find(|(_, until)| Some(*until) == longest) {
            return Sending::Limited { charge, until };
        }
        for Charge { bucket, .. } in charges {
            self.events.entry(*bucket).or_default().push(now);
        }
        let record = self.phones.entry(phone).or_default();
        Sending::Started(record.start(start, &OTP, now))
    }

    /// An answer by `client`, naming the challenge it knows best or none.
    fn an_answer(&self, phone: u8, client: u8, named: bool, right: bool) -> Answer {
        let own = self.sent.get(&(phone, client));
        let of_phone = self.sent.iter().find(|((p, _), _)| *p == phone);
        let known = own.or(of_phone.map(|(_, started)| started));
        let right_tag = known.filter(|_| right).map(|started| tag(started.nonce));
        Answer {
            challenge: known.filter(|_| named).map(|started| started.id),
            client: ClientKey([client; 8]),
            tags: vec![right_tag.unwrap_or(Tag([0; 16]))],
        }
    }

    fn answer(&mut self, phone: u8, answer: &Answer, login: &Login, now: Timestamp) -> Answered {
        let record = self.phones.entry(phone).or_default();
        if let Judgement::Wrong { attempts_left } = record.answer(answer, &OTP, now) {
            return Answered::Wrong { attempts_left };
        }
        self.opened.push(login.id);
        let mut others = self.living(&login.session.subject, now);
        others.sort_by_key(|(id, s)| (s.last_seen_at, *id));
        while others.len() >= SESSION.max_per_subject as usize {
            let (oldest, _) = others.remove(0);
            self.end(oldest, now);
        }
        self.sessions.insert(login.id, login.session.clone());
        Answered::Opened(login.session.clone())
    }

    fn rotate(&mut self, id: SessionId, generation: u32, now: Timestamp) -> Rotated {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Rotated::Ended;
        };
        match session.rotate(generation, "192.0.2.2", &SESSION, now) {
            Rotation::To {
                generation,
                issued_at,
            } => Rotated::To {
                generation,
                issued_at,
                session: session.clone(),
            },
            Rotation::Replayed => {
                self.end(id, now);
                Rotated::Replayed
            }
            Rotation::Ended => Rotated::Ended,
        }
    }

    fn revoke(&mut self, which: &Revoke, now: Timestamp) -> Vec<SessionId> {
        let (subject, chosen): (_, fn(SessionId, SessionId) -> bool) = match which {
            Revoke::One { subject, .. } => (subject, |id, named| id == named),
            Revoke::AllOf { subject } => (subject, |_, _| true),
            Revoke::Others { subject, .. } => (subject, |id, named| id != named),
        };
        let named = match which {
            Revoke::One { id, .. } | Revoke::Others { keep: id, .. } => *id,
            Revoke::AllOf { .. } => session_id(0),
        };
        let living = self.living(subject, now).into_iter().map(|(id, _)| id);
        let mut ended: Vec<_> = living.filter(|id| chosen(*id, named)).collect();
        ended.sort();
        for id in &ended {
            self.end(*id, now);
        }
        ended
    }

    fn end(&mut self, id: SessionId, now: Timestamp) {
        self.sessions.remove(&id);
        self.revoked.insert(id, now + ACCESS_TTL);
    }

    fn living(&self, subject: &str, now: Timestamp) -> Vec<(SessionId, Session)> {
        let of_subject = self.sessions.iter().filter(|(_, s)| s.subject == subject);
        of_subject
            .filter(|(_, s)| s.ends_at(&SESSION) > now)
            .map(|(id, s)| (*id, s.clone()))
            .collect()
    }

    /// One of the sessions that are or were, or one that never was.
    fn session(&self, n: u8) -> SessionId {
        let known: HashSet<_> = self.opened.iter().collect();
        assert_eq!(known.len(), self.opened.len());
        let n = usize::from(n) % (self.opened.len() + 1);
        self.opened.get(n).copied().unwrap_or(session_id(0xff))
    }

    fn next_session(&self) -> SessionId {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.asked.to_be_bytes());
        SessionId::new(id)
    }
}
