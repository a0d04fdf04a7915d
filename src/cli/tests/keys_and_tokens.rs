//! The commands that look after keys and look into tokens.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::*;
use crate::{
    clock::Timestamp,
    domain::session::SessionId,
    token::{Grant, Keyring, Tokens},
};

/// The keys that a first run would make, and the tokens that it would issue.
fn first_run(place: &Place) -> Tokens {
    let Config { fixed, live } = place.config();
    let masters = fixed.secret.read_or_make([7; 32]).expect("a secret");
    let (dir, algorithm, now) = (&live.keys.dir, live.keys.algorithm, Clock::System.now());
    Keyring::generate(dir, algorithm, now).expect("keys");
    let keys = Keyring::load(dir, algorithm, now, Duration::ZERO).expect("keys");
    Tokens::new(live.tokens, &masters, Arc::new(ArcSwap::from_pointee(keys)))
}

/// Makes a key look as if it had been there for a day.
fn make_older(place: &Place, kid: &str, state: &str) {
    let dir = place.config().live.keys.dir;
    let file = fs::File::open(dir.join(format!("{kid}.{state}.pem"))).expect("the key");
    let day = Duration::from_hours(24);
    file.set_modified(std::time::SystemTime::now() - day)
        .expect("a time");
}

fn grant(now: Timestamp) -> Grant {
    Grant {
        subject: "somebody".to_owned(),
        session: SessionId::new([1; 16]),
        phone: "+16502530000".to_owned(),
        auth_time: now,
        amr: vec!["sms".to_owned()],
    }
}

#[test]
fn keys_are_listed_with_what_they_are_used_for_and_rotated() {
    let place = Place::new("");
    let none = place.run(&["keys", "list"]);
    let dir = place.config().live.keys.dir;
    assert_eq!(
        none.out,
        format!("none yet: the first run makes them in {}\n", dir.display())
    );
    first_run(&place);
    let states = || {
        let listed = place.run(&["keys", "list"]);
        assert_eq!((listed.exit, listed.err.as_str()), (Exit::Done, ""));
        let lines = listed.out.lines().map(|line| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(words[2], "ES256");
            (words[0].clone(), words[1].clone())
        });
        lines.collect::<Vec<_>>()
    };
    let before = states();
    assert_eq!(
        before
            .iter()
            .map(|(_, state)| state.as_str())
            .collect::<Vec<_>>(),
        ["active", "next"]
    );
    // Not everybody can know a key yet that was made a moment ago.
    let early = place.run(&["keys", "rotate"]);
    assert_eq!((early.exit, early.err.as_str()), (Exit::Failed, ""));
    let refusal = format!(
        "{:<24} signs not yet: not everybody may know it before ",
        before[1].0
    );
    assert!(early.out.starts_with(&refusal), "{}", early.out);
    assert!(
        early.out.ends_with("must not be used any more.\n"),
        "{}",
        early.out
    );
    assert_eq!(states(), before);
    make_older(&place, &before[1].0, "next");
    let rotated = place.run(&["keys", "rotate"]);
    assert_eq!((rotated.exit, rotated.err.as_str()), (Exit::Done, ""));
    let after = states();
    assert_eq!(
        after
            .iter()
            .map(|(_, state)| state.as_str())
            .collect::<Vec<_>>(),
        ["retired", "active", "next"]
    );
    for (kid, what) in [
        (&after[2].0, "made"),
        (&before[1].0, "signs now"),
        (&before[0].0, "only verifies now"),
    ] {
        let line = format!("{kid:<24} {what}\n");
        assert!(rotated.out.contains(&line), "{line} in {}", rotated.out);
    }
}

