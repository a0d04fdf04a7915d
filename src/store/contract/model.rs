//! The contract as a whole: whatever is asked in whatever order, the store answers as a simple model does.

mod asks;
mod messages;

use std::collections::{HashMap, HashSet};

use proptest::{prelude::*, test_runner::TestRunner};

use self::asks::{Ask, ask, limits};
use super::{turns::Drawn, *};
use crate::domain::{
    fraud::{self, Admission, Meter, Place},
    otp::Judgement,
    session::Rotation,
};

/// What the store ought to know, kept the simple way: nothing is ever forgotten.
#[derive(Default)]
struct Model {
    codes: HashMap<u8, otp::Record>,
    events: HashMap<Bucket, Vec<Timestamp>>,
    meters: HashMap<MeterKey, Meter>,
    purses: Purses,
    /// Of whom, and what is known of it.
    sessions: HashMap<SessionId, (u8, session::Record)>,
    revoked: HashMap<SessionId, Timestamp>,
    messages: HashMap<ChallengeId, Delivery>,
    /// By the account and the name, what was asked for and what it was answered.
    requests: HashMap<(u8, OnceKey), ([u8; 8], Started)>,
    /// What sends were answered, the latest one of each account and client.
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

impl Model {
    async fn check(&mut self, stage: &Stage, ask: Ask) {
        let now = stage.now();
        self.asked += 1;
        match ask {
            Ask::Wait(span) => stage.clock.advance(span),
            Ask::Send {
                whose,
                client,
                limits: which,
                secrets,
                debtors: guarded,
                shown,
                request,
                expenses: spends,
            } => {
                let parcel = maybe_named(self.asked, request);
                let charges = limits(whose, client, which);
                let mut begun = made_by(secrets, start(client, self.asked));
                begun.id = begun.id.beside(account(whose));
                let credit = Credit {
                    debtors: debtors(whose, client, guarded),
                    expenses: expenses(whose, spends),
                    shown,
                };
                let expected = self.request(whose, &begun, &charges, &credit, &parcel, now);
                let sent = stage.store.start_challenge(
                    account(whose),
                    begun,
                    charges,
                    credit,
                    *OTP,
                    parcel,
                );
                assert_eq!(sent.await.unwrap(), expected);
                if let Sending::Started(started) | Sending::Despite(started, _) = expected {
                    self.sent.insert((whose, client), started);
                }
            }
            Ask::Turn {
                whose,
                client,
                drawn,
            } => {
                if let Some(started) = self.sent.get(&(whose, client)) {
                    let challenge = started.id;
                    self.check_turn(stage, challenge, &drawn).await;
                }
            }
            Ask::Due => self.check_due(stage).await,
            Ask::Answer {
                whose,
                client,
                named,
                right,
                debtors: guarded,
            } => {
                let answer = self.an_answer(whose, client, named, right);
                let login = login(self.next_session());
                let debtors = debtors(whose, client, guarded);
                let expected = self.answer(whose, &answer, &login, now);
                if let Answered::Opened(_) = expected {
                    let mut places = self.places(&debtors);
                    fraud::verify(&mut places, now);
                    self.keep(&debtors, &places);
                }
                let answered =
                    stage
                        .store
                        .answer_challenge(account(whose), answer, *OTP, login, debtors);
                assert_eq!(answered.await.unwrap(), expected);
            }
            Ask::Rotate {
                whose,
                session,
                generation,
            } => {
                let id = self.session(session);
                let expected = self.rotate(whose, id, generation, now);
                let rotated = stage.rotate(account(whose), id, generation).await;
                assert_eq!(rotated, expected);
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
                let expected = self.revoke(whose, which, now);
                assert_eq!(stage.revoke(account(whose), which).await, expected);
            }
            Ask::Take {
                whose,
                client,
                limits: which,
            } => {
                let charges = limits(whose, client, which);
                let expected = match self.take(&charges, now) {
                    Ok(()) => Taking::Taken,
                    Err((charge, wait)) => Taking::Limited { charge, wait },
                };
                assert_eq!(stage.take(&charges).await, expected);
            }
            Ask::List { whose } => {
                let expected = self.living(whose, now);
                let listed = stage.store.sessions(account(whose), SESSION).await.unwrap();
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

    fn send(
        &mut self,
        whose: u8,
        start: &Start,
        charges: &[Charge],
        credit: &Credit,
        now: Timestamp,
    ) -> Sending {
        if let Err((charge, wait)) = self.judge(charges, now) {
            return Sending::Limited { charge, wait };
        }
        let mut places = self.places(&credit.debtors);
        let admission = fraud::admit(&mut places, credit.shown, now);
        if let Admission::Refused(alarm) = admission {
            return Sending::Suspected(alarm);
        }
        let alarm = match admission {
            Admission::Despite(alarm) => Some(alarm),
            Admission::Granted | Admission::Refused(_) => None,
        };
        let scarce = match self.purses.pay(&credit.expenses, now) {
            Ok(scarce) => scarce,
            Err((expense, wait)) => return Sending::Unpaid { expense, wait },
        };
        self.keep(&credit.debtors, &places);
        self.count(charges, now);
        let record = self.codes.entry(whose).or_default();
        let started = record.start(start, &OTP, now);
        Sending::started(started, Notes { alarm, scarce })
    }

    fn places(&self, debtors: &[Debtor]) -> Vec<Place> {
        let known = |debtor: &Debtor| debtor.owing(self.meters.get(&debtor.meter).cloned());
        debtors.iter().map(known).collect()
    }

    fn keep(&mut self, debtors: &[Debtor], places: &[Place]) {
        for (debtor, place) in debtors.iter().zip(places) {
            self.meters.insert(debtor.meter, place.meter.clone());
        }
    }

    /// The charge that refuses and for how long, or an event in each bucket.
    fn take(&mut self, charges: &[Charge], now: Timestamp) -> Result<(), (usize, Duration)> {
        self.judge(charges, now)?;
        self.count(charges, now);
        Ok(())
    }

    fn judge(&mut self, charges: &[Charge], now: Timestamp) -> Result<(), (usize, Duration)> {
        let mut refused = Vec::new();
        for (charge, Charge { bucket, quota, .. }) in charges.iter().enumerate() {
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
            return Err((charge, until.since(now)));
        }
        Ok(())
    }

    fn count(&mut self, charges: &[Charge], now: Timestamp) {
        for Charge { bucket, .. } in charges {
            self.events.entry(*bucket).or_default().push(now);
        }
    }

    /// An answer by `client`, naming the challenge it knows best or none.
    fn an_answer(&self, whose: u8, client: u8, named: bool, right: bool) -> Answer {
        let own = self.sent.get(&(whose, client));
        let of_account = self.sent.iter().find(|((of, _), _)| *of == whose);
        let known = own.or(of_account.map(|(_, started)| started));
        let right_tag = known.filter(|_| right).map(|started| tag(started.nonce));
        Answer {
            challenge: known.filter(|_| named).map(|started| started.id),
            client: ClientKey([client; 8]),
            tags: vec![right_tag.unwrap_or(Tag([0; 16]))],
        }
    }

    fn answer(&mut self, whose: u8, answer: &Answer, login: &Login, now: Timestamp) -> Answered {
        let record = self.codes.entry(whose).or_default();
        let challenges = record.challenges();
        if let Judgement::Wrong { attempts_left } = record.answer(answer, &OTP, now) {
            return Answered::Wrong { attempts_left };
        }
        self.answered(&challenges, now);
        self.opened.push(login.id);
        let mut others = self.living(whose, now);
        while others.len() >= SESSION.max_per_subject as usize {
            if let Some((unused, _)) = others.pop() {
                self.end(unused, now);
            }
        }
        let (device_info, ip) = (login.device_info.clone(), login.ip.clone());
        let opened = session::Record::open(login.id, device_info, ip, &SESSION, now);
        self.sessions.insert(login.id, (whose, opened));
        Answered::Opened(opened_at(now))
    }

    fn rotate(&mut self, whose: u8, id: SessionId, generation: u32, now: Timestamp) -> Rotated {
        let Some((owner, session)) = self.sessions.get_mut(&id) else {
            return Rotated::Ended;
        };
        if *owner != whose {
            return Rotated::Ended;
        }
        match session.rotate(generation, "192.0.2.2", &SESSION, now) {
            Rotation::To {
                generation,
                issued_at,
            } => Rotated::To {
                generation,
                issued_at,
                session: session.session.clone(),
                now,
            },
            Rotation::Replayed => {
                self.end(id, now);
                Rotated::Replayed
            }
            Rotation::Ended => Rotated::Ended,
        }
    }

    fn revoke(&mut self, whose: u8, which: Revoke, now: Timestamp) -> Vec<SessionId> {
        let is_meant = |id: &SessionId| match which {
            Revoke::One(one) => *id == one,
            Revoke::All => true,
            Revoke::Others { keep } => *id != keep,
        };
        let living = self.living(whose, now).into_iter().map(|(id, _)| id);
        let mut ended: Vec<_> = living.filter(is_meant).collect();
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

    /// In the order in which they are listed.
    fn living(&self, whose: u8, now: Timestamp) -> Vec<(SessionId, Session)> {
        let of_account = self.sessions.iter().filter(|(_, (of, _))| *of == whose);
        let mut living: Vec<_> = of_account
            .filter(|(_, (_, record))| record.session.ends_at(&SESSION) > now)
            .map(|(id, (_, record))| (*id, record.session.clone()))
            .collect();
        living.sort_by_key(|(id, session)| (std::cmp::Reverse(session.last_seen_at), *id));
        living
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
