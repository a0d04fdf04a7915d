//! Rotations, whole ones and those that are cut short.

use std::{fs, thread};

use tempfile::TempDir;

use super::*;
use crate::token::Key;

mod fleet;

const KEEP: Duration = Duration::from_hours(1);

/// Everybody learns of everything at once.
const PROMPT: Timetable = Timetable {
    notice: Duration::ZERO,
    keep_retired: KEEP,
};

const NOTICE: Duration = Duration::from_mins(10);

const SLOW: Timetable = Timetable {
    notice: NOTICE,
    keep_retired: KEEP,
};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn fresh(algorithm: Algorithm) -> TempDir {
    let dir = dir();
    Keyring::generate(dir.path(), algorithm, at(0)).expect("generated");
    dir
}

fn load(dir: &TempDir, algorithm: Algorithm, now: Timestamp) -> Keyring {
    Keyring::load(dir.path(), algorithm, now, KEEP).expect("keys")
}

fn rotate(dir: &TempDir, algorithm: Algorithm, now: Timestamp) -> Rotation {
    rotate_by(PROMPT, dir, algorithm, now)
}

fn rotate_by(
    timetable: Timetable,
    dir: &TempDir,
    algorithm: Algorithm,
    now: Timestamp,
) -> Rotation {
    Keyring::rotate(dir.path(), algorithm, now, timetable, Pace::Announced).expect("rotated")
}

