//! What holds in every order of logins, refreshes, revocations and waiting.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::{super::*, SESSION, Scene};

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(Duration),
    Send,
    /// An answer to the latest send.
    Miss,
    LogIn,
    /// The n-th last session, and how far its token is behind the newest.
    Rotate(usize, u32),
    Revoke(usize, Scope),
}

#[derive(Debug, Clone, Copy)]
enum Scope {
    One,
    All,
    Others,
}

/// What can be told from outside; kept apart from the account's own books.
#[derive(Debug, Default)]
struct Books {
    opened: Vec<SessionId>,
    /// When each was opened, when it was last seen, and its newest generation.
    seen: HashMap<SessionId, (Timestamp, Timestamp, u32)>,
    ended: HashSet<SessionId>,
    successors: HashMap<(SessionId, u32), (u32, Timestamp)>,
}

impl Books {
    /// The n-th last session, or one that never was.
    fn session(&self, back: usize) -> SessionId {
        let named = self.opened.iter().rev().nth(back);
        named.copied().unwrap_or(SessionId::new([0xff; 16]))
    }

    fn is_alive(&self, id: SessionId, now: Timestamp) -> bool {
        let lives = |(opened_at, seen_at, _): &(Timestamp, Timestamp, u32)| {
            now < (*seen_at + SESSION.idle).min(*opened_at + SESSION.absolute)
        };
        !self.ended.contains(&id) && self.seen.get(&id).is_some_and(lives)
    }

    /// Nobody is told twice, and only of what was alive.
    fn end(&mut self, ended: &[SessionId], now: Timestamp) {
        for id in ended {
            assert!(self.is_alive(*id, now), "{id} had ended before");
            self.ended.insert(*id);
        }
    }

    /// Every session that was opened is listed, or was ended and told, or has died by itself.
    fn agree_with(&self, scene: &Scene) {
        let alive = |id: &&SessionId| self.is_alive(**id, scene.now);
        let mut expected: Vec<_> = self.opened.iter().filter(alive).copied().collect();
        let mut listed = scene.listed();
        assert!(listed.len() <= SESSION.max_per_subject as usize);
        expected.sort();
        listed.sort();
        assert_eq!(listed, expected);
    }

    fn rotated(&mut self, id: SessionId, generation: u32, rotated: &Rotated, now: Timestamp) {
        let Rotated::To {
            generation: next,
            issued_at,
            session,
            now: told,
        } = rotated
        else {
            return;
        };
        assert!(self.is_alive(id, now), "{id} goes on after its end");
        assert_eq!((*next, *told), (generation + 1, now));
        // One old token never has two successors.
        let successor = (*next, *issued_at);
        let first = *self.successors.entry((id, generation)).or_insert(successor);
        assert_eq!(first, successor);
        assert!(now.since(*issued_at) < SESSION.grace || *issued_at == now);
        let (opened_at, seen_at, newest) = self.seen.get_mut(&id).expect("it is alive");
        if generation == *newest {
            *newest += 1;
            *seen_at = now;
        }
        let told = (session.opened_at, session.last_seen_at);
        assert_eq!(told, (*opened_at, *seen_at));
    }
}

fn play(steps: Vec<Step>) {
    let mut scene = Scene::new(SESSION);
    // The same account in a store that drops what is dead after every step.
    let mut tidy = scene.clone();
    let mut books = Books::default();
    let mut latest = None;
    for step in steps {
        match step {
            Step::Wait(span) => {
                scene.wait(span);
                tidy.wait(span);
            }
            Step::Send => {
                latest = Some(scene.send());
                assert_eq!(latest, Some(tidy.send()));
            }
            Step::Miss => {
                if let Some(started) = &latest {
                    let missed = scene.answer(started, [0xff; 16]);
                    assert_eq!(missed, tidy.answer(started, [0xff; 16]));
                    assert_eq!(missed.ended, []);
                }
            }
            Step::LogIn => {
                // After too many wrong answers nobody gets in for a day.
                let may = scene.clone();
                if may.logins < 0xf0 && may_log_in(may) {
                    let (id, ended) = scene.log_in();
                    assert_eq!(tidy.log_in(), (id, ended.clone()));
                    books.end(&ended, scene.now);
                    books.opened.push(id);
                    books.seen.insert(id, (scene.now, scene.now, 0));
                }
            }
            Step::Rotate(back, behind) => {
                let id = books.session(back);
                let newest = books.seen.get(&id).map_or(0, |(_, _, newest)| *newest);
                let generation = newest.saturating_sub(behind);
                let decision = scene.rotate(id, generation);
                assert_eq!(decision, tidy.rotate(id, generation));
                let replayed = decision.answer == Rotated::Replayed;
                assert_eq!(decision.ended, if replayed { vec![id] } else { vec![] });
                books.rotated(id, generation, &decision.answer, scene.now);
                books.end(&decision.ended, scene.now);
            }
            Step::Revoke(back, scope) => {
                let id = books.session(back);
                let which = match scope {
                    Scope::One => Revoke::One(id),
                    Scope::All => Revoke::All,
                    Scope::Others => Revoke::Others { keep: id },
                };
                let ended = scene.revoke(which);
                assert_eq!(ended, tidy.revoke(which));
                books.end(&ended, scene.now);
            }
        }
        books.agree_with(&scene);
        let remains = tidy.account.remains(tidy.now);
        tidy.account = remains.map(|(account, _)| account).unwrap_or_default();
        assert!(tidy.account.sessions.len() <= SESSION.max_per_subject as usize);
    }
}

fn may_log_in(mut scene: Scene) -> bool {
    let started = scene.send();
    let answered = scene.answer(&started, started.nonce.0).answer;
    matches!(answered, Answered::Opened(_))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        4 => (0u64..40_000).prop_map(Duration::from_millis),
        2 => (0u64..60).prop_map(Duration::from_mins),
        1 => (0u64..30).prop_map(Duration::from_hours),
    ];
    let scope = prop_oneof![Just(Scope::One), Just(Scope::All), Just(Scope::Others)];
    let behind = prop_oneof![3 => Just(0u32), 2 => 1u32..4];
    let step = prop_oneof![
        6 => wait.prop_map(Step::Wait),
        1 => Just(Step::Send),
        1 => Just(Step::Miss),
        5 => Just(Step::LogIn),
        8 => (0usize..5, behind).prop_map(|(back, behind)| Step::Rotate(back, behind)),
        1 => (0usize..5, scope).prop_map(|(back, scope)| Step::Revoke(back, scope)),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    /// There are never more sessions than there may be; none forks; each ends once, is told as
    /// ended once, and never goes on; and it makes no difference when what is dead is dropped.
    #[test]
    fn the_rules_hold_in_every_order_of_steps(steps in steps()) {
        play(steps);
    }
}
