//! What an account makes of its parts; what holds in every order of steps is in `sequences`, of its codes alone in `otp`, of one session in `session`.

mod sequences;

use super::*;
use crate::{
    domain::otp::{Answer, ChallengeId, ClientKey, Length, Nonce, Start, Started, Tag},
    secret::{Master, Secret, SecretId},
};

const MINUTE: Duration = Duration::from_mins(1);

const SESSION: session::Policy = session::Policy {
    idle: Duration::from_hours(2),
    absolute: Duration::from_hours(5),
    grace: Duration::from_secs(30),
    max_per_subject: 3,
};

fn otp_policy() -> otp::Policy {
    otp::Policy {
        length: Length::new(6).unwrap(),
        ttl: Duration::from_mins(5),
        max_age: Duration::from_mins(10),
        max_attempts: 5,
        max_failures: 20,
        require_challenge: false,
    }
}

fn secret() -> SecretId {
    Master::new(&Secret::new([1; 32])).unwrap().id()
}

/// One account and the time.
#[derive(Debug, Clone)]
struct Scene {
    account: Account,
    policy: session::Policy,
    now: Timestamp,
    logins: u8,
    sends: u64,
}

impl Scene {
    fn new(policy: session::Policy) -> Self {
        Self {
            account: Account::default(),
            policy,
            now: Timestamp::from_secs(1_800_000_000),
            logins: 0,
            sends: 0,
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// In these tests the tag of a code has the bytes of its nonce.
    fn send(&mut self) -> Started {
        self.sends += 1;
        let random = u128::from(self.sends).to_be_bytes();
        let start = Start {
            id: ChallengeId::new(random),
            client: ClientKey([1; 8]),
            nonce: Nonce(random),
            secret: secret(),
            known: vec![secret()],
            tag: Tag(random),
        };
        self.account.start(&start, &otp_policy(), self.now)
    }

    fn answer(&mut self, started: &Started, tag: [u8; 16]) -> Decision<Answered> {
        let answer = Answer {
            challenge: Some(started.id),
            client: ClientKey([1; 8]),
            tags: vec![Tag(tag)],
        };
        let login = Login {
            id: SessionId::new([self.logins; 16]),
            device_info: "phone".to_owned(),
            ip: "::1".to_owned(),
            policy: self.policy,
            access_ttl: MINUTE,
        };
        self.account
            .answer(&answer, &otp_policy(), &login, self.now)
    }

    /// The id of the new session, and those that had to give way.
    fn log_in(&mut self) -> (SessionId, Vec<SessionId>) {
        self.logins += 1;
        let started = self.send();
        let decision = self.answer(&started, started.nonce.0);
        let Answered::Opened(session) = decision.answer else {
            panic!("{decision:?}");
        };
        assert_eq!(session.opened_at, self.now);
        (SessionId::new([self.logins; 16]), decision.ended)
    }

    fn rotate(&mut self, id: SessionId, generation: u32) -> Decision<Rotated> {
        self.account
            .rotate(id, generation, "::2", &self.policy, self.now)
    }

    fn revoke(&mut self, which: Revoke) -> Vec<SessionId> {
        let Decision { answer, ended } = self.account.revoke(which, self.now);
        assert_eq!(answer, ended);
        ended
    }

    fn listed(&self) -> Vec<SessionId> {
        let sessions = self.account.sessions(&self.policy, self.now);
        sessions.into_iter().map(|(id, _)| id).collect()
    }
}

#[test]
fn the_session_that_gives_way_is_the_one_unused_for_longest() {
    let mut scene = Scene::new(SESSION);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (id, ended) = scene.log_in();
        assert_eq!(ended, []);
        ids.push(id);
        scene.wait(MINUTE);
    }
    scene.rotate(ids[0], 0);
    scene.wait(MINUTE);
    let (newest, ended) = scene.log_in();
    assert_eq!(ended, [ids[1]]);
    assert_eq!(scene.listed(), [newest, ids[0], ids[2]]);
}

#[test]
fn of_sessions_seen_at_the_same_moment_the_last_in_the_list_gives_way() {
    let mut scene = Scene::new(SESSION);
    let ids: Vec<_> = (0..3).map(|_| scene.log_in().0).collect();
    assert_eq!(scene.listed(), ids);
    let (newest, ended) = scene.log_in();
    assert_eq!(ended, [ids[2]]);
    assert_eq!(scene.listed(), [ids[0], ids[1], newest]);
}

#[test]
fn a_lower_maximum_ends_the_surplus_at_the_next_login() {
    let mut scene = Scene::new(SESSION);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(scene.log_in().0);
        scene.wait(MINUTE);
    }
    scene.policy.max_per_subject = 1;
    assert_eq!(scene.listed().len(), 3);
    let (newest, ended) = scene.log_in();
    assert_eq!(ended, ids);
    assert_eq!(scene.listed(), [newest]);
}

#[test]
fn a_session_that_a_stricter_policy_has_ended_is_of_no_use_and_can_still_be_revoked() {
    let mut scene = Scene::new(SESSION);
    let (id, _) = scene.log_in();
    scene.wait(SESSION.idle / 2);
    scene.policy.idle = SESSION.idle / 4;
    assert_eq!(scene.listed(), []);
    assert_eq!(scene.rotate(id, 0).answer, Rotated::Ended);
    // Its access tokens may have been issued a moment ago.
    assert_eq!(scene.revoke(Revoke::All), [id]);
    assert_eq!(scene.revoke(Revoke::All), []);
}

#[test]
fn a_more_generous_policy_wakes_no_session_that_has_ended() {
    let mut scene = Scene::new(SESSION);
    let (id, _) = scene.log_in();
    scene.wait(SESSION.idle);
    scene.policy.idle = SESSION.idle * 2;
    assert_eq!(scene.listed(), []);
    assert_eq!(scene.rotate(id, 0).answer, Rotated::Ended);
    assert_eq!(scene.revoke(Revoke::One(id)), []);
}

#[test]
fn what_decides_nothing_changes_nothing() {
    let mut scene = Scene::new(SESSION);
    let (id, _) = scene.log_in();
    let started = scene.send();
    scene.wait(SESSION.idle);
    let before = scene.account.clone();
    // The code is dead, and so is the session.
    let answered = scene.answer(&started, started.nonce.0).answer;
    let attempts_left = None;
    assert_eq!(answered, Answered::Wrong { attempts_left });
    assert_eq!(scene.rotate(id, 0).answer, Rotated::Ended);
    assert_eq!(scene.revoke(Revoke::All), []);
    assert_eq!(scene.account, before);
}

#[test]
fn nothing_remains_when_the_last_part_is_dead() {
    let mut scene = Scene::new(SESSION);
    assert_eq!(scene.account.clone().remains(scene.now), None);
    let started = scene.send();
    let until = |scene: &Scene| Some(scene.account.clone().remains(scene.now)?.1);
    assert_eq!(until(&scene), Some(started.expires_at));
    scene.answer(&started, [0xff; 16]);
    assert_eq!(until(&scene), Some(scene.now + otp::FAILURE_WINDOW));
    let opened_at = scene.now;
    scene.log_in();
    // The login has forgiven the failure.
    assert_eq!(until(&scene), Some(opened_at + SESSION.idle));
    scene.send();
    scene.wait(SESSION.idle.saturating_sub(Duration::from_millis(1)));
    let (account, _) = scene.account.clone().remains(scene.now).unwrap();
    assert_eq!(account.codes, otp::Record::default());
    scene.wait(Duration::from_millis(1));
    assert_eq!(scene.account.remains(scene.now), None);
}