/// The names in a directory, without endings and hidden files.
fn names(dir: &TempDir) -> Vec<String> {
    let files = fs::read_dir(dir.path()).expect("a directory");
    let mut names: Vec<_> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter(|name| !name.starts_with('.'))
        .map(|name| name.rsplit_once('.').expect("an ending").0.to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// A message, the key that signed it and the signature: all that is left of a token here.
fn sign(ring: &Keyring) -> (String, String) {
    let key = ring.signing().expect("a signing key");
    (key.kid().to_owned(), key.sign("message").expect("signed"))
}

fn verifies(ring: &Keyring, (kid, signature): &(String, String)) -> bool {
    ring.find(kid)
        .is_some_and(|key| key.verify("message", signature))
}

#[test]
fn a_rotation_moves_every_key_one_state_on() {
    let dir = fresh(Algorithm::Es256);
    let rotation = rotate(&dir, Algorithm::Es256, at(100));
    let expected = Rotation {
        created: vec!["k1700000100".to_owned()],
        activated: Some("k1700000001".to_owned()),
        waits: None,
        retired: vec!["k1700000000".to_owned()],
        deleted: Vec::new(),
    };
    assert_eq!(rotation, expected);
    assert_eq!(
        names(&dir),
        [
            "k1700000000.retired",
            "k1700000001.active",
            "k1700000100.next"
        ]
    );
}

#[test]
fn a_key_that_not_everybody_can_know_yet_does_not_sign() {
    let dir = fresh(Algorithm::Es256);
    let before = names(&dir);
    for (now, wait) in [
        (at(0), NOTICE),
        (at(60), Duration::from_mins(9)),
        // A clock that is behind the one that made it.
        (at(0).minus(NOTICE), NOTICE),
        (
            (at(0) + NOTICE).minus(Duration::from_millis(1)),
            Duration::from_millis(1),
        ),
    ] {
        let kid = "k1700000001".to_owned();
        let expected = Rotation {
            waits: Some(Waits { kid, wait }),
            ..Rotation::default()
        };
        assert_eq!(rotate_by(SLOW, &dir, Algorithm::Es256, now), expected);
        assert_eq!(names(&dir), before);
    }
    let rotated = rotate_by(SLOW, &dir, Algorithm::Es256, at(0) + NOTICE);
    assert_eq!(rotated.activated.as_deref(), Some("k1700000001"));
    assert_eq!(rotated.waits, None);
    // The one made by it waits in turn.
    let again = rotate_by(SLOW, &dir, Algorithm::Es256, at(1) + NOTICE);
    assert_eq!(again.activated, None);
}

#[test]
fn the_first_key_of_another_algorithm_is_announced_too() {
    let dir = fresh(Algorithm::Es256);
    let announced = rotate_by(SLOW, &dir, Algorithm::EdDsa, at(10_000));
    assert_eq!(announced.created, ["k1700010000"]);
    let kid = "k1700010000".to_owned();
    let wait = NOTICE;
    assert_eq!(announced.waits, Some(Waits { kid, wait }));
    // Until it signs, who wants the new algorithm signs with the old one, as all others do.
    let known = load(&dir, Algorithm::EdDsa, at(10_000));
    assert_eq!(sign(&known).0, "k1700000000");
    let again = rotate_by(SLOW, &dir, Algorithm::EdDsa, at(10_001));
    assert_eq!((again.created, again.activated), (vec![], None));

    let rotated = rotate_by(SLOW, &dir, Algorithm::EdDsa, at(10_000) + NOTICE);
    assert_eq!(rotated.activated.as_deref(), Some("k1700010000"));
    assert_eq!(rotated.retired, ["k1700000000", "k1700000001"]);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let token = sign(&load(&dir, algorithm, at(20_000)));
        assert_eq!(token.0, "k1700010000");
        assert!(verifies(&known, &token));
    }
}

#[test]
fn who_cannot_wait_does_not() {
    let dir = fresh(Algorithm::Es256);
    let rotated = Keyring::rotate(dir.path(), Algorithm::Es256, at(1), SLOW, Pace::AtOnce);
    let rotated = rotated.expect("rotated");
    assert_eq!(rotated.activated.as_deref(), Some("k1700000001"));
    let rotated = Keyring::rotate(dir.path(), Algorithm::EdDsa, at(2), SLOW, Pace::AtOnce);
    let rotated = rotated.expect("rotated");
    assert_eq!((rotated.created.len(), rotated.waits), (2, None));
    assert_eq!(rotated.retired.len(), 2);
}

#[test]
fn a_rotation_that_comes_too_early_still_deletes_what_is_spent() {
    let dir = fresh(Algorithm::Es256);
    rotate(&dir, Algorithm::Es256, at(0));
    let later = at(1) + KEEP;
    // A next key of now, beside a retired one of long ago.
    fs::remove_file(dir.path().join("k1700000002.next.pem")).expect("there is one");
    let early = rotate_by(SLOW, &dir, Algorithm::Es256, later);
    assert_eq!(early.activated, None);
    assert_eq!(early.created.len(), 1);
    assert_eq!(early.deleted, ["k1700000000"]);
}

#[test]
fn a_key_was_published_before_it_signs_and_is_kept_until_all_it_signed_has_expired() {
    let dir = fresh(Algorithm::Es256);
    let old = load(&dir, Algorithm::Es256, at(100));
    let token = sign(&old);
    // Long after its making: what counts for a retired key is when it was retired.
    let rotated_at = at(10 * KEEP.as_secs());
    rotate(&dir, Algorithm::Es256, rotated_at);
    let new = load(&dir, Algorithm::Es256, rotated_at + KEEP);
    assert!(verifies(&new, &token));
    assert!(old.find(&sign(&new).0).is_some(), "the next key was known");
    let later = rotated_at + KEEP + Duration::from_secs(1);
    assert!(!verifies(&load(&dir, Algorithm::Es256, later), &token));
    let rotation = rotate(&dir, Algorithm::Es256, later);
    assert_eq!(rotation.deleted, [token.0]);
    assert_eq!(names(&dir).len(), 3);
}

/// Runs the first steps of a rotation, as a process would that is killed then.
fn cut(dir: &TempDir, algorithm: Algorithm, now: Timestamp, steps: usize) -> usize {
    let open = Directory::open(dir.path()).expect("open");
    let files = open.read().expect("keys");
    let found = Found {
        files: &files,
        algorithm,
        now,
    };
    let plan = Plan::of(found, PROMPT, Pace::AtOnce).expect("a plan");
    for step in plan.steps.iter().take(steps) {
        step.run(&open, now).expect("done");
    }
    plan.steps.len()
}

#[test]
fn a_rotation_may_be_cut_short_after_any_step() {
    let (first, second) = (at(10_000), at(20_000));
    for (before, after) in [
        (Algorithm::Es256, Algorithm::Es256),
        (Algorithm::Hs256, Algorithm::EdDsa),
    ] {
        for steps in 0.. {
            let dir = fresh(before);
            // The first key is spent when the second rotation comes, so that it has something to delete.
            rotate(&dir, before, first);
            let mut tokens = vec![sign(&load(&dir, before, first))];
            let all = cut(&dir, after, second, steps);
            if steps > all {
                break;
            }
            let signs = [before, after].into_iter().find_map(|algorithm| {
                let ring = Keyring::load(dir.path(), algorithm, second, KEEP).ok()?;
                Some((sign(&ring), ring))
            });
            let (token, ring) = signs.expect("a key that signs");
            tokens.push(token);
            assert!(tokens.iter().all(|token| verifies(&ring, token)), "{steps}");

            rotate(&dir, after, second);
            let ring = load(&dir, after, second);
            assert!(tokens.iter().all(|token| verifies(&ring, token)), "{steps}");
            let states = |state: &str| names(&dir).iter().filter(|n| n.ends_with(state)).count();
            assert_eq!(states(".active"), 1, "{:?}", names(&dir));
            assert!((1..=2).contains(&states(".next")), "{:?}", names(&dir));
        }
    }
}

#[test]
fn a_rotation_cut_short_is_finished_and_not_begun_anew() {
    for steps in 1..=2 {
        let dir = fresh(Algorithm::Es256);
        cut(&dir, Algorithm::Es256, at(100), steps);
        rotate(&dir, Algorithm::Es256, at(200));
        assert_eq!(
            names(&dir),
            [
                "k1700000000.retired",
                "k1700000001.active",
                "k1700000100.next"
            ],
            "after {steps} steps"
        );
    }
}

#[test]
fn a_half_written_key_is_ignored_and_overwritten() {
    let dir = fresh(Algorithm::Es256);
    let draft = dir.path().join(".k1700000100.next.pem.tmp");
    fs::write(&draft, "-----BEGIN PRIV").expect("written");
    assert!(sign(&load(&dir, Algorithm::Es256, at(100))).0 == "k1700000000");
    rotate(&dir, Algorithm::Es256, at(100));
    assert!(!draft.exists());
    assert_eq!(names(&dir).len(), 3);
}

#[test]
fn keys_that_people_made_are_rotated_too() {
    let dir = dir();
    let material = Material::generate(Algorithm::Es256).expect("a key");
    let open = Directory::open(dir.path()).expect("open");
    let name = Name {
        kid: "main".to_owned(),
        state: State::Active,
        form: material.form,
    };
    open.write(&name, &material.bytes, at(0)).expect("written");
    drop(open);
    let token = sign(&load(&dir, Algorithm::Es256, at(0)));
    rotate(&dir, Algorithm::Es256, at(0));
    assert_eq!(
        names(&dir),
        ["k1700000000.active", "k1700000001.next", "main.retired"]
    );
    assert!(verifies(&load(&dir, Algorithm::Es256, at(0)), &token));
}

#[test]
fn public_keys_of_others_stay_as_they_are() {
    let dir = fresh(Algorithm::Es256);
    let public = crate::token::key::tests::EC_PUBLIC;
    fs::write(dir.path().join("theirs.active.pem"), public).expect("written");
    rotate(&dir, Algorithm::Es256, at(100));
    assert!(names(&dir).contains(&"theirs.active".to_owned()));
    let ring = load(&dir, Algorithm::Es256, at(100));
    assert_eq!(ring.signing().map(Key::kid), Some("k1700000001"));
}

#[test]
fn names_rise_even_if_the_clock_goes_back_or_stands() {
    let dir = fresh(Algorithm::Hs256);
    for _ in 0..3 {
        rotate(&dir, Algorithm::Hs256, at(0).minus(KEEP));
    }
    let expected = [
        "k1700000000.retired",
        "k1700000001.retired",
        "k1700000002.retired",
        "k1700000003.active",
        "k1700000004.next",
    ];
    assert_eq!(names(&dir), expected);
}

#[test]
fn a_missing_directory_is_rotated_into_being() {
    let dir = dir();
    let path = dir.path().join("keys");
    let (algorithm, pace) = (Algorithm::Es256, Pace::Announced);
    // Nobody waits for a key before which there was none.
    Keyring::rotate(&path, algorithm, at(0), SLOW, pace).expect("rotated");
    let ring = Keyring::load(&path, Algorithm::Es256, at(0), KEEP).expect("keys");
    assert_eq!(ring.iter().count(), 2);
}

#[test]
fn those_who_read_while_others_rotate_always_find_a_whole_directory() {
    let dir = fresh(Algorithm::Hs256);
    let path = dir.path();
    let token = sign(&load(&dir, Algorithm::Hs256, at(0)));
    thread::scope(|scope| {
        let rotating = [1, 2].map(|_| {
            scope.spawn(|| {
                for _ in 0..10 {
                    let (algorithm, pace) = (Algorithm::Hs256, Pace::AtOnce);
                    Keyring::rotate(path, algorithm, at(1), SLOW, pace).expect("rotated");
                }
            })
        });
        while rotating.iter().any(|thread| !thread.is_finished()) {
            let ring = Keyring::load(path, Algorithm::Hs256, at(1), KEEP).expect("keys");
            assert!(verifies(&ring, &token));
            assert!(ring.signing().is_some());
        }
    });
    assert_eq!(names(&dir).len(), 2 + 20);
}