#[test]
fn a_list_says_when_a_key_may_sign_and_how_long_it_verifies() {
    let place =
        Place::new("[tokens]\nkeys_spread = \"10m\"\naccess_ttl = \"1h\"\nleeway = \"1m\"\n");
    first_run(&place);
    let lines = || {
        let listed = place.run(&["keys", "list"]).out;
        listed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let fresh = lines();
    assert!(
        !fresh[0].contains("may") && !fresh[0].ends_with(' '),
        "{fresh:?}"
    );
    // The keys of ten minutes ago, and a copy of them that is five minutes old.
    let (_, wait) = fresh[1].split_once("may sign in ").expect("a prospect");
    assert!(wait == "15m" || wait.starts_with("14m"), "{fresh:?}");
    place.run(&["keys", "rotate", "--at-once"]);
    let retired = lines().remove(0);
    let (_, left) = retired.split_once("verifies for ").expect("a prospect");
    assert!(left == "1h11m" || left.starts_with("1h10m"), "{left}");
}

#[test]
fn a_rotation_deletes_no_key_that_a_running_gateway_may_have_signed_with_too_late() {
    let place = Place::new("");
    first_run(&place);
    place.run(&["keys", "rotate", "--at-once"]);
    let live = place.config().live;
    let now = Clock::System.now();
    let kept = Keyring::list(&live.keys.dir, now).expect("keys");
    let file = live.keys.dir.join(format!("{}.retired.pem", kept[0].kid));
    let retired_before = |span| {
        let key = fs::File::open(&file).expect("the retired key");
        let then = std::time::SystemTime::now() - span;
        key.set_modified(then).expect("a time");
    };
    retired_before(live.tokens.access_life() + Duration::from_secs(30));
    assert!(!place.run(&["keys", "rotate"]).out.contains("deleted"));
    retired_before(live.keys.timetable.keep_retired + Duration::from_secs(30));
    assert!(place.run(&["keys", "rotate"]).out.contains("deleted"));
}

#[test]
fn a_token_of_ours_is_shown_and_found_valid() {
    let place = Place::new("");
    let tokens = first_run(&place);
    let now = Clock::System.now();
    let access = tokens
        .issue_access(&grant(now), [2; 16], now)
        .expect("signed");
    let refresh = tokens
        .issue_refresh(&grant(now), 3, now, now + Duration::from_hours(1))
        .expect("signed");
    for (token, typ, verdict) in [
        (
            &access,
            "\"typ\": \"at+jwt\"",
            "valid: an access token for another ",
        ),
        (
            &refresh,
            "\"typ\": \"rt+jwt\"",
            "valid: a refresh token for another ",
        ),
    ] {
        let given = place.run(&["token", "inspect", token]);
        let piped = place.run_with(&["token", "inspect"], &format!("{token}\n"));
        assert_eq!((given.exit, given.err.as_str()), (Exit::Done, ""));
        for ran in [given, piped] {
            for part in [typ, "\"sub\": \"somebody\"", verdict] {
                assert!(ran.out.contains(part), "{part} in {}", ran.out);
            }
        }
    }
}

#[test]
fn a_token_that_would_be_refused_is_shown_with_the_reason() {
    let place = Place::new("");
    let tokens = first_run(&place);
    let now = Clock::System.now();
    let long_ago = now.minus(Duration::from_hours(1));
    let old = tokens
        .issue_access(&grant(long_ago), [2; 16], long_ago)
        .expect("signed");
    let other = first_run(&Place::new(""));
    let foreign = other
        .issue_access(&grant(now), [2; 16], now)
        .expect("signed");
    for (token, reason) in [
        (old.as_str(), "refused: the token has expired\n"),
        // Its key may bear the name of one of ours, as both were made at the same time.
        (&foreign, "refused: the token"),
        (&old.replacen('.', "x.", 1), "refused: "),
        (
            "rubbish",
            "(not JSON in base64url)\nrefused: the token is malformed\n",
        ),
        (
            "",
            "(not JSON in base64url)\nrefused: the token is malformed\n",
        ),
    ] {
        let ran = place.run_with(&["token", "inspect"], token);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Failed, ""), "{token}");
        assert!(ran.out.contains(reason), "{reason} in {}", ran.out);
    }
}

#[test]
fn without_keys_a_token_cannot_be_judged_and_none_are_made() {
    let place = Place::new("");
    let ran = place.run(&["token", "inspect", "e30.e30.x"]);
    assert_eq!(ran.exit, Exit::Failed);
    assert_eq!(ran.out, "{}\n{}\n", "shown all the same");
    assert!(!ran.err.is_empty());
    assert!(!place.dir.path().join("data").exists());
}
