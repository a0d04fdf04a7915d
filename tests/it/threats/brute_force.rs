//! Other people's answers: a stranger can use up what is the stranger's, and nothing of the owner's.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use super::{DOORS, gate};
use crate::stage::{
    BEHIND_A_PROXY, PHONE, Stage,
    browser::Browser,
    client::{Answer, Call},
    frames::{DATA, END_STREAM, Frame, Frames},
    h2::{self, H2},
    inbox::wrong_for,
};

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

/// Every way to write the number of [`PHONE`].
const SPELLINGS: [&str; 6] = [
    PHONE,
    "4155550100",
    "14155550100",
    "+1 (415) 555-0100",
    "415.555.0100",
    "[415] 555 01 00",
];

// B1, a lock that a spelling unlocks: Authelia CVE-2025-24806, CVE-2026-47203.
#[tokio::test]
async fn no_spelling_of_a_number_gives_further_guesses() {
    let stage = gate(&DOORS).await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    for (spelling, left) in SPELLINGS.iter().zip([4, 3, 2, 1, 0, 0]) {
        let guess = stage.answer(spelling, &wrong_for(&code)).await;
        guess.is_wrong_code(Some(left));
    }
    for spelling in SPELLINGS {
        stage.answer(spelling, &code).await.is_wrong_code(Some(0));
    }
}

// B1, the same for messages: another spelling, endpoint, country or form brings no further ones.
#[tokio::test]
async fn no_spelling_of_a_number_gives_further_messages() {
    let stage = gate(&DOORS).await;
    for spelling in &SPELLINGS[..3] {
        assert_eq!(stage.ask_for_code(spelling).await.status, 200);
    }
    let before = stage.inbox.code_for(PHONE).await;
    for spelling in SPELLINGS {
        let asked = stage.ask_for_code(spelling).await;
        asked.is_refused(429, "rate_limited");
    }
    let body = json!({ "mobile_number": PHONE });
    let other = stage.post("/api/v1/auth/send-otp").json(&body).send().await;
    other.is_refused(429, "rate_limited");
    let national = json!({ "mobile_number": "4155550100", "country_code": "+1" });
    let named = stage
        .post("/api/auth/send-otp")
        .json(&national)
        .send()
        .await;
    named.is_refused(429, "rate_limited");
    let mut browser = Browser::new(&stage);
    let page = browser.open("/api/auth/login").await;
    let typed = [("mobile_number", SPELLINGS[3])];
    assert_eq!(browser.press(&page, "send", &typed).await.status, 429);
    stage.settle().await;
    assert!(stage.inbox.messages_to(PHONE).len() <= 3);
    assert_eq!(stage.inbox.code_for(PHONE).await, before);
}

// B1, another door to the same lock: the page, the alias of the endpoints, HTTP/2.
#[tokio::test]
async fn every_way_to_answer_counts_as_the_same_guesses() {
    let stage = gate(&DOORS).await;
    let asked = stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let wrong = wrong_for(&code);
    let body = json!({ "mobile_number": PHONE, "otp": wrong, "device_info": "test" });
    let alias = stage.post("/api/v1/auth/verify-otp").json(&body);
    alias.send().await.is_wrong_code(Some(4));
    let (client, _connection) = H2::to(stage.address).await;
    let over_h2 = Request::post("http://app.test/api/auth/verify-otp")
        .header("content-type", "application/json")
        .body(h2::body(body.to_string()))
        .expect("a request");
    client.send(over_h2).await.is_wrong_code(Some(3));
    let mut browser = Browser::new(&stage);
    let form = format!(
        "step=verify&mobile_number=%2B14155550100&otp={wrong}&challenge_id={}",
        asked.challenge()
    );
    assert_eq!(browser.post("/api/auth/login", &form).await.status, 400);
    stage.answer(PHONE, &wrong).await.is_wrong_code(Some(1));
    stage.answer(PHONE, &wrong).await.is_wrong_code(Some(0));
    stage.answer(PHONE, &code).await.is_wrong_code(Some(0));
}

