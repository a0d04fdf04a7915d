//! How wrong answers are counted: per challenge, per stranger and per day.

use super::*;

#[test]
fn a_resend_gives_no_attempts_back() {
    let mut scene = Scene::new(POLICY);
    let id = scene.send(1).id;
    for attempts in [4, 3, 2] {
        assert_eq!(scene.wrong(1, id), left(attempts));
        assert_eq!(scene.send(1).id, id);
    }
    assert_eq!(scene.wrong(1, id), left(1));
}

#[test]
fn five_wrong_answers_burn_a_challenge_and_no_other() {
    let mut scene = Scene::new(POLICY);
    let (a, b) = (scene.send(1).id, scene.send(2).id);
    for attempts in [4, 3, 2, 1, 0, 0, 0] {
        assert_eq!(scene.wrong(1, a), left(attempts));
    }
    assert_eq!(scene.right(1, a), left(0));
    // Nor does it help to leave the id away, or to come from elsewhere.
    assert_eq!(scene.guess(1, None, Guess::Right), left(0));
    assert_eq!(scene.right(3, a), left(0));
    assert_eq!(scene.right(2, b), Judgement::Right);
}

#[test]
fn who_burned_a_challenge_gets_another_on_the_same_code_while_somebody_can_still_answer_it() {
    let mut scene = Scene::new(POLICY);
    let owner = scene.send(1);
    let burned = scene.burn(2);
    let again = scene.send(2);
    assert_eq!(again.nonce, owner.nonce);
    assert_ne!(again.id, burned);
    assert_eq!(scene.wrong(2, again.id), left(4));
    assert_eq!(scene.right(1, owner.id), Judgement::Right);
}

#[test]
fn strangers_cannot_burn_the_owners_challenge() {
    let foreign = Some(ChallengeId::new([0xee; 16]));
    for challenge in [None, foreign] {
        let mut scene = Scene::new(POLICY);
        let owner = scene.send(1).id;
        for stranger in 2..=100 {
            for _ in 0..10 {
                assert_eq!(scene.guess(stranger, challenge, Guess::Wrong), UNKNOWN);
            }
        }
        assert_eq!(scene.wrong(1, owner), left(4));
        assert_eq!(scene.right(1, owner), Judgement::Right);
    }
}

#[test]
fn strangers_share_half_of_the_wrong_answers_of_a_day() {
    let mut scene = Scene::new(POLICY);
    scene.send(1);
    for stranger in 2..=6 {
        for _ in 0..2 {
            let mut other = scene.clone();
            assert_eq!(other.guess(stranger, None, Guess::Right), Judgement::Right);
            scene.guess(stranger, None, Guess::Wrong);
        }
    }
    // Ten are used up: not even the right code helps a further one.
    assert_eq!(scene.guess(7, None, Guess::Right), UNKNOWN);
    scene.wait_almost(FAILURE_WINDOW);
    let owner = scene.send(1).id;
    assert_eq!(scene.guess(7, None, Guess::Right), UNKNOWN);
    let mut next_day = scene.clone();
    next_day.wait(MILLISECOND);
    assert_eq!(next_day.guess(7, None, Guess::Right), Judgement::Right);
    // The other half is the owner's.
    for _ in 0..2 {
        scene.burn(1);
    }
    let last = scene.send(1).id;
    assert_eq!(scene.right(1, last), left(0));
    assert_eq!(scene.right(1, owner), UNKNOWN);
}

#[test]
fn a_stranger_has_as_many_attempts_as_a_challenge() {
    let mut scene = Scene::new(POLICY);
    scene.send(1);
    for _ in 0..5 {
        scene.guess(2, None, Guess::Wrong);
    }
    assert_eq!(scene.guess(2, None, Guess::Right), UNKNOWN);
    assert_eq!(scene.guess(3, None, Guess::Right), Judgement::Right);
}

#[test]
fn a_code_without_a_challenge_left_is_dead_for_strangers_too() {
    let mut scene = Scene::new(POLICY);
    scene.burn(1);
    let invented = Some(ChallengeId::new([0xee; 16]));
    for client in [1, 2] {
        assert_eq!(scene.guess(client, invented, Guess::Right), UNKNOWN);
    }
}

#[test]
fn the_wrong_answers_of_a_day_count_over_challenges_and_codes() {
    let mut scene = Scene::new(POLICY);
    for _ in 0..4 {
        scene.burn(1);
        scene.wait(Duration::from_mins(11));
    }
    let id = scene.send(1).id;
    assert_eq!(scene.right(1, id), left(0));
    assert_eq!(scene.guess(2, None, Guess::Right), UNKNOWN);
}

#[test]
fn the_day_ends_to_the_millisecond_for_each_wrong_answer() {
    let mut scene = Scene::new(POLICY);
    for _ in 0..2 {
        scene.burn(1);
    }
    scene.wait(FAILURE_WINDOW / 2);
    for _ in 0..2 {
        scene.burn(1);
    }
    scene.wait_almost(FAILURE_WINDOW / 2);
    let id = scene.send(1).id;
    assert_eq!(scene.right(1, id), left(0));
    scene.wait(MILLISECOND);
    assert_eq!(scene.clone().right(1, id), Judgement::Right);
    // Ten are free again, and no more.
    for _ in 0..2 {
        scene.burn(1);
    }
    let id = scene.send(1).id;
    assert_eq!(scene.right(1, id), left(0));
}

#[test]
fn the_attempts_left_never_promise_more_than_the_day_has() {
    let mut scene = Scene::new(Policy {
        max_failures: 7,
        ..POLICY
    });
    scene.burn(1);
    let id = scene.send(1).id;
    assert_eq!(scene.wrong(1, id), left(1));
    assert_eq!(scene.wrong(1, id), left(0));
    assert_eq!(scene.right(1, id), left(0));
}

#[test]
fn a_right_answer_forgives_the_wrong_ones_before_it() {
    let mut scene = Scene::new(POLICY);
    for _ in 0..3 {
        scene.burn(1);
    }
    let id = scene.send(1).id;
    assert_eq!(scene.wrong(1, id), left(4));
    assert_eq!(scene.right(1, id), Judgement::Right);
    for _ in 0..3 {
        scene.burn(1);
    }
    let id = scene.send(1).id;
    assert_eq!(scene.right(1, id), Judgement::Right);
}

#[test]
fn where_a_challenge_is_required_nothing_else_is_judged_or_counted() {
    let mut scene = Scene::new(Policy {
        require_challenge: true,
        ..POLICY
    });
    let id = scene.send(1).id;
    let before = scene.record.clone();
    for client in [1, 2] {
        for challenge in [None, Some(ChallengeId::new([0xee; 16]))] {
            for guess in [Guess::Right, Guess::Wrong] {
                assert_eq!(scene.guess(client, challenge, guess), UNKNOWN);
            }
        }
    }
    assert_eq!(scene.record, before);
    assert_eq!(scene.right(2, id), Judgement::Right);
}
