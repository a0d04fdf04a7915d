//! Whose a code is, how long it lives and what becomes of it; counting wrong answers is in `attempts`, what holds in every order of events in `sequences`.

mod attempts;
mod codes;
mod sequences;

use super::*;

const POLICY: Policy = Policy {
    length: match Length::new(6) {
        Ok(length) => length,
        Err(_) => panic!("4 to 10"),
    },
    ttl: Duration::from_mins(5),
    max_age: Duration::from_mins(10),
    max_attempts: 5,
    max_failures: 20,
    require_challenge: false,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// One phone number, its record and the time. Callers are numbers.
#[derive(Debug, Clone)]
struct Scene {
    record: Record,
    policy: Policy,
    now: Timestamp,
    sends: u64,
    /// The master secrets of the gateway, the current one first.
    secrets: Vec<SecretId>,
}

/// How an answer's code relates to the one that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guess {
    Right,
    Wrong,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        Self {
            record: Record::default(),
            policy,
            now: Timestamp::from_secs(1_800_000_000),
            sends: 0,
            secrets: vec![secret(1)],
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// Until the last moment before `span` is over.
    fn wait_almost(&mut self, span: Duration) {
        self.now = (self.now + span).minus(MILLISECOND);
    }

    /// Offers an id, a nonce and a tag that were never offered before.
    fn send(&mut self, client: u8) -> Started {
        self.sends += 1;
        let random = u128::from(self.sends).to_be_bytes();
        let start = Start {
            id: ChallengeId::new(random),
            client: ClientKey([client; 8]),
            nonce: Nonce(random),
            secret: self.secrets[0],
            known: self.secrets.clone(),
            tag: tag_of(Nonce(random)),
        };
        self.record.start(&start, &self.policy, self.now)
    }

    fn answer(&mut self, client: u8, challenge: Option<ChallengeId>, tags: Vec<Tag>) -> Judgement {
        let answer = Answer {
            challenge,
            client: ClientKey([client; 8]),
            tags,
        };
        self.record.answer(&answer, &self.policy, self.now)
    }

    /// Answers the code that is live, if one is.
    fn guess(&mut self, client: u8, challenge: Option<ChallengeId>, guess: Guess) -> Judgement {
        let live = self.record.live.as_ref();
        let tag = match guess {
            Guess::Right => live.map_or(WRONG, |live| tag_of(live.nonce)),
            Guess::Wrong => WRONG,
        };
        self.answer(client, challenge, vec![tag])
    }

    fn right(&mut self, client: u8, challenge: ChallengeId) -> Judgement {
        self.guess(client, Some(challenge), Guess::Right)
    }

    fn wrong(&mut self, client: u8, challenge: ChallengeId) -> Judgement {
        self.guess(client, Some(challenge), Guess::Wrong)
    }

    /// Uses up one caller's challenge.
    fn burn(&mut self, client: u8) -> ChallengeId {
        let id = self.send(client).id;
        for _ in 0..self.policy.max_attempts {
            self.wrong(client, id);
        }
        id
    }
}

/// The tag that belongs to no code of any test.
const WRONG: Tag = Tag([0xff; 16]);

/// In tests a nonce's code has the nonce's own bytes for a tag.
const fn tag_of(nonce: Nonce) -> Tag {
    Tag(nonce.0)
}

fn secret(byte: u8) -> SecretId {
    let bytes = crate::secret::Secret::new([byte; 32]);
    crate::secret::Master::new(&bytes)
        .expect("long enough")
        .id()
}

const fn left(attempts: u32) -> Judgement {
    Judgement::Wrong {
        attempts_left: Some(attempts),
    }
}

const UNKNOWN: Judgement = Judgement::Wrong {
    attempts_left: None,
};

#[test]
fn a_resend_to_the_same_caller_is_the_same_code_of_the_same_challenge() {
    let mut scene = Scene::new(POLICY);
    let first = scene.send(1);
    scene.wait(Duration::from_mins(1));
    let again = scene.send(1);
    assert_eq!((first.id, first.nonce), (again.id, again.nonce));
    assert_eq!(again.expires_at, first.expires_at + Duration::from_mins(1));
    // The tag that was offered with the second send belongs to a code that nobody got.
    let unused = tag_of(Nonce(2_u128.to_be_bytes()));
    assert_eq!(scene.answer(1, Some(first.id), vec![unused]), left(4));
    assert_eq!(scene.right(1, first.id), Judgement::Right);
}

#[test]
fn every_caller_has_a_challenge_of_its_own_on_the_same_code() {
    let mut scene = Scene::new(POLICY);
    let (a, b) = (scene.send(1), scene.send(2));
    assert_eq!(a.nonce, b.nonce);
    assert_ne!(a.id, b.id);
    assert_eq!((scene.send(1).id, scene.send(2).id), (a.id, b.id));
}

#[test]
fn a_right_answer_is_right_exactly_once() {
    for second in [1, 2] {
        let mut scene = Scene::new(POLICY);
        let ids = [scene.send(1), scene.send(2)].map(|started| started.id);
        let tag = tag_of(Nonce(1_u128.to_be_bytes()));
        assert_eq!(scene.answer(1, Some(ids[0]), vec![tag]), Judgement::Right);
        for challenge in [Some(ids[0]), Some(ids[1]), None] {
            assert_eq!(scene.answer(second, challenge, vec![tag]), UNKNOWN);
        }
        // The next send is another code.
        assert_ne!(scene.send(1).nonce, Nonce(1_u128.to_be_bytes()));
        assert_ne!(scene.answer(1, None, vec![tag]), Judgement::Right);
    }
}

#[test]
fn a_code_is_right_under_any_master_secret_that_is_still_in_use() {
    let mut scene = Scene::new(POLICY);
    let started = scene.send(1);
    let tags = vec![WRONG, tag_of(started.nonce)];
    assert_eq!(scene.answer(1, Some(started.id), Vec::new()), left(4));
    assert_eq!(scene.answer(1, Some(started.id), tags), Judgement::Right);
}

#[test]
fn a_code_that_nobody_can_answer_any_more_is_not_sent_again() {
    let mut scene = Scene::new(POLICY);
    let first = scene.send(1);
    scene.burn(1);
    let second = scene.send(1);
    assert_ne!(first.nonce, second.nonce);
    let old = vec![tag_of(first.nonce)];
    assert_eq!(scene.answer(1, Some(second.id), old), left(4));
    assert_eq!(scene.right(1, second.id), Judgement::Right);
}

#[test]
fn a_code_of_an_accepted_secret_is_sent_again_as_it_was() {
    let mut scene = Scene::new(POLICY);
    let first = scene.send(1);
    for secrets in [[1, 2], [2, 1]] {
        scene.secrets = secrets.map(secret).to_vec();
        let again = scene.send(1);
        assert_eq!((again.nonce, again.secret), (first.nonce, secret(1)));
    }
    assert_eq!(scene.right(1, first.id), Judgement::Right);
    assert_eq!(scene.send(1).secret, secret(2));
}

#[test]
fn a_code_whose_secret_is_gone_gives_way_to_a_new_one_and_its_failures_still_count() {
    let mut scene = Scene::new(POLICY);
    let first = scene.send(1);
    assert_eq!(scene.wrong(1, first.id), left(4));
    scene.guess(2, None, Guess::Wrong);
    scene.secrets = vec![secret(2)];
    let second = scene.send(1);
    assert_ne!((second.id, second.nonce), (first.id, first.nonce));
    assert_eq!(second.secret, secret(2));
    assert_eq!(second.expires_at, scene.now + POLICY.ttl);
    assert_eq!(scene.record.failures.len(), 1);
    assert_eq!(scene.record.strange_failures.len(), 1);
    // What was known of the first one opens nothing, and says nothing of the second.
    let old = vec![tag_of(first.nonce)];
    assert_eq!(scene.answer(1, Some(second.id), old), left(4));
    assert_eq!(scene.right(1, second.id), Judgement::Right);
}

#[test]
fn an_answer_without_an_id_belongs_to_the_challenge_of_its_client() {
    let mut scene = Scene::new(POLICY);
    let id = scene.send(1).id;
    assert_eq!(scene.guess(1, None, Guess::Wrong), left(4));
    assert_eq!(scene.wrong(1, id), left(3));
    assert_eq!(scene.guess(1, None, Guess::Right), Judgement::Right);
}

#[test]
fn the_owner_may_answer_from_another_network_by_naming_the_challenge() {
    let mut scene = Scene::new(POLICY);
    let id = scene.send(1).id;
    assert_eq!(scene.wrong(9, id), left(4));
    assert_eq!(scene.right(9, id), Judgement::Right);
}

#[test]
fn a_code_lives_from_its_last_send() {
    let mut scene = Scene::new(POLICY);
    let started = scene.send(1);
    assert_eq!(started.expires_at, scene.now + POLICY.ttl);
    scene.wait_almost(POLICY.ttl);
    assert_eq!(scene.clone().right(1, started.id), Judgement::Right);
    let mut resent = scene.clone();
    assert_eq!(resent.send(1).nonce, started.nonce);
    resent.wait(MILLISECOND);
    assert_eq!(resent.right(1, started.id), Judgement::Right);
    scene.wait(MILLISECOND);
    assert_eq!(scene.right(1, started.id), UNKNOWN);
    assert_ne!(scene.send(1).nonce, started.nonce);
}

#[test]
fn no_resend_lets_a_code_outlive_its_greatest_age() {
    let mut scene = Scene::new(POLICY);
    let started = scene.send(1);
    let end = scene.now + POLICY.max_age;
    scene.wait(Duration::from_mins(4));
    scene.send(1);
    // The last moment at which half of a code's life is left.
    scene.wait(Duration::from_secs(210));
    let last = scene.clone().send(1);
    assert_eq!((last.nonce, last.expires_at), (started.nonce, end));
    let mut aged = scene.clone();
    aged.send(1);
    aged.wait_almost(Duration::from_secs(150));
    assert_eq!(aged.clone().right(1, started.id), Judgement::Right);
    aged.wait(MILLISECOND);
    assert_eq!(aged.right(1, started.id), UNKNOWN);
    // A moment later the resend is a new code with its whole life before it.
    scene.wait(MILLISECOND);
    let new = scene.send(1);
    assert_ne!(new.nonce, started.nonce);
    assert_eq!(new.expires_at, scene.now + POLICY.ttl);
}

#[test]
fn answers_to_a_number_without_a_code_leave_no_trace() {
    let mut scene = Scene::new(POLICY);
    assert_eq!(scene.guess(1, None, Guess::Wrong), UNKNOWN);
    assert_eq!(scene.wrong(1, ChallengeId::new([3; 16])), UNKNOWN);
    assert_eq!(scene.record, Record::default());
    let id = scene.send(1).id;
    scene.wait(POLICY.ttl);
    let before = scene.record.clone();
    assert_eq!(scene.wrong(1, id), UNKNOWN);
    assert_eq!(scene.record, before);
}

#[test]
fn a_further_caller_takes_the_place_of_the_first_one() {
    let mut scene = Scene::new(POLICY);
    let ids: Vec<_> = (0..=16).map(|client| scene.send(client).id).collect();
    assert_eq!(
        scene.record.live.as_ref().expect("live").challenges.len(),
        16
    );
    assert_eq!(scene.wrong(0, ids[0]), UNKNOWN);
    assert_eq!(scene.wrong(1, ids[1]), left(4));
    assert_eq!(scene.wrong(16, ids[16]), left(4));
    // The first one still has the code, and gets in with it as a stranger.
    assert_eq!(scene.right(0, ids[0]), Judgement::Right);
}

#[test]
fn a_record_is_kept_until_its_code_and_its_wrong_answers_mean_nothing() {
    let mut scene = Scene::new(POLICY);
    assert_eq!(scene.record.dead_at(&POLICY), Timestamp::default());
    let started = scene.send(1);
    assert_eq!(scene.record.dead_at(&POLICY), started.expires_at);
    for stranger in [1, 2] {
        scene.wait(MILLISECOND);
        scene.guess(stranger, None, Guess::Wrong);
        assert_eq!(scene.record.dead_at(&POLICY), scene.now + FAILURE_WINDOW);
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_record_die_early() {
    let mut scene = Scene::new(POLICY);
    let id = scene.send(1).id;
    scene.wait(Duration::from_mins(4));
    scene.wrong(1, id);
    let dead_at = scene.record.dead_at(&POLICY);
    scene.now = scene.now.minus(Duration::from_mins(3));
    scene.wrong(1, id);
    assert_eq!(scene.record.dead_at(&POLICY), dead_at);
}