// B2, guesses that arrive in one packet, all before the first is judged: races in kratos, better-auth, GoTrue.
#[tokio::test]
async fn of_many_guesses_in_one_packet_five_are_judged() {
    let stage = gate(&DOORS).await;
    stage.ask_for_code(PHONE).await;
    let code = stage.inbox.code_for(PHONE).await;
    let wrong = wrong_for(&code);
    let guesses = (0..40_u32).map(|n| {
        // The right one is the last of them.
        let guess = if n == 39 { &code } else { &wrong };
        (
            2 * n + 1,
            json!({ "mobile_number": PHONE, "otp": guess, "device_info": "x" }).to_string(),
        )
    });
    let guesses: Vec<(u32, String)> = guesses.collect();
    let packet: Vec<Frame> = guesses
        .iter()
        .flat_map(|(stream, body)| {
            let fields = [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", "app.test"),
                (":path", "/api/auth/verify-otp"),
                ("content-type", "application/json"),
            ];
            let data = Frame::new(DATA, END_STREAM, *stream, body.as_bytes());
            [Frame::head(*stream, 0, &fields), data]
        })
        .collect();
    let mut frames = Frames::to(stage.address).await;
    frames.send(&packet).await;
    let mut left = Vec::new();
    for _ in &guesses {
        let answer = frames.next_answer().await.expect("an answer to each");
        let problem: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(problem["code"], "invalid_otp", "{problem}");
        left.push(problem["attempts_left"].as_u64().expect("a number"));
    }
    left.sort_unstable();
    assert_eq!(left[36..], [1, 2, 3, 4], "{left:?}");
    assert!(left[..36].iter().all(|left| *left == 0), "{left:?}");
}

// B3, who is known here: Traefik CVE-2026-32595/41263, GoTrue auth#1547; a 429 for those alone: care#3630.
#[tokio::test]
async fn a_number_that_is_known_and_one_that_is_not_are_answered_alike() {
    let stage = gate(&DOORS).await;
    let (known, unknown) = (PHONE, "+14155550200");
    stage.log_in(known).await;
    // The message of its login counts no more.
    stage.pass(Duration::from_mins(31));
    let shape = |answer: &Answer| {
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let mut body = answer.json();
        let fields = body.as_object_mut().expect("an object");
        fields.remove("challenge_id");
        (answer.status, names, body)
    };
    for otp in ["000000", "x", ""] {
        let [a, b] = [known, unknown].map(|phone| stage.verify_otp(phone, otp));
        assert_eq!(shape(&a.send().await), shape(&b.send().await), "{otp}");
    }
    for status in [200, 200, 200, 429] {
        let [a, b] = [known, unknown].map(|phone| stage.send_otp(phone));
        let (a, b) = (a.send().await, b.send().await);
        assert_eq!(a.status, status);
        assert_eq!(shape(&a), shape(&b));
        let [a, b] = [known, unknown].map(|phone| stage.verify_otp(phone, "000000"));
        assert_eq!(shape(&a.send().await), shape(&b.send().await));
    }
}

// B2, the code itself: in no answer, no header and no log, whoever asks and however often.
#[tokio::test]
async fn the_code_goes_to_the_phone_and_nowhere_else() {
    let stage = gate(&DOORS).await;
    let mut answers = vec![
        stage.ask_for_code(PHONE).await,
        stage.ask_for_code(PHONE).await,
    ];
    let code = stage.inbox.code_for(PHONE).await;
    answers.push(stage.answer(PHONE, &wrong_for(&code)).await);
    answers.push(stage.answer(PHONE, &code).await);
    answers.push(stage.answer(PHONE, &code).await);
    answers.push(stage.operators("/metrics").await);
    for answer in &answers {
        let headers = format!("{:?}", answer.headers);
        assert!(!headers.contains(&code), "{headers}");
        let word = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|w| w == code);
        assert!(!word(&answer.text()), "{}", answer.text());
    }
    let id = answers[4].header("x-request-id").to_owned();
    stage.access_log.line(|line| line.contains(&id)).await;
    for line in stage.access_log.lines() {
        assert!(
            !line
                .split(' ')
                .any(|word| word.contains(&format!("={code}"))),
            "{line}"
        );
    }
}
