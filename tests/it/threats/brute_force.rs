//! Other people's answers: a stranger can use up what is the stranger's, and nothing of the owner's.

use serde_json::json;

use crate::stage::{BEHIND_A_PROXY, PHONE, Stage, client::Call, inbox::wrong_for};

const OWNER: &str = "203.0.113.1";
const STRANGER: &str = "198.51.100.1";

// B1, a lock on an account as a weapon against its owner: AKVorrat#162.
#[tokio::test]
async fn a_stranger_without_a_challenge_burns_nothing_of_the_owners() {
    let (stage, code, _) = asked(&[]).await;
    for _ in 0..8 {
        let answer = stage
            .verify_otp(PHONE, &wrong_for(&code))
            .sent_from(STRANGER);
        answer.send().await.is_wrong_code(None);
    }
    let mistyped = stage.verify_otp(PHONE, &wrong_for(&code)).sent_from(OWNER);
    mistyped.send().await.is_wrong_code(Some(4));
    let right = stage.verify_otp(PHONE, &code).sent_from(OWNER);
    assert_eq!(right.send().await.status, 200);
}

// B1, guesses without a count: GoTrue auth#2819.
#[tokio::test]
async fn a_stranger_has_five_guesses_like_everybody() {
    let (stage, code, _) = asked(&[]).await;
    for _ in 0..5 {
        let guess = stage
            .verify_otp(PHONE, &wrong_for(&code))
            .sent_from(STRANGER);
        guess.send().await;
    }
    let sixth = stage.verify_otp(PHONE, &code).sent_from(STRANGER);
    sixth.send().await.is_wrong_code(None);
}

// B1, guesses from many addresses at one number.
#[tokio::test]
async fn strangers_together_have_half_of_a_numbers_failures() {
    let (stage, code, _) = asked(&["otp.max_failures = 20"]).await;
    for stranger in 0..10 {
        let ip = format!("198.51.100.{stranger}");
        let guess = stage.verify_otp(PHONE, &wrong_for(&code)).sent_from(&ip);
        guess.send().await.is_wrong_code(None);
    }
    // The eleventh does not even get a right guess through; the owner still has all attempts.
    let guess = stage.verify_otp(PHONE, &code).sent_from("198.51.100.11");
    guess.send().await.is_wrong_code(None);
    for left in [4, 3] {
        let mistyped = stage.verify_otp(PHONE, &wrong_for(&code)).sent_from(OWNER);
        mistyped.send().await.is_wrong_code(Some(left));
    }
    let right = stage.verify_otp(PHONE, &code).sent_from(OWNER);
    assert_eq!(right.send().await.status, 200);
}

// B1, a resend that gives attempts back, or takes them: better-auth#11162.
#[tokio::test]
async fn a_stranger_who_asks_for_the_code_too_burns_a_challenge_of_their_own() {
    let (stage, code, owners) = asked(&[]).await;
    let asked = stage.send_otp(PHONE).sent_from(STRANGER).send().await;
    assert_ne!(asked.challenge(), owners);
    assert_eq!(stage.inbox.nth_code_for(PHONE, 2).await, code);
    for left in [4, 3, 2, 1, 0, 0] {
        let guess = stage
            .verify_otp(PHONE, &wrong_for(&code))
            .sent_from(STRANGER);
        guess.send().await.is_wrong_code(Some(left));
    }
    let right = stage.verify_otp(PHONE, &code).sent_from(OWNER);
    assert_eq!(right.send().await.status, 200);
}

// B1, the other side: the owner is known by more than an address.
#[tokio::test]
async fn a_phone_that_changes_its_network_still_has_its_challenge() {
    let (stage, code, challenge) = asked(&[]).await;
    let from_elsewhere = |code: &str| naming(&stage, code, &challenge).sent_from("192.0.2.77");
    from_elsewhere(&wrong_for(&code))
        .send()
        .await
        .is_wrong_code(Some(4));
    assert_eq!(from_elsewhere(&code).send().await.status, 200);
}

// B1, challenges that nobody was given.
#[tokio::test]
async fn naming_a_wrong_challenge_does_not_count_as_naming_none() {
    let (stage, code, challenge) = asked(&[]).await;
    for named in ["", "x", "ffffffffffffffffffffffffffffffff"] {
        let answer = naming(&stage, &wrong_for(&code), named).sent_from(OWNER);
        answer.send().await.is_wrong_code(None);
    }
    let mistyped = naming(&stage, &wrong_for(&code), &challenge).sent_from(OWNER);
    mistyped.send().await.is_wrong_code(Some(4));
}

// B1, a code that is bound to who asked for it (ASVS 6.6.2).
#[tokio::test]
async fn in_the_strict_form_only_who_names_the_challenge_is_heard() {
    let (stage, code, challenge) = asked(&["otp.require_challenge = true"]).await;
    let unnamed = |code: &str| stage.verify_otp(PHONE, code).sent_from(OWNER);
    unnamed(&code).send().await.is_wrong_code(None);
    for _ in 0..6 {
        unnamed(&wrong_for(&code)).send().await.is_wrong_code(None);
    }
    let wrongly = naming(&stage, &code, "ffffffffffffffffffffffffffffffff").sent_from(OWNER);
    wrongly.send().await.is_wrong_code(None);

    let mistyped = naming(&stage, &wrong_for(&code), &challenge).sent_from(STRANGER);
    mistyped.send().await.is_wrong_code(Some(4));
    let right = naming(&stage, &code, &challenge).sent_from(STRANGER);
    assert_eq!(right.send().await.status, 200);
}

/// A gateway behind a proxy, where the owner of the phone has asked for a code: the code and the
/// owner's challenge.
async fn asked(settings: &[&str]) -> (Stage, String, String) {
    let settings = [settings, &[BEHIND_A_PROXY]].concat();
    let stage = Stage::with(&settings).await;
    let asked = stage.send_otp(PHONE).sent_from(OWNER).send().await;
    let code = stage.inbox.code_for(PHONE).await;
    (stage, code, asked.challenge())
}

fn naming(stage: &Stage, code: &str, challenge: &str) -> Call {
    stage.post("/api/auth/verify-otp").json(&json!({
        "mobile_number": PHONE, "otp": code, "device_info": "test", "challenge_id": challenge,
    }))
}
